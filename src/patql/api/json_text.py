"""JSON that comes from outside."""

import msgspec

_DECODER = msgspec.json.Decoder()


def decode(raw: bytes) -> object:
    """The value of a JSON text.

    Raises:
        ValueError: it isn't JSON in UTF-8, holds a number beyond any type of ours, or nests beyond all reason.
    """
    try:
        return _DECODER.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ValueError("not JSON") from error
