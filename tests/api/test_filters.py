"""X-Filter: each shape by a table, and any filter at all against a plain Python one."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import msgspec
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from tests.api.conftest import START, Client, reasons

from patql.api.api import Api
from patql.api.filters import CONDITIONS, DEPTH
from patql.authority.authority import Authority
from patql.catalog.load import builtin, builtin_openapi
from patql.kernel.clock import ManualClock, to_wire
from patql.store.sqlite import SqliteStore

CASES: list[dict[str, Any]] = yaml.safe_load(
    Path(__file__).with_name("filters.yaml").read_text()
)
LABELS = ["root", "CI", "ci", "Straße", "ci-2", "STRASSE", "ﬁn", "İ", "é", "\u0301e"]
TIMES = ["2027-03-01T00:00:00", "2027-06-01T00:00:00"]
DAY = 86_400

Row = dict[str, Any]


def _client(authority: Authority, secret: str) -> Client:
    api = Api(authority, builtin("linode"), builtin_openapi("linode"))
    return Client(api, secret)


@pytest.fixture(scope="module")
def few(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """The tokens that filters.yaml lists."""
    clock = ManualClock(START - 31 * DAY)
    expiries = [None, START + 151 * DAY, START + 59 * DAY, None, START + 151 * DAY]
    path = tmp_path_factory.mktemp("few") / "tokens.db"
    with Authority(SqliteStore(path), clock) as authority:
        secrets: list[str] = []
        for label, expiry in zip(LABELS[:5], expiries, strict=True):
            issued = authority.issue("alice", label=label, expiry=expiry)
            secrets.append(issued.secret.reveal())
            clock.advance(DAY)
        clock.seconds = START
        yield _client(authority, secrets[0])


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """Sixty tokens: six of each label, created two a day, with one of two expiries or none."""
    clock = ManualClock(START)
    path = tmp_path_factory.mktemp("many") / "tokens.db"
    with Authority(SqliteStore(path), clock) as authority:
        root = ""
        for number in range(60):
            expiry = [None, START + 59 * DAY, START + 151 * DAY][number % 3]
            label = LABELS[number % len(LABELS)]
            issued = authority.issue("alice", label=label, expiry=expiry)
            root = root or issued.secret.reveal()
            clock.advance(DAY / 2)
        clock.seconds = START + 40 * DAY
        yield _client(authority, root)


@pytest.mark.parametrize("case", CASES, ids=[case["filter"] for case in CASES])
def test_shape(few: Client, case: dict[str, Any]) -> None:
    """A filter of the table gives the tokens, or the problems, that the table says."""
    response = few.get("/v4/profile/tokens", case["filter"].encode())
    if "errors" in case:
        assert response.status == 400
        assert reasons(response) == [(reason, "X-Filter") for reason in case["errors"]]
        return
    assert response.status == 200, response.body
    page = msgspec.json.decode(response.body)
    assert [row["id"] for row in page["data"]] == case["ids"]
    assert page["results"] == case.get("results", len(case["ids"]))


def nested(depth: int, inner: str = '{"id": 1}') -> bytes:
    """A filter inside so many `+and`."""
    return ('{"+and": [' * depth + inner + "]}" * depth).encode()


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (nested(1000), "Nested too deeply"),
        (nested(DEPTH), "Nested too deeply"),
        (nested(DEPTH - 1, '{"id": {"+eq": 1}}'), "Nested too deeply"),
        (nested(100_000), "Nested too deeply"),
        (b'{"id": ' + b"[" * 100_000, "Nested too deeply"),
        (
            b'{"+or": [%b]}' % b",".join([b'{"id": 1}'] * (CONDITIONS + 1)),
            f"A filter holds at most {CONDITIONS} conditions",
        ),
        (b'{"label": "\xff"}', "Invalid JSON"),
    ],
    ids=["1000", "deepest", "in a field", "endless", "open", "conditions", "no UTF-8"],
)
def test_beyond_reason(few: Client, raw: bytes, reason: str) -> None:
    """A filter too deep, too long or not text is a 400 with one problem."""
    response = few.get("/v4/profile/tokens", raw)
    assert response.status == 400
    assert reasons(response) == [(reason, "X-Filter")]


@pytest.mark.parametrize(
    "around",
    ['{"+order_by": %s}', '{"+order": %s}', '{"+limit": %s}', '{"label": %s}',
     '{"+or": %s}', '{"foo": %s}', "%s"],
)  # fmt: skip
def test_depth_of_a_value(few: Client, around: str) -> None:
    """A value nested to whichever depth, where none is wanted, is a 400: up to where the decoder gives up, and beyond."""
    for depth in (1, 10, 100, *range(900, 1010)):
        for opened, closed in (("[", "]"), ('{"a": ', "}")):
            value = opened * depth + "1" + closed * depth
            raw = (around % value).encode()
            assert few.get("/v4/profile/tokens", raw).status == 400, depth


@pytest.mark.parametrize(
    "raw",
    [
        nested(DEPTH - 1),
        b'{"+or": [%b]}' % b",".join([b'{"id": 1}'] * CONDITIONS),
        b'{"+and": [%b]}' % b",".join([b'{"id": {"+lt": 2}}'] * CONDITIONS),
        b'{"+or": [%b]}' % b",".join([b'{"id": {"+lt": 2}}'] * CONDITIONS),
    ],
)
def test_just_within_reason(few: Client, raw: bytes) -> None:
    """A filter as deep and as long as may be is answered."""
    response = few.get("/v4/profile/tokens", raw)
    assert response.status == 200
    assert [row["id"] for row in msgspec.json.decode(response.body)["data"]] == [1]


def test_filter_in_utf8(few: Client) -> None:
    """A filter may hold other letters as UTF-8, not only escaped."""
    response = few.get("/v4/profile/tokens", {"label": "Straße"})
    assert [row["id"] for row in msgspec.json.decode(response.body)["data"]] == [4]


def test_two_filters(few: Client) -> None:
    """Two filter headers are refused rather than one of them ignored."""
    twice = [(b"x-filter", b'{"id": 1}'), (b"x-filter", b'{"id": 2}')]
    response = few.send("GET", "/v4/profile/tokens", headers=twice)
    assert reasons(response) == [("Must be given once", "X-Filter")]


@pytest.mark.parametrize(
    ("page", "ids"), [(1, range(1, 26)), (2, range(26, 31)), (3, None)]
)
def test_limit_over_pages(many: Client, page: int, ids: range | None) -> None:
    """`+limit` limits the list as a whole, whatever the page size is."""
    response = many.get(f"/v4/profile/tokens?page={page}&page_size=25", {"+limit": 30})
    if ids is None:
        assert response.status == 404
        return
    sent = msgspec.json.decode(response.body)
    assert [row["id"] for row in sent["data"]] == [*ids]
    assert (sent["pages"], sent["results"]) == (2, 30)


# Any filter at all

OPERATORS = ["+eq", "+neq", "+gt", "+gte", "+lt", "+lte"]
INSTANTS = st.integers(START - DAY, START + 160 * DAY).map(to_wire) | st.sampled_from(
    [*TIMES, "2027-01-11T00:00:00", "2027-01-11T12:00:00"]
)
VALUES = {
    "id": st.integers(-1, 62),
    "label": st.sampled_from([*LABELS, "", "zzz", "i"]),
    "created": INSTANTS,
    "expiry": INSTANTS | st.none(),
}


def _operand(field: str) -> st.SearchStrategy[Any]:
    value = VALUES[field]
    operators = st.dictionaries(st.sampled_from(OPERATORS), value, max_size=2)
    if field == "label":
        operators |= st.fixed_dictionaries({"+contains": value})
    leaf = value | operators
    groups = st.dictionaries(
        st.sampled_from(["+and", "+or"]), st.lists(leaf, max_size=3), max_size=1
    )
    return leaf | groups


TESTS = st.sampled_from([*VALUES]).flatmap(
    lambda field: st.fixed_dictionaries({field: _operand(field)})
)
FILTERS = st.recursive(
    TESTS | st.builds(dict[str, Any]),
    lambda inner: st.dictionaries(
        st.sampled_from(["+and", "+or"]), st.lists(inner, max_size=4), max_size=2
    ),
    max_leaves=12,
)
ORDERS = st.fixed_dictionaries(
    {},
    optional={
        "+order_by": st.sampled_from([*VALUES]),
        "+order": st.sampled_from(["asc", "desc"]),
    },
)


def _key(value: Any) -> Any:  # noqa: ANN401
    """A value as it compares: the wire's instants as text, null after all of them."""
    return (value is None, value or "") if not isinstance(value, int) else value


def _compares(value: Any, operand: Any) -> bool:  # noqa: ANN401
    if not isinstance(operand, dict):
        return bool(value == operand)
    operators = cast("dict[str, Any]", operand)
    return all(_holds(value, name, against) for name, against in operators.items())


def _holds(value: Any, operator: str, against: Any) -> bool:  # noqa: ANN401
    match operator:
        case "+and":
            return all(_compares(value, one) for one in against)
        case "+or":
            return any(_compares(value, one) for one in against)
        case "+contains":
            return against.casefold() in value.casefold()
        case "+eq":
            return bool(value == against)
        case "+neq":
            return bool(value != against)
        case "+gt":
            return bool(_key(value) > _key(against))
        case "+gte":
            return bool(_key(value) >= _key(against))
        case "+lt":
            return bool(_key(value) < _key(against))
        case _:
            return bool(_key(value) <= _key(against))


def _meets(row: Row, condition: dict[str, Any]) -> bool:
    return all(
        all(_meets(row, one) for one in value)
        if name == "+and"
        else any(_meets(row, one) for one in value)
        if name == "+or"
        else _compares(row[name], value)
        for name, value in condition.items()
    )


@given(condition=FILTERS, order=ORDERS)
def test_any_filter(many: Client, condition: Row, order: Row) -> None:
    """The list under a filter is what plain Python selects and sorts from the whole list."""
    rows = msgspec.json.decode(many.get("/v4/profile/tokens").body)["data"]
    expected = [row for row in rows if _meets(row, condition)]
    name, descending = order.get("+order_by", "id"), order.get("+order") == "desc"
    expected.sort(key=lambda row: _key(row[name]), reverse=descending)
    if descending:  # ties are by id, ascending, whichever way the rest goes
        expected.sort(key=lambda row: row["id"])
        expected.sort(key=lambda row: _key(row[name]), reverse=True)
    response = many.get("/v4/profile/tokens", {**condition, **order})
    assert response.status == 200, response.body
    sent = msgspec.json.decode(response.body)
    assert [row["id"] for row in sent["data"]] == [row["id"] for row in expected]
    assert sent["results"] == len(expected)
