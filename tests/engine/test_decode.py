"""Responses to typed columns: nested values, values that contradict their document, and where rows stand."""

from collections.abc import Iterator
from typing import Any, cast

import arro3.core as arrow
import msgspec
import pytest
from msgspec.structs import replace

from patql.catalog.document import (
    Access,
    Column,
    Cursor,
    Method,
    Paging,
    Resource,
)
from patql.engine.decode import ContradictionError, Decoder
from patql.engine.reading import widening
from patql.engine.relate import Relational
from patql.engine.step import Step
from patql.engine.views import publish, publish_empty
from patql.kernel.errors import Code, PatqlError

VIEW = ("acme", "store", "things")
NOW = 1_781_524_800.0
OWNER = (
    'STRUCT("login" VARCHAR, "id" BIGINT, "score" DOUBLE, "admin" BOOLEAN,'
    ' "seen" STRUCT("at" VARCHAR)[], "any" JSON)'
)


def column(name: str, kind: str, shape: str | None = None) -> Column:
    """A column as its document describes it."""
    return Column(name, kind, shape=shape)


def method(*columns: Column, key: str | None = None, **more: object) -> Method:
    """A method whose rows have these columns."""
    return Method(
        *("list", Access.SELECT, "list", "GET", "/things", ""),
        columns=columns,
        object_key=key,
        **more,  # type: ignore[arg-type]
    )


class Read:
    """The rows of responses in a relational engine, read again with wider types until nothing contradicts these."""

    def __init__(self, asked: Method, *bodies: bytes) -> None:
        self.types: dict[str, str] = {}
        self.starts = 0
        self._relational = Relational()
        things = Resource("some.service.things", "things", "", "", (asked,))
        self._asked = Step(VIEW, asked, {}, asked.columns, {}, None, things)
        table: arrow.Table | None = None
        while table is None:
            table = self._table(asked, bodies)
        publish(self._step, table, self._relational, NOW)

    def _table(self, asked: Method, bodies: tuple[bytes, ...]) -> arrow.Table | None:
        self.starts += 1
        publish_empty(self._step, self._relational, NOW)
        decoder = Decoder(asked, asked.columns, types=self.types)
        try:
            batches = [decoder.read(body, "the server") for body in bodies]
        except ContradictionError as error:
            self.types |= error.wider
            return None
        return arrow.Table.from_batches(batches, schema=decoder.schema)

    @property
    def _step(self) -> Step:
        return replace(self._asked, types=dict(self.types))

    def __enter__(self) -> "Read":
        return self

    def __exit__(self, *_: object) -> None:
        self._relational.close()

    def ask(self, expressions: str, rest: str = "") -> list[tuple[Any, ...]]:
        """What a SELECT over the rows gives."""
        sql = f"SELECT {expressions} FROM {'.'.join(VIEW)}{rest}"
        return self._relational.run(sql)[1].fetchall()


def one(kind: str, *values: object, shape: str | None = None) -> Read:
    """A column `c` of these values, each in a row."""
    rows = [{"c": value} for value in values]
    return Read(method(column("c", kind, shape)), msgspec.json.encode(rows))


FULL = {
    "login": "ada",
    "id": 2**63 - 1,
    "score": 1,
    "admin": True,
    "seen": [{"at": "noon"}, None, {}],
    "any": {"x": [1, "y"]},
}

SPELLINGS = [
    ("c.login", ["ada", None, None]),
    ("c ->> 'login'", ["ada", None, None]),
    ("c ->> '$.login'", ["ada", None, None]),
    ("c -> 'login'", ['"ada"', "null", None]),
    ("json_extract(c, '$.login')", ['"ada"', "null", None]),
    ("json_extract_string(c, '$.login')", ["ada", None, None]),
    ("c.id", [2**63 - 1, None, None]),
    ("json_extract(c, '$.id')", [str(2**63 - 1), "null", None]),
    ("c.score / 2", [0.5, None, None]),
    ("c.admin", [True, None, None]),
    ("c.seen[1].at", ["noon", None, None]),
    ("c ->> '$.seen[0].at'", ["noon", None, None]),
    ("len(c.seen)", [3, None, None]),
    ("c.any ->> '$.x[1]'", ["y", None, None]),
    ("c ->> '$.any.x[1]'", ["y", None, None]),
    ("c.any.x", ['[1,"y"]', None, None]),
    ("json_keys(c)[1]", ["login", "login", None]),
    ("c IS NULL", [False, False, True]),
    ("typeof(c.login)", ["VARCHAR", "VARCHAR", "VARCHAR"]),
]


@pytest.fixture(scope="module")
def owners() -> Iterator[Read]:
    """A whole object, an empty one, and null."""
    with one("object", FULL, {}, None, shape=OWNER) as read:
        assert read.types == {}
        yield read


@pytest.mark.parametrize(("expression", "values"), SPELLINGS)
def test_object(owners: Read, expression: str, values: list[object]) -> None:
    """Fields by dot, arrow and JSON function, of absent and null ones too."""
    assert [value for (value,) in owners.ask(expression)] == values


LISTS = [
    ("c[1]", ["x", None, None]),
    ("c[-1]", ["y", None, None]),
    ("len(c)", [2, 0, None]),
    ("list_contains(c, 'y')", [True, False, None]),
    ("array_to_string(c, '+')", ["x+y", "", None]),
    ("json_array_length(c)", [2, 0, None]),
    ("c ->> 0", ["x", None, None]),
    ("c ->> '$[1]'", ["y", None, None]),
    ("json_extract(c, '$[0]')", ['"x"', None, None]),
]


@pytest.fixture(scope="module")
def tags() -> Iterator[Read]:
    """A list, an empty one, and null."""
    with one("array", ["x", "y"], [], None, shape="VARCHAR[]") as read:
        yield read


@pytest.mark.parametrize(("expression", "values"), LISTS)
def test_list(tags: Read, expression: str, values: list[object]) -> None:
    """Elements by position from 1, list functions, and JSON functions, which count from 0."""
    assert [value for (value,) in tags.ask(expression)] == values


def test_list_as_rows(tags: Read) -> None:
    """By unnest, and by json_each."""
    assert tags.ask("unnest(c)") == [("x",), ("y",)]
    each = tags.ask("e.value ->> '$'", " t, json_each(t.c) e ORDER BY e.key")
    assert each == [("x",), ("y",)]


def test_nested_value_of_unknown_shape() -> None:
    """It is JSON as it was sent, whatever it is."""
    values = [{"a": {"b": 1}}, [1, 2], "x", 1, True, None]
    with one("object", *values) as read:
        assert read.types == {}
        assert read.ask("typeof(c)")[0] == ("JSON",)
        assert [r[0] for r in read.ask("c ->> '$.a.b'")] == ["1", *[None] * 5]
        assert [r[0] for r in read.ask("c")] == [
            *('{"a":{"b":1}}', "[1,2]", '"x"', "1", "true", None)
        ]


CONTRADICTIONS: list[tuple[str, list[object], str | None, list[object]]] = [
    # documented type, values, wider type, as they are read
    ("integer", [1, None, -(2**63)], None, [1, None, -(2**63)]),
    ("integer", [1, 2.5, None], "DOUBLE", [1.0, 2.5, None]),
    ("integer", [1, 1.0], "DOUBLE", [1.0, 1.0]),
    ("integer", [2**53 + 1, 2.5], "VARCHAR", [str(2**53 + 1), "2.5"]),
    ("integer", [2**53 + 2, 2.5], "DOUBLE", [2.0**53 + 2, 2.5]),
    ("integer", [2**63, 1, None], "HUGEINT", [2**63, 1, None]),
    ("integer", [-(2**63) - 1, 2**64], "HUGEINT", [-(2**63) - 1, 2**64]),
    ("integer", [2**127 + 1, 1], "VARCHAR", [str(2**127 + 1), "1"]),
    ("integer", [10**60, 1], "VARCHAR", [str(10**60), "1"]),
    ("integer", [2**63 + 1, 2.5], "VARCHAR", [str(2**63 + 1), "2.5"]),
    ("integer", [1, "two", None], "VARCHAR", ["1", "two", None]),
    ("integer", [1, True], "VARCHAR", ["1", "true"]),
    ("integer", [1, {"a": [1]}], "VARCHAR", ["1", '{"a":[1]}']),
    ("number", [1, 2.5, None], None, [1.0, 2.5, None]),
    ("number", [2**53 + 1, 1], "HUGEINT", [2**53 + 1, 1]),
    ("number", [2**53 + 1, 0.5], "VARCHAR", [str(2**53 + 1), "0.5"]),
    ("number", [1e300, 0.5], "DOUBLE", [1e300, 0.5]),
    ("number", ["NaN", 0.5], "VARCHAR", ["NaN", "0.5"]),
    ("boolean", [True, None], None, [True, None]),
    ("boolean", [True, 1, "yes"], "VARCHAR", ["true", "1", "yes"]),
    ("string", ["x", None], None, ["x", None]),
    ("string", ["é\n", 5, False], "VARCHAR", ["é\n", "5", "false"]),
    ("string", ["x", [1, {"a": None}]], "VARCHAR", ["x", '[1,{"a":null}]']),
    ("string", [1.5], "VARCHAR", ["1.5"]),
]


@pytest.mark.parametrize(("kind", "values", "wider", "read"), CONTRADICTIONS)
def test_flat_column_is_widened(
    kind: str, values: list[object], wider: str | None, read: list[object]
) -> None:
    """By as little as loses nothing: no value becomes NULL, no digit is lost."""
    with one(kind, *values) as given:
        assert given.types == ({"c": wider} if wider else {})
        assert [value for (value,) in given.ask("c")] == read
        if wider:
            assert given.ask("typeof(c)")[0] == (wider,)


def test_number_that_no_double_holds() -> None:
    """It is kept as text."""
    with Read(method(column("c", "number")), b'[{"c": 1e400}, {"c": 1.10}]') as read:
        assert read.ask("c") == [("1e400",), ("1.10",)]


@pytest.mark.parametrize(
    ("pages", "wider", "starts"),
    [
        ([[1], [2**63]], "HUGEINT", 2),
        ([[1], [2**63], [0.5]], "VARCHAR", 3),
        ([[0.5], [2**53 + 1]], "VARCHAR", 3),
        ([["x"], [2**53 + 1], [0.5], [None]], "VARCHAR", 2),
    ],
)
def test_widened_again_on_a_later_page(
    pages: list[list[object]], wider: str, starts: int
) -> None:
    """What a wider type can't hold either widens it again; types come to rest."""
    bodies = [msgspec.json.encode([{"c": v} for v in page]) for page in pages]
    with Read(method(column("c", "integer")), *bodies) as read:
        assert (read.types, read.starts) == ({"c": wider}, starts)
        assert len(read.ask("c")) == len(pages)


def test_a_page_tells_all_of_its_contradictions() -> None:
    """However many columns are contradicted, in whatever way, one further reading will do."""
    columns = (
        *(column("a", "integer"), column("b", "boolean"), column("huge", "integer")),
        *(column("d", "object", 'STRUCT("x" BIGINT)'), column("e", "string")),
    )
    body = b'[{"a": "x", "b": 1, "huge": 9223372036854775808, "d": {"y": 1}, "e": "x"}]'
    with Read(method(*columns), body) as read:
        assert read.starts == 2
        assert read.types == {
            "a": "VARCHAR",
            "b": "VARCHAR",
            "huge": "HUGEINT",
            "d": 'STRUCT("x" BIGINT, "y" JSON)',
        }


NESTED: list[tuple[str, object, str]] = [
    # what is sent for STRUCT(n BIGINT, l VARCHAR[], o STRUCT(f DOUBLE)), and the type that it then has
    ("{}", {"n": 1, "l": ["x"], "o": {"f": 1}}, "n BIGINT, l VARCHAR[], o(f DOUBLE)"),
    ("a new property", {"z": [1]}, "n BIGINT, l VARCHAR[], o(f DOUBLE), z JSON"),
    ("a new inner one", {"o": {"z": 1}}, "n BIGINT, l VARCHAR[], o(f DOUBLE, z JSON)"),
    ("text", {"n": "x"}, "n JSON, l VARCHAR[], o(f DOUBLE)"),
    ("a fraction", {"n": 1.5}, "n JSON, l VARCHAR[], o(f DOUBLE)"),
    ("65 bits", {"n": 2**64}, "n JSON, l VARCHAR[], o(f DOUBLE)"),
    ("an inexact double", {"o": {"f": 2**53 + 1}}, "n BIGINT, l VARCHAR[], o(f JSON)"),
    ("a mixed list", {"l": ["x", 1]}, "n BIGINT, l JSON[], o(f DOUBLE)"),
    ("no list", {"l": {"x": 1}}, "n BIGINT, l JSON, o(f DOUBLE)"),
    ("a scalar for an object", {"o": "x"}, "n BIGINT, l VARCHAR[], o JSON"),
    ("a name in two cases", {"N": 1}, "JSON"),
    ("a name that DuckDB can't have", {'a"b': 1}, "JSON"),
    ("a mapping", {str(n): n for n in range(101)}, "JSON"),
    ("a list", [1], "JSON"),
    ("a scalar", "x", "JSON"),
]


@pytest.mark.parametrize(
    ("value", "wider"), [case[1:] for case in NESTED], ids=[case[0] for case in NESTED]
)
def test_nested_value_is_widened(value: object, wider: str) -> None:
    """Only the part that contradicts becomes JSON, and all of the value can still be had."""
    shape = 'STRUCT("n" BIGINT, "l" VARCHAR[], "o" STRUCT("f" DOUBLE))'
    with one("object", value, {"n": 7}, None, shape=shape) as read:
        kind = read.types.get("c", shape).replace('"', "")
        assert kind in (f"STRUCT({wider.replace('o(', 'o STRUCT(')})", wider)
        assert _contains(msgspec.json.decode(read.ask("CAST(c AS JSON)")[0][0]), value)
        if kind != "JSON":
            assert read.ask("c ->> 'n'")[1] == ("7",)


def _contains(whole: Any, part: Any) -> bool:  # noqa: ANN401  (any JSON)
    """Whether JSON has all that another has."""
    if isinstance(part, dict):
        parts = cast("dict[str, object]", part)
        return all(_contains(whole[name], inner) for name, inner in parts.items())
    return bool(whole == part)


def test_nested_column_comes_to_rest() -> None:
    """What contradicts a column again makes all of it JSON."""
    bodies = [b'[{"c": {"a":1}}]', b'[{"c": {"b":1}}]', b'[{"c": [3]}, {"c": 4}]']
    asked = method(column("c", "object", 'STRUCT("n" BIGINT)'))
    with Read(asked, *bodies) as read:
        assert (read.types, read.starts) == ({"c": "JSON"}, 3)
        assert [r[0] for r in read.ask("c")] == ['{"a":1}', '{"b":1}', "[3]", "4"]


def test_never_is_told_from_other_text() -> None:
    """In a date column that has been widened, only dates stand for never."""
    asked = method(Column("c", "string", format="date-time", never=True))
    body = b'[{"c": 5}, {"c": "soon"}, {"c": "2999-01-01T00:00:00"}, {"c": {"a": 1}}]'
    with Read(asked, body) as read:
        assert [r[0] for r in read.ask("c")] == ["5", "soon", None, '{"a": 1}']


def test_keys_are_read_as_their_column() -> None:
    """A key that isn't selected is widened like any other."""
    asked = method(column("id", "integer"), column("c", "string"))
    with pytest.raises(ContradictionError) as told:
        Decoder(asked, asked.columns[1:], "id").decode(b'[{"id": "x1"}]', "it")
    assert told.value.wider == {"id": "VARCHAR"}
    decoder = Decoder(asked, asked.columns[1:], "id", told.value.wider)
    body = b'[{"id": "x1"}, {"id": 2}]'
    assert decoder.keys(decoder.decode(body, "it").rows) == ["x1", "2"]
    narrow = Decoder(asked, asked.columns[1:], "id", {"id": "HUGEINT"})
    with pytest.raises(ContradictionError):
        narrow.keys(narrow.decode(body, "it").rows)


def test_contradiction_is_a_refusal_to_those_who_can_not_read_again() -> None:
    """It has a code and a sentence."""
    asked = method(column("a", "integer"), column("b", "object", 'STRUCT("x" BIGINT)'))
    with pytest.raises(ContradictionError) as told:
        Decoder(asked, asked.columns).read(b'[{"a": "x", "b": {"y": 1}}]', "it")
    assert told.value.code is Code.BAD_RESPONSE
    assert "a, b" in told.value.message
    assert "VARCHAR" in told.value.message


@pytest.mark.parametrize(
    ("described", "wider", "says"),
    [
        (column("a", "integer"), "DOUBLE", "isn't always of the type integer"),
        (column("a", "array", "VARCHAR[]"), "JSON", "it is read as JSON"),
        (column("a", "array", "VARCHAR[]"), "JSON[]", "parts"),
    ],
)
def test_sentence(described: Column, wider: str, says: str) -> None:
    """What the user is told, once, of a column that is wider than its document says."""
    sentence = widening("acme.store.things", described, wider)
    assert sentence.startswith("acme.store.things.a ")
    assert says in sentence


ID = column("id", "integer")
PLACES: list[tuple[str | None, bytes, list[int]]] = [
    (None, b'[{"id": 1}, {"id": 2}]', [1, 2]),
    (None, b'{"id": 1}', [1]),
    ("data", b'{"data": [{"id": 1}], "more": 1}', [1]),
    ("data", b'{"data": {"id": 1}}', [1]),
    ("a.b", b'{"a": {"b": [{"id": 1}, {"id": 2}]}}', [1, 2]),
    (
        "a[*].c",
        b'{"a": [{"c": [{"id": 1}]}, {"c": [{"id": 2}, {"id": 3}]}]}',
        [1, 2, 3],
    ),
    ("a[*].c", b'{"a": [{"c": {"id": 1}}, {"c": {"id": 2}}]}', [1, 2]),
    ("a[*].c", b'{"a": {"x": {"c": [{"id": 1}]}, "y": {"w": 1}}}', [1]),
    ("a[*].c", b'{"a": [{"c": null}, {}]}', []),
    ("a[*].b[*].c", b'{"a": [{"b": [{"c": [{"id": 1}]}]}, {"b": null}]}', [1]),
    ("a.b[*].c", b'{"a": {"b": []}}', []),
]


@pytest.mark.parametrize(("key", "body", "ids"), PLACES)
def test_place_of_rows(key: str | None, body: bytes, ids: list[int]) -> None:
    """Rows are found at a dotted path, in each element of lists and mappings on the way."""
    with Read(method(ID, key=key), body) as read:
        assert [value for (value,) in read.ask("id")] == ids


ANONYMOUS = "column_anon"
BARE: list[tuple[str | None, str, bytes, list[object]]] = [
    (None, "string", b'["x", null, "y"]', ["x", None, "y"]),
    (None, "string", b'"x"', ["x"]),
    (None, "integer", b"[1, 2]", [1, 2]),
    (None, "integer", b"[]", []),
    (None, "integer", b"[1, 2.5]", [1.0, 2.5]),
    (None, "array", b"[[1], [2]]", ["[1]", "[2]"]),
    ("names", "string", b'{"names": ["x", "y"]}', ["x", "y"]),
    (
        "a[*].b",
        "integer",
        b'{"a": [{"b": [1, 2]}, {}, {"b": null}, {"b": 3}]}',
        [1, 2, 3],
    ),
]


@pytest.mark.parametrize(("key", "kind", "body", "values"), BARE)
def test_rows_without_names(
    key: str | None, kind: str, body: bytes, values: list[object]
) -> None:
    """Rows that are no objects have one column."""
    with Read(method(column(ANONYMOUS, kind), key=key), body) as read:
        assert [value for (value,) in read.ask(ANONYMOUS)] == values


@pytest.mark.parametrize(
    ("key", "body"),
    [
        ("a", b'{"a": null}'),
        ("a", b'{"b": []}'),
        ("a", b"[]"),
        ("a", b'{"a": 5}'),
        ("a", b'{"a": [5]}'),
        ("a", b'{"a": [{"id": 1}'),
        ("a.b", b'{"a": null}'),
        ("a.b", b'{"a": {}}'),
        ("a[*].b", b'{"a": null}'),
        ("a[*].b", b'{"a": 5}'),
        (None, b"null"),
        (None, b"5"),
        (None, b""),
        (None, b'[{"id": 1, "x": "\xff"}]'),
    ],
)
def test_response_whose_rows_can_not_be_found(key: str | None, body: bytes) -> None:
    """It is an error, not a list without rows, and nothing becomes wider."""
    asked = method(ID, column("x", "string"), key=key)
    with pytest.raises(PatqlError, match="the server answered") as refused:
        Decoder(asked, asked.columns).read(body, "the server")
    assert refused.value.code is Code.BAD_RESPONSE
    assert not isinstance(refused.value, ContradictionError)


@pytest.mark.parametrize("kind", ["object", "array"])
def test_nested_text_that_is_not_utf8(kind: str) -> None:
    """It is an error with a sentence."""
    asked = method(column("c", kind))
    with pytest.raises(PatqlError, match="UTF-8"):
        Decoder(asked, asked.columns).read(b'[{"c": ["\xff"]}]', "the server")


def test_a_list_of_pages_is_a_list() -> None:
    """One row by itself isn't a page."""
    asked = method(
        ID, key="data", paging=Paging("page", "meta.pages", None, None, "meta.all")
    )
    decoder = Decoder(asked, asked.columns)
    page = decoder.decode(b'{"data": [], "meta": {"pages": 3, "all": 7}}', "it")
    assert (page.rows, page.pages, page.results) == ([], 3, 7)
    page = decoder.decode(b'{"data": []}', "it")
    assert (page.pages, page.results) == (None, None)
    with pytest.raises(PatqlError):
        decoder.decode(b'{"data": {"id": 1}}', "it")


@pytest.mark.parametrize("described", [ID, column(ANONYMOUS, "object")])
def test_a_page_that_leads_to_the_next_may_hold_one_row(described: Column) -> None:
    """A mapping, for example, of which each page has a part."""
    asked = replace(method(described, key="data"), cursor=Cursor("url", "body", "next"))
    decoder = Decoder(asked, asked.columns)
    for body in (b'{"data": {"id": 1}, "next": "/2"}', b'{"data": [{"id": 1}]}'):
        assert len(decoder.decode(body, "it").rows) == 1


NEXT: list[tuple[str, bytes, str | int | None]] = [
    ("next", b'{"data": [], "next": "t1"}', "t1"),
    ("next", b'{"data": [], "next": 7}', 7),
    ("next", b'{"data": [], "next": null}', None),
    ("next", b'{"data": [], "next": ""}', None),
    ("next", b'{"data": []}', None),
    ("links.pages.next", b'{"data": [], "links": {"pages": {"next": "u"}}}', "u"),
    ("links.pages.next", b'{"data": [], "links": {"pages": {}}}', None),
    ("links.pages.next", b'{"data": [], "links": {}}', None),
    ("links.pages.next", b'{"data": [], "links": null}', None),
    ("@odata.nextLink", b'{"data": [], "@odata.nextLink": "u"}', "u"),
]


@pytest.mark.parametrize(("key", "body", "token"), NEXT)
def test_next(key: str, body: bytes, token: str | int | None) -> None:
    """The token of the next page, where the body says it."""
    asked = method(ID, key="data", cursor=Cursor("token", "body", key, "page_token"))
    assert Decoder(asked, asked.columns).decode(body, "it").next == token


def test_next_beside_the_rows() -> None:
    """Token and rows may stand in one object."""
    cursor = Cursor("token", "body", "result.cursor", "cursor")
    asked = method(ID, key="result.items", cursor=cursor)
    body = b'{"result": {"items": [{"id": 1}], "cursor": "t"}}'
    page = Decoder(asked, asked.columns).decode(body, "it")
    assert (len(page.rows), page.next) == (1, "t")


def test_next_of_a_header_is_not_in_the_body() -> None:
    """It isn't looked for there."""
    cursor = Cursor("link", "header", "link")
    asked = method(ID, cursor=cursor)
    page = Decoder(asked, asked.columns).decode(b'[{"id": 1}]', "it")
    assert (len(page.rows), page.next) == (1, None)


@pytest.mark.parametrize(
    ("key", "token"), [("a", "a.b"), ("a[*].b", "a.c"), ("a.b", "a")]
)
def test_two_things_in_one_place(key: str, token: str) -> None:
    """A document that looks for a token inside a row is refused."""
    cursor = Cursor("token", "body", token, "t")
    asked = method(ID, key=key, cursor=cursor)
    with pytest.raises(PatqlError) as refused:
        Decoder(asked, asked.columns)
    assert refused.value.code is Code.SCHEMA
