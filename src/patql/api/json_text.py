"""JSON that comes from outside."""

import msgspec

INVALID = "Invalid JSON"
TOO_DEEP = "Nested too deeply"

_DECODER = msgspec.json.Decoder()


def decode(raw: bytes) -> object:
    """The value of a JSON text.

    Raises:
        ValueError: with INVALID where it isn't JSON in UTF-8, or holds a number beyond any type of ours; with TOO_DEEP
            where it nests beyond all reason.
    """
    try:
        return _DECODER.decode(raw)
    except RecursionError as error:
        raise ValueError(TOO_DEEP) from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ValueError(INVALID) from error
