"""Text from elsewhere, made safe to show to a person."""

from unicodedata import category

_NAMED = {"\n": r"\n", "\r": r"\r", "\t": r"\t"}
_JOINERS = "\u200c\u200d"  # parts of words and of emoji in several scripts


def printable(text: str) -> str:
    r"""The text with control, format and bidirectional characters written as `\n`, `\x1b` or `\u202e`.

    Nothing is left that a terminal or a browser would act on: of what Unicode calls unprintable only spaces of other
    widths and the joiners inside words stay.
    """
    return text if text.isprintable() else "".join(map(_visible, text))


def _visible(char: str) -> str:
    if char.isprintable() or char in _JOINERS or category(char) == "Zs":
        return char
    if char in _NAMED:
        return _NAMED[char]
    code = ord(char)
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
