"""The audit's chains: whole as they are written, and broken by whoever touches them."""

from collections.abc import Callable, Iterable, Iterator

import pytest
from msgspec.structs import replace

from patql.authority import chain
from patql.authority.authority import Authority
from patql.authority.chain import Line
from patql.authority.issue import Wanted
from patql.authority.ports import TokenStore
from patql.kernel.clock import ManualClock
from patql.kernel.errors import InvalidRequestError

NOW = 1_800_000_000


def test_what_is_written_is_whole(authority: Authority) -> None:
    """One process writes one chain, numbered from 1, whatever it does and whatever fails meanwhile."""
    authority.issue_many("alice", [Wanted()] * 3)
    with pytest.raises(InvalidRequestError):
        authority.revoke_many("alice", [1, 99])
    authority.revoke("alice", 1)
    report = authority.admin.examine()
    assert (report.lines, report.faults) == (5, ())
    (head,) = report.heads
    events = authority.events()
    assert {event.writer for event in events} == {head.writer}
    assert [event.sequence for event in events] == [1, 2, 3, 4, 5]
    assert head.sequence == 5


def test_an_empty_audit(authority: Authority) -> None:
    """Nothing is wrong with nothing."""
    report = authority.admin.examine()
    assert (report.lines, report.heads, report.faults) == (0, (), ())


def test_chains_name_each_other(
    store: TokenStore, reopened: Callable[[], TokenStore]
) -> None:
    """A chain's first line names the ends of chains that no other has named; what went on since is named again."""
    clock = ManualClock(NOW)
    second, third, fourth = reopened(), reopened(), reopened()
    written = list[str]()
    for opened in (store, second, store, third, fourth):
        Authority(opened, clock).issue("alice")
        written.append(store.latest(None, 0, 1).rows[0].writer)
    report = Authority(store, clock).admin.examine()
    assert (report.lines, report.faults, len(report.heads)) == (6, (), 4)
    named = {
        line.event.writer: [head.writer for head in chain.read(line.heads)]
        for line in store.lines()
        if line.heads is not None
    }
    one, two, _, three, four = written
    assert named == {one: [], two: [one], three: sorted([one, two]), four: [three]}
    for opened in (second, third, fourth):
        opened.close()


def _without(lines: Iterable[Line], *places: int) -> Iterator[Line]:
    return (line for number, line in enumerate(lines) if number not in places)


def _altered(lines: list[Line], place: int, **changes: object) -> list[Line]:
    line = lines[place]
    lines[place] = replace(line, event=replace(line.event, **changes))
    return lines


def _forged(lines: list[Line], place: int, **changes: object) -> list[Line]:
    """Altered, with a hash that fits."""
    line = _altered(lines, place, **changes)[place]
    told = chain.digest(line.event, line.previous, line.heads)
    lines[place] = replace(line, hash=told)
    return lines


def _swapped(lines: list[Line], one: int, other: int) -> list[Line]:
    lines[one], lines[other] = (
        replace(lines[other], event=replace(lines[other].event, sequence=lines[one].event.sequence)),
        replace(lines[one], event=replace(lines[one].event, sequence=lines[other].event.sequence)),
    )  # fmt: skip
    return lines


_Tamper = Callable[[list[Line]], Iterable[Line]]
_TAMPERED: list[tuple[_Tamper, str]] = [
    (lambda lines: _altered(lines, 1, actor="mallory"), "was altered"),
    (lambda lines: _altered(lines, 0, at=NOW - 1), "was altered"),
    (lambda lines: _altered(lines, 3, detail="{}"), "was altered"),
    (lambda lines: _altered(lines, 3, id=99), "was altered"),
    (lambda lines: _altered(lines, 3, token_id=None), "was altered"),
    (lambda lines: _forged(lines, 1, user="mallory"), "doesn't follow"),
    (lambda lines: _forged(lines, 0, user="mallory"), "doesn't follow"),
    (lambda lines: _without(lines, 0), "are gone"),
    (lambda lines: _without(lines, 1), "are gone"),
    (lambda lines: _swapped(lines, 1, 2), "doesn't follow"),
    (lambda lines: [*lines[:2], replace(lines[2], heads="[]"), *lines[3:]], "names heads"),
    (lambda lines: [replace(lines[0], heads="nonsense"), *lines[1:]], "was altered"),
]  # fmt: skip


@pytest.mark.parametrize(("tamper", "fault"), _TAMPERED, ids=range(12))
def test_tampering_shows(
    authority: Authority,
    store: TokenStore,
    tamper: _Tamper,
    fault: str,
) -> None:
    """Whoever alters, removes or moves a line breaks its chain."""
    authority.issue_many("alice", [Wanted()] * 4)
    lines = list(store.lines())
    assert chain.examine(store.named_heads(), lines).faults == ()
    report = chain.examine(store.named_heads(), tamper(lines))
    assert any(fault in told for told in report.faults), report.faults


def test_a_cut_end_shows_where_a_later_chain_names_it(
    store: TokenStore, reopened: Callable[[], TokenStore]
) -> None:
    """The end of a chain, or all of it, can't be taken away unnoticed once another chain has begun."""
    Authority(store, ManualClock(NOW)).issue_many("alice", [Wanted()] * 2)
    later = reopened()
    Authority(later, ManualClock(NOW)).issue("alice")
    later.close()
    named, lines = list(store.named_heads()), list(store.lines())
    first = next(line.event.writer for line in lines if line.heads == "[]")
    old = [line for line in lines if line.event.writer == first]
    new = [line for line in lines if line.event.writer != first]
    both = sorted([*old[:-1], *new], key=lambda line: line.event.writer)
    for kept in (both, new):
        (fault,) = chain.examine(named, kept).faults
        assert fault == f"line 3 of writer {first} is gone, which a later chain names"
    rewritten = _forged(list(old), 2, detail="{}")
    both = sorted([*rewritten, *new], key=lambda line: line.event.writer)
    faults = chain.examine(named, both).faults
    assert faults == (f"line 3 of writer {first} isn't what a later chain says it was",)
    # Nor does another chain hide that by naming what was put in its place.
    vouching = chain.Chain()
    end = rewritten[-1]
    named_so = [chain.Head(first, 3, end.hash.hex())]
    forged = vouching.append(end.event, 99, named_so)
    both = sorted([*both, forged], key=lambda line: line.event.writer)
    assert chain.examine([*named, forged.heads or ""], both).faults == faults
    # The newest chain's own end is in nobody's memory but that of whoever wrote its head down.
    assert chain.examine(named, [*old]).faults == ()
