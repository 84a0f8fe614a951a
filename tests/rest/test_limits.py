"""What headers say of waiting."""

import pytest

from patql.kernel.http import Response
from patql.rest.limits import asked_pause, exhausted_for

NOW = 1_700_000_000  # Tue, 14 Nov 2023 22:13:20 GMT


def answer(headers: dict[str, str]) -> Response:
    """One with these headers."""
    return Response(429, [(n.encode(), v.encode()) for n, v in headers.items()])


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "7"}, 7),
        ({"retry-after": " 0 "}, 0),
        ({"retry-after": "1.5"}, 1.5),
        ({"retry-after": "Tue, 14 Nov 2023 22:13:29 GMT"}, 9),
        ({"retry-after": "Tuesday, 14-Nov-23 22:13:29 GMT"}, 9),
        ({"retry-after": "Tue, 14 Nov 2023 22:13:00 GMT"}, 0),
        # Both by the server's clock, which is an hour behind ours.
        (
            {
                "retry-after": "Tue, 14 Nov 2023 21:13:29 GMT",
                "date": "Tue, 14 Nov 2023 21:13:27 GMT",
            },
            2,
        ),
        ({"retry-after": "Tue, 14 Nov 2023 22:13:29 GMT", "date": "today"}, 9),
        ({"retry-after": "-1"}, None),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "1e9"}, None),
        ({"retry-after": "Tue, 99 Nov 2023 22:13:29 GMT"}, None),
    ],
)
def test_retry_after(headers: dict[str, str], seconds: float | None) -> None:
    """Seconds or a date (RFC 9110, section 10.2.3); what is neither counts for nothing."""
    assert asked_pause(answer(headers), NOW) == seconds


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"x-ratelimit-remaining": "0"}, None),
        ({"x-ratelimit-remaining": "1", "x-ratelimit-reset": "1700000030"}, None),
        ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": "1700000030"}, 30),
        ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": "1699999999"}, 0),
        ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": "12"}, 12),
        ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": "soon"}, None),
        (
            {
                "x-ratelimit-remaining": "0",
                "x-ratelimit-reset": "1700000030",
                "date": "Tue, 14 Nov 2023 22:13:45 GMT",
            },
            5,
        ),
        ({"ratelimit-remaining": "0", "ratelimit-reset": "8"}, 8),
        ({"ratelimit-remaining": "3", "ratelimit-reset": "8"}, None),
    ],
)
def test_no_requests_remain(headers: dict[str, str], seconds: float | None) -> None:
    """Until an instant, by the server's clock where it tells the time, or for a while."""
    assert exhausted_for(answer(headers), NOW) == seconds
