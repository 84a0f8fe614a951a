"""What is granted of what was asked for, and what is refused."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from patql.authority import scopes, tokens
from patql.authority.authority import Authority
from patql.authority.issue import LATEST, Wanted, draft
from patql.authority.model import Granted, Role
from patql.authority.policy import Policy
from patql.kernel.clock import ManualClock
from patql.kernel.errors import Code, InvalidRequestError, PatqlError
from patql.kernel.secrets import Secret
from patql.store.sqlite import SqliteStore

NOW = 1_800_000_000  # 2027-01-15T08:00:00 UTC
_SINGLE = ["*", "linodes:read_only", "linodes:read_write", "vpc:read_write", "nope", ""]
_EAST = timezone(timedelta(hours=2))


def _acting(held: str, expiry: int | None = None) -> Granted:
    return Granted("alice", 1, 1, held, expiry)


@pytest.mark.parametrize(
    ("asked", "held", "granted", "note"),
    [
        (None, None, "*", None),
        ("*", None, "*", None),
        ("", None, "", None),
        ("linodes:view", None, "linodes:read_only", None),
        (None, "*", "*", None),
        ("*", "*", "*", None),
        ("", "*", "", None),
        ("linodes:read_only", "*", "linodes:read_only", None),
        ("linodes:read_only", "linodes:read_write", "linodes:read_only", None),
        ("", "linodes:read_write", "", None),
        (None, "ips:read_only", "ips:read_only", "ips:read_only"),
        ("*", "ips:read_only vpc:read_write", "ips:read_only vpc:read_write", "vpc:"),
        ("*,ips:read_only", "ips:read_only", "ips:read_only", "ips:read_only"),
        (None, "", "", "none"),
    ],
)
def test_granted_scopes(
    asked: str | None, held: str | None, granted: str, note: str | None
) -> None:
    """Omitted and `*` are the acting token's own scopes; a note says so where those are narrower."""
    acting = None if held is None else _acting(held)
    made = draft(Wanted(None, asked, None), acting, Policy(), NOW)
    assert made.scopes == granted
    assert made.note is None if note is None else note in (made.note or "")


@given(
    st.none() | st.lists(st.sampled_from(_SINGLE)).map(" ".join),
    st.sampled_from([*_SINGLE[:4], ""]),
)
def test_creation_never_escalates(asked: str | None, held: str) -> None:
    """Whatever is asked for, what is granted is covered by the acting token's scopes."""
    try:
        made = draft(Wanted(None, asked, None), _acting(held), Policy(), NOW)
    except InvalidRequestError:
        return
    assert scopes.covers(held, made.scopes)


def test_scopes_beyond_are_named() -> None:
    """Each scope that the acting token doesn't cover is a problem of its own."""
    acting = _acting("linodes:read_only")
    with pytest.raises(InvalidRequestError) as refused:
        draft(
            Wanted(None, "linodes:read_write vpc linodes:view", None),
            acting,
            Policy(),
            NOW,
        )
    assert [(p.reason, p.field) for p in refused.value.problems] == [
        ("Scope beyond the acting token's: linodes:read_write", "scopes"),
        ("Scope beyond the acting token's: vpc:read_write", "scopes"),
    ]


@pytest.mark.parametrize(
    ("expiry", "seconds"),
    [
        (None, None),
        (NOW + 1, NOW + 1),
        (datetime(2027, 1, 15, 8, 0, 1), NOW + 1),  # noqa: DTZ001  (naive is UTC)
        (datetime(2027, 1, 15, 8, 0, 1, 999_999, tzinfo=UTC), NOW + 1),
        (datetime(2027, 1, 15, 10, 0, 1, tzinfo=_EAST), NOW + 1),
        (datetime(9999, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC), LATEST),
        (LATEST, LATEST),
    ],
    ids=range(7),
)
def test_expiry(expiry: datetime | int | None, seconds: int | None) -> None:
    """An expiry is kept to the second, in UTC, whatever its zone."""
    assert draft(Wanted(None, None, expiry), None, Policy(), NOW).expiry == seconds


@pytest.mark.parametrize(
    ("expiry", "reason"),
    [
        (NOW, "Must be in the future"),
        (0, "Must be in the future"),
        (-(10**30), "Must be in the future"),
        (datetime(2027, 1, 15, 8, 0, 0, 999_999, tzinfo=UTC), "Must be in the future"),
        (datetime.min.replace(tzinfo=UTC), "Must be in the future"),
        (LATEST + 1, "Must be before the year 10000"),
        (datetime.max.replace(tzinfo=timezone(-timedelta(hours=1))), "Must be before"),
        (10**30, "Must be before the year 10000"),
    ],
    ids=range(8),
)
def test_refused_expiry(expiry: datetime | int, reason: str) -> None:
    """An expiry that isn't in the future, or can't be written, is a problem of the field."""
    with pytest.raises(InvalidRequestError, match=f"expiry: {reason}"):
        draft(Wanted(None, None, expiry), None, Policy(), NOW)


def test_created_is_the_second_that_has_begun(
    authority: Authority, clock: ManualClock
) -> None:
    """An instant is kept as its second, never as one that is still to come."""
    clock.advance(0.999)
    token = authority.issue("alice", expiry=NOW + 1).token
    assert (token.created, token.expiry) == (NOW, NOW + 1)
    assert authority.events()[-1].at == NOW


@pytest.mark.parametrize(
    ("expiry", "acting_expiry", "refused"),
    [
        (NOW + 10, NOW + 10, False),
        (NOW + 11, NOW + 10, True),
        (None, NOW + 10, True),
        (None, None, False),
        (NOW + 10, None, False),
    ],
)
def test_lifetime_cap(
    expiry: int | None, acting_expiry: int | None, *, refused: bool
) -> None:
    """With the cap a token can't outlive the one that creates it; without, it can."""
    acting = _acting("*", acting_expiry)
    assert draft(Wanted(None, None, expiry), acting, Policy(), NOW).expiry == expiry
    capped = Policy(lifetime_cap=True)
    if refused:
        with pytest.raises(InvalidRequestError, match="2027-01-15T08:00:10"):
            draft(Wanted(None, None, expiry), acting, capped, NOW)
    else:
        assert draft(Wanted(None, None, expiry), acting, capped, NOW).expiry == expiry
    assert draft(Wanted(None, None, expiry), None, capped, NOW).expiry == expiry


@pytest.mark.parametrize(
    ("label", "reason"),
    [
        ("", "Length must be 1-100 characters"),
        ("é" * 101, "Length must be 1-100 characters"),
        ("\ud800", "Must be valid Unicode"),
        ("a\0b", "Must not contain U+0000"),
    ],
    ids=range(4),
)
def test_refused_label(authority: Authority, label: str, reason: str) -> None:
    """A label is 1 to 100 characters of Unicode, for a new token as for a renamed one."""
    token = authority.issue("alice").token
    requests: list[Callable[[], object]] = [
        lambda: authority.issue("alice", label=label),
        lambda: authority.rename("alice", token.id, label),
    ]
    for request in requests:
        with pytest.raises(InvalidRequestError) as refused:
            request()
        assert [(p.reason, p.field) for p in refused.value.problems] == [
            (reason, "label")
        ]
    assert authority.list("alice") == (token,)


@pytest.mark.parametrize(
    "label", ["é" * 100, "👩‍💻" * 20, "\x01", "a\nb", "' --", "\u202e"]
)
def test_labels_come_back_as_given(authority: Authority, label: str) -> None:
    """Whatever text a label is, it is kept exactly; characters count, not bytes."""
    issued = authority.issue("alice", label=label)
    assert authority.list("alice")[0].label == label == issued.token.label


def test_all_problems_at_once(authority: Authority) -> None:
    """A request with several mistakes is told all of them."""
    with pytest.raises(InvalidRequestError) as refused:
        authority.issue("alice", label="", scopes="foo bar", expiry=NOW)
    assert [p.field for p in refused.value.problems] == [
        "label",
        "scopes",
        "scopes",
        "expiry",
    ]
    assert refused.value.code is Code.INVALID


@pytest.mark.parametrize("username", ["", "\udfff"])
def test_refused_usernames(authority: Authority, username: str) -> None:
    """A username is any non-empty text."""
    with pytest.raises(InvalidRequestError, match="username: Must"):
        authority.issue(username)
    with pytest.raises(InvalidRequestError, match="username: Must"):
        authority.add_user(username)
    assert authority.is_empty()


def test_the_first_user_is_admin(authority: Authority) -> None:
    """Whoever is added first, by name, administrates; nobody else does without being told to."""
    assert authority.add_user("first").role is Role.ADMIN
    assert authority.add_user("second").role is Role.USER
    assert authority.add_user("third", role=Role.VERIFIER).role is Role.VERIFIER


def test_a_customer_is_no_admin(authority: Authority) -> None:
    """Whoever is given a token, by the trusted call or by a product that vouches for them, administrates nothing."""
    authority.issue("first")
    authority.issue("second", acting=Granted("second", 0, None, "*", None))
    roles = [getattr(authority.user(u), "role", None) for u in ("first", "second")]
    assert roles == [Role.USER, Role.USER]


def test_the_first_user_can_be_nothing_less(authority: Authority) -> None:
    """An authority without an admin could not be administrated."""
    with pytest.raises(InvalidRequestError, match="first user must be an admin"):
        authority.add_user("first", role=Role.VERIFIER)
    assert authority.is_empty()
    assert authority.add_user("first", role=Role.ADMIN).role is Role.ADMIN


def test_a_user_exists_once(authority: Authority) -> None:
    """A taken name is refused, and its user unchanged."""
    made = authority.add_user("alice", email="a@example.org", restricted=True)
    with pytest.raises(InvalidRequestError, match="username: Already exists"):
        authority.add_user("alice")
    assert authority.user("alice") == made
    assert (made.uid, made.email, made.restricted) == (1, "a@example.org", True)


def test_recover(authority: Authority) -> None:
    """A new root token for the first admin, or for a user one names; audited under its own name."""
    with pytest.raises(PatqlError, match="there is no admin"):
        authority.recover()
    authority.add_user("alice")
    authority.issue("bob")
    for user, owner in ((None, "alice"), ("bob", "bob")):
        issued = authority.recover(user)
        granted = authority.verify(issued.secret, "*")
        assert isinstance(granted, Granted)
        assert granted.user == owner
        event = authority.events()[-1]
        assert (event.action, event.user) == ("token_recover", owner)
    with pytest.raises(PatqlError, match="no user 'carol'") as refused:
        authority.recover("carol")
    assert refused.value.code is Code.NOT_FOUND


def test_handles_are_drawn_again(
    authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A handle that is taken is no error: another is drawn."""
    minted = [tokens.mint("pql_") for _ in range(2)]
    drawn = [minted[1], minted[0], minted[0]]

    def mint(prefix: str) -> tuple[str, Secret]:
        assert prefix == "pql_"
        return drawn.pop()

    monkeypatch.setattr(tokens, "mint", mint)
    assert authority.issue("alice").token.shown == minted[0][0]
    second = authority.issue("alice")
    assert second.token.shown == minted[1][0]
    assert authority.verify(second.secret)
    assert [token.id for token in authority.list("alice")] == [1, 2]


def test_the_policy_prefix(tmp_path: Path, clock: ManualClock) -> None:
    """New tokens have the prefix of the day, and those of another prefix stay good."""
    with Authority(SqliteStore(tmp_path / "tokens.db"), clock) as before:
        old = before.issue("alice")
    policy = Policy(prefix="acme_")
    with Authority(SqliteStore(tmp_path / "tokens.db"), clock, policy) as after:
        new = after.issue("alice")
        assert new.token.shown.startswith("acme_")
        assert after.verify(old.secret)
        assert after.verify(new.secret)
