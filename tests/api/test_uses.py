"""Which uses of tokens are kept: one a minute of each, however often it is used, and no more than there is room for."""

import pytest

from patql.api import uses
from patql.api.uses import Uses
from patql.authority.model import Use

NOW = 1_800_000_000  # a minute begins


def test_once_a_minute() -> None:
    """A token's first use in each minute is noted, with its instant and address; what follows in it isn't."""
    gathered = Uses()
    firsts = [
        gathered.note("a", NOW + 0.5, "192.0.2.7"),
        gathered.note("a", NOW + 59.9, "192.0.2.8"),
        gathered.note("b", NOW + 30, "192.0.2.9"),
    ]
    assert firsts == [True, False, False]
    noted = [Use("a", NOW, "192.0.2.7"), Use("b", NOW + 30, "192.0.2.9")]
    assert gathered.take() == noted
    assert not gathered.note("a", NOW + 59, "192.0.2.7")
    assert gathered.take() == []
    assert gathered.note("a", NOW + 60, "192.0.2.8")
    assert gathered.take() == [Use("a", NOW + 60, "192.0.2.8")]


def test_no_more_than_there_is_room_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither of very many tokens in a minute, nor while nobody takes what was noted."""
    monkeypatch.setattr(uses, "MOST", 3)
    gathered = Uses()
    for minute in range(4):
        for number in range(5):
            gathered.note(f"t{number}", NOW + 60 * minute, "::1")
    assert [use.handle for use in gathered.take()] == ["t0", "t1", "t2"]
    gathered.note("t0", NOW + 240, "::1")
    assert gathered.take() == [Use("t0", NOW + 240, "::1")]
