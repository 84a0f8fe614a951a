"""Amounts as a person reads them."""

_PREFIXES = ("kB", "MB", "GB", "TB")


def number(count: int, noun: str) -> str:
    """`1 row`, `1,234 rows`; the noun is in the singular, and takes an s."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def size(count: int) -> str:
    """Bytes: `812 B`, `1.2 MB`."""
    if count < 1000:
        return f"{count} B"
    scaled, at = count / 1000, 0
    while scaled >= 999.5 and at + 1 < len(_PREFIXES):
        scaled, at = scaled / 1000, at + 1
    return f"{scaled:.{1 if scaled < 99.95 else 0}f} {_PREFIXES[at]}"


def duration(seconds: float) -> str:
    """`0 ms`, `0.2 ms`, `35 ms`, `1.2 s`, `2 min 5 s`."""
    milliseconds = seconds * 1000
    if milliseconds < 0.05:
        return "0 ms"
    if milliseconds < 9.95:
        return f"{milliseconds:.1f} ms"
    if milliseconds < 999.5:
        return f"{milliseconds:.0f} ms"
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes:,} min {rest} s"
