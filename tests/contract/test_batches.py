"""Many at once, all or none; and the same again, for whoever asks again."""

import threading

import msgspec
import pytest

from patql.authority.authority import Authority
from patql.authority.issue import Wanted
from patql.authority.model import Denied, Granted, Issued, Reason, Use
from patql.authority.ports import TokenStore
from patql.authority.replay import Replay
from patql.kernel.clock import ManualClock
from patql.kernel.errors import Code, InvalidRequestError, PatqlError
from patql.kernel.secrets import Secret

NOW = 1_800_000_000


def _replay(key: bytes = b"k", request: bytes = b"r", secret: str = "5" * 64) -> Replay:
    return Replay(key * 32, Secret(secret), request * 32)


def test_many_tokens(authority: Authority) -> None:
    """In the order of what was asked for, each its own, each with its line in the audit."""
    wanted = [Wanted(f"t{n}", "linodes:read_only") for n in range(500)]
    issued = authority.issue_many("alice", [*wanted, Wanted()])
    assert [one.token.id for one in issued] == list(range(1, 502))
    assert [one.token.label for one in issued[:500]] == [f"t{n}" for n in range(500)]
    assert issued[500].token.label == "token-501"
    assert authority.list("alice") == tuple(one.token for one in issued)
    assert all(authority.verify(one.secret) for one in issued[::50])
    created = [e.token_id for e in authority.events() if e.action == "token_create"]
    assert created == list(range(1, 502))


def test_all_or_none(authority: Authority) -> None:
    """One that is wrong, and nothing happens; each problem says which one it is about."""
    with pytest.raises(InvalidRequestError) as refused:
        authority.issue_many(
            "alice", [Wanted(), Wanted(""), Wanted(scopes="x", expiry=NOW)]
        )
    assert [p.field for p in refused.value.problems] == [
        "tokens[1].label",
        "tokens[2].scopes",
        "tokens[2].expiry",
    ]
    assert authority.is_empty()
    ids = [one.token.id for one in authority.issue_many("alice", [Wanted()] * 3)]
    before = authority.list("alice"), authority.events()
    with pytest.raises(InvalidRequestError, match=r"ids\[1\]: Not found") as missing:
        authority.revoke_many("alice", [ids[0], 99, ids[1]])
    assert missing.value.code is Code.NOT_FOUND
    with pytest.raises(InvalidRequestError, match=r"tokens\[0\].id: Not found"):
        authority.rename_many("alice", {99: "a", ids[0]: "b"})
    with pytest.raises(InvalidRequestError, match=r"tokens\[1\].label: Length"):
        authority.rename_many("alice", {ids[0]: "a", ids[1]: ""})
    with pytest.raises(InvalidRequestError, match="Not found"):
        authority.revoke_many("bob", ids)
    assert (authority.list("alice"), authority.events()) == before


def test_many_renamed_and_revoked(authority: Authority) -> None:
    """The acting token among them, too."""
    issued = authority.issue_many("alice", [Wanted()] * 4)
    acting = authority.verify(issued[0].secret)
    assert isinstance(acting, Granted)
    renamed = authority.rename_many("alice", {3: "c", 2: "b"}, acting=acting)
    assert [(token.id, token.label) for token in renamed] == [(3, "c"), (2, "b")]
    assert authority.revoke_many("alice", [4, 1, 2], acting=acting) == (4, 1, 2)
    assert [(token.id, token.label) for token in authority.list("alice")] == [(3, "c")]
    lines = [(e.action, e.token_id, e.actor_token) for e in authority.events()[-5:]]
    assert lines == [
        ("token_update", 3, 1),
        ("token_update", 2, 1),
        ("token_delete", 4, 1),
        ("token_delete", 1, 1),
        ("token_delete", 2, 1),
    ]


def _family(authority: Authority) -> list[Issued]:
    """1 made 2 and 5, 2 made 3, 3 made 4; 6 stands alone."""
    made = [authority.issue("alice")]
    for parent in (1, 2, 3, 1):
        acting = authority.verify(made[parent - 1].secret)
        assert isinstance(acting, Granted)
        made.append(authority.issue("alice", acting=acting))
    return [*made, authority.issue("alice")]


@pytest.mark.parametrize(
    ("revoked", "first", "left"),
    [
        (1, None, [6]),
        (2, None, [1, 5, 6]),
        (2, 3, [1, 5, 6]),
        (6, None, [1, 2, 3, 4, 5]),
    ],
)
def test_descendants(
    authority: Authority, revoked: int, first: int | None, left: list[int]
) -> None:
    """Revoked with all that came of it, through tokens that were revoked before, too; and nothing else."""
    family = _family(authority)
    if first is not None:
        authority.revoke("alice", first)
    assert authority.revoke("alice", revoked, cascade=True)
    assert [token.id for token in authority.list("alice")] == left
    good = [one.token.id for one in family if authority.verify(one.secret)]
    assert good == left


def test_an_admin_revokes_a_family(authority: Authority) -> None:
    """The ids of all that went are told."""
    _family(authority)
    assert authority.admin.revoke([2], cascade=True) == (2, 3, 4)
    assert authority.revoke_many("alice", [1], cascade=True) == (1, 5)
    parents = [entry.parent for entry in authority.admin.tokens().rows]
    assert parents == [None, 1, 2, 3, 1, None]


def test_the_same_again(authority: Authority, clock: ManualClock) -> None:
    """Whoever asks again in time gets the same answer, secrets included, and nothing happens twice."""
    replay = _replay()
    first = authority.issue_many("alice", [Wanted("a"), Wanted("b")], repeat=replay)
    clock.advance(29)
    again = authority.issue_many("alice", [Wanted("a"), Wanted("b")], repeat=replay)
    assert again == first
    assert authority.verify(again[1].secret)
    assert len(authority.list("alice")) == 2
    clock.advance(1)
    later = authority.issue_many("alice", [Wanted("a"), Wanted("b")], repeat=replay)
    assert [one.token.id for one in later] == [3, 4]
    renaming = _replay(b"n")
    renamed = authority.rename_many("alice", {1: "c"}, repeat=renaming)
    assert authority.rename_many("alice", {1: "c"}, repeat=renaming) == renamed
    revoking = _replay(b"v")
    assert authority.revoke_many("alice", [1, 2], repeat=revoking) == (1, 2)
    assert authority.revoke_many("alice", [1, 2], repeat=revoking) == (1, 2)


def test_a_key_is_for_one_request(authority: Authority) -> None:
    """Another request under a key that is in use is refused; so is nothing of a change that failed kept."""
    with pytest.raises(InvalidRequestError):
        authority.revoke_many("alice", [1], repeat=_replay())
    authority.issue_many("alice", [Wanted()], repeat=_replay())
    with pytest.raises(PatqlError, match="Idempotency-Key") as refused:
        authority.issue_many("alice", [Wanted()], repeat=_replay(request=b"x"))
    assert refused.value.code is Code.CONFLICT
    assert len(authority.list("alice")) == 1


def test_the_same_at_once(authority: Authority) -> None:
    """However many send the same request at the same moment, it is done once, and all get its answer."""
    authority.add_user("alice")
    answers = list[tuple[Issued, ...]]()
    together = threading.Barrier(8)

    def work() -> None:
        together.wait()
        answers.append(authority.issue_many("alice", [Wanted()], repeat=_replay()))

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(answers) == 8
    assert len({answer[0].secret.reveal() for answer in answers}) == 1
    assert len(authority.list("alice")) == 1


def test_the_same_again_from_who_has_gone(authority: Authority) -> None:
    """A token that was revoked since it was verified is told no secret that it made before."""
    root = authority.verify(authority.issue("alice").secret)
    assert isinstance(root, Granted)
    authority.issue_many("alice", [Wanted()], acting=root, repeat=_replay())
    authority.revoke("alice", 1)
    with pytest.raises(InvalidRequestError, match="Invalid Token"):
        authority.issue_many("alice", [Wanted()], acting=root, repeat=_replay())


def test_what_is_kept_of_an_answer_is_unreadable(
    authority: Authority, store: TokenStore
) -> None:
    """Neither the secrets nor anything else of an answer is in the store as it is."""
    replay = _replay()
    (issued,) = authority.issue_many("alice", [Wanted("mine")], repeat=replay)
    kept = store.write(lambda at: at.sealed(replay.key))
    assert kept is not None
    for text in (issued.secret.reveal(), issued.token.shown, "mine"):
        assert text.encode() not in kept.answer
    assert store.write(lambda at: at.sealed(b"x" * 32)) is None


def test_last_use(authority: Authority) -> None:
    """When and from where, to a minute; tokens that aren't there are no trouble, and no line of the audit."""
    issued = authority.issue_many("alice", [Wanted()] * 3)
    shown = [one.token.shown for one in issued]
    before = authority.events()

    def told() -> list[tuple[int | None, str | None]]:
        rows = authority.admin.tokens("alice").rows
        return [(entry.last_used, entry.last_used_from) for entry in rows]

    authority.use([])
    assert told() == [(None, None)] * 3
    authority.use([Use(shown[0], NOW, "::1"), Use(shown[1], NOW, "192.0.2.7")])
    authority.use([Use("pql_nobodys00000", NOW, "::1")])
    assert told() == [(NOW, "::1"), (NOW, "192.0.2.7"), (None, None)]
    authority.use([Use(shown[0], NOW + 59, "::2"), Use(shown[1], NOW + 60, "::2")])
    assert told() == [(NOW, "::1"), (NOW + 60, "::2"), (None, None)]
    assert authority.events() == before
    assert authority.verify(issued[0].secret) != Denied(Reason.UNKNOWN)


def test_an_answer_survives_its_encoding(authority: Authority) -> None:
    """What is kept is the whole answer: notes, expiries and all."""
    acting = authority.verify(authority.issue("alice", scopes="ips:read_only").secret)
    assert isinstance(acting, Granted)
    wanted = [Wanted("é", None, NOW + 9)]
    first = authority.issue_many("alice", wanted, acting=acting, repeat=_replay())
    again = authority.issue_many("alice", wanted, acting=acting, repeat=_replay())
    assert first == again
    assert "narrower" in (again[0].note or "")
    assert msgspec.structs.asdict(again[0].token)["expiry"] == NOW + 9
