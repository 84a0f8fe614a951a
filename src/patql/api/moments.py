"""Dates and times as clients write them: with or without a zone, to the second or finer.

    2027-01-31T12:00:00     2027-01-31T12:00:00.5Z     2027-01-31 12:00:00+02:00     2027-01-31

Without a zone they are UTC (Linode API v4, "time values").
"""

import re
from datetime import UTC, datetime, timedelta

EXAMPLE = "2027-01-31T12:00:00"

_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001  (naive, as the wire has it)
_SECOND = timedelta(seconds=1)
_SHAPE = re.compile(
    r"\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d(\.\d{1,9})?)?(Z|[+-]\d\d:?\d\d)?)?",
    re.ASCII | re.IGNORECASE,
)


def parse(text: str) -> tuple[int, bool] | None:
    """An instant as seconds since the epoch, rounded down, and whether that cut a fraction off; None if it is none."""
    if not _SHAPE.fullmatch(text):
        return None
    try:
        moment = datetime.fromisoformat(text.upper())
        if moment.tzinfo is not None:
            moment = moment.astimezone(UTC).replace(tzinfo=None)
    except (ValueError, OverflowError):  # the 31st of April; before the year 1
        return None
    seconds, rest = divmod(moment - _EPOCH, _SECOND)
    return seconds, bool(rest)


def to_datetime(seconds: int) -> datetime:
    """An instant as the naive datetime that msgspec writes in the wire's form, without a zone."""
    return _EPOCH + timedelta(0, seconds)
