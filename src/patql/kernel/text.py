"""Text from elsewhere, made safe to show to a person."""


def printable(text: str) -> str:
    r"""The text with each character that a terminal or a browser might act on escaped, as `\x1b` or `\u202e`.

    Those are all that Unicode calls unprintable: controls, line breaks, tabs, bidirectional and other format
    characters, spaces other than U+0020, surrogates, private use.
    """
    if text.isprintable():
        return text
    return "".join(
        c if c.isprintable() else c.encode("unicode_escape").decode("ascii")
        for c in text
    )
