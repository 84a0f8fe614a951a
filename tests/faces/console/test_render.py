"""Results as tables, JSON and CSV."""

import csv
import io
import json
from collections.abc import Iterator
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from patql.engine.result import ResultColumn, Row
from patql.faces.console.render import FORMATS, SAMPLE, safe_csv

COLUMNS = (
    ResultColumn("id", "BIGINT"),
    ResultColumn("label", "VARCHAR"),
    ResultColumn("data", "JSON"),
)
ROWS: list[Row] = [
    (1, "ci", None),
    (22, "", '{"a": [1, "\u202e"]}'),
    (333, None, "[]"),
    (4, 'say "NULL", ok', "1"),
    (5, "日本", "2"),
]

EXPECTED = {
    "table": (
        " id  label           data\n"
        "---  --------------  --------------------\n"
        "  1  ci              NULL\n"
        ' 22                  {"a": [1, "\\u202e"]}\n'
        "333  NULL            []\n"
        '  4  say "NULL", ok  1\n'
        "  5  日本            2\n"
    ),
    "json": (
        '[\n{"id":1,"label":"ci","data":null},\n'
        '{"id":22,"label":"","data":{"a":[1,"\\u202e"]}},\n'
        '{"id":333,"label":null,"data":[]},\n'
        '{"id":4,"label":"say \\"NULL\\", ok","data":1},\n'
        '{"id":5,"label":"日本","data":2}\n]\n'
    ),
    "csv": (
        'id,label,data\n1,ci,\n22,"","{""a"": [1, ""\u202e""]}"\n333,,[]\n'
        '4,"say ""NULL"", ok",1\n5,日本,2\n'
    ),
}


def render(output: str, columns: tuple[ResultColumn, ...], *batches: list[Row]) -> str:
    """A result as one text."""
    return "".join(FORMATS[output](columns, iter(batches)))


@pytest.mark.parametrize("output", EXPECTED)
@pytest.mark.parametrize("size", [1, 2, 5])
def test_a_result_in_each_format(output: str, size: int) -> None:
    """However the rows come."""
    batches = [ROWS[at : at + size] for at in range(0, len(ROWS), size)]
    assert render(output, COLUMNS, *batches) == EXPECTED[output]


def test_json_lines_are_the_objects_of_json() -> None:
    """One a line."""
    lines = render("jsonl", COLUMNS, ROWS).splitlines()
    assert [json.loads(line) for line in lines] == json.loads(EXPECTED["json"])


@pytest.mark.parametrize(
    ("output", "expected"),
    [
        ("table", "id  label  data\n--  -----  ----\n"),
        ("json", "[]\n"),
        ("jsonl", ""),
        ("csv", "id,label,data\n"),
    ],
)
def test_a_result_without_rows(output: str, expected: str) -> None:
    """Has its columns where the format has such a thing."""
    assert render(output, COLUMNS) == render(output, COLUMNS, []) == expected


def test_an_object_is_one_line() -> None:
    """However a document is laid out, and whatever the types."""
    column = (ResultColumn("a", "JSON"),)
    assert render("jsonl", column, [('{\n "b": "\\n"}',)]) == '{"a":{"b":"\\n"}}\n'
    for kind, value, expected in (
        ("HUGEINT", 2**70, str(2**70)),
        ("BLOB", b"\x01", '"\\\\x01"'),
        ("VARCHAR", "\x7f", '"\\u007f"'),
    ):
        column = (ResultColumn("a", kind),)
        assert render("jsonl", column, [(value,)]) == f'{{"a":{expected}}}\n'


def test_equal_names_stay_apart_in_json() -> None:
    """An object can't have a key twice."""
    columns = tuple(ResultColumn(name, "INTEGER") for name in ("a", "a", "a_1", "a"))
    assert json.loads(render("json", columns, [(1, 2, 3, 4)])) == [
        {"a": 1, "a_1": 2, "a_1_1": 3, "a_2": 4}
    ]


def test_a_name_can_be_anything() -> None:
    """Also what a terminal would obey."""
    column = (ResultColumn("\x1b[2J", "VARCHAR"),)
    assert render("table", column).startswith("\\x1b[2J\n")


def test_a_long_table_streams() -> None:
    """The first line is out before the last row is read; later rows may be wider than their column."""
    pulled = list[int]()

    def batches() -> Iterator[list[Row]]:
        for number in range(10):
            pulled.append(number)
            yield [(number, "x" * (number + 1), None)] * (SAMPLE // 2)

    pieces = FORMATS["table"](COLUMNS, batches())
    assert next(pieces) == "id  label  data\n"
    assert pulled == [0, 1]
    lines = "".join(pieces).splitlines()
    assert len(lines) == 1 + 10 * SAMPLE // 2
    assert lines[-1] == " 9  xxxxxxxxxx  NULL"


@given(st.lists(st.tuples(st.none() | st.text(), st.none() | st.text())))
def test_csv_reads_back(rows: list[Row]) -> None:
    """As the same text, NULL as nothing; and the empty text is told from NULL by its quotes."""
    columns = (ResultColumn("a", "VARCHAR"), ResultColumn("b", "VARCHAR"))
    text = render("csv", columns, rows)
    read = list(csv.reader(io.StringIO(text, newline=""), strict=True))
    lines = [["" if cell is None else cell for cell in row] for row in rows]
    assert read == [["a", "b"], *lines]
    assert text.count('""') >= sum(cell == "" for row in rows for cell in row)


FORMULAS = [
    "=1+1",
    "+1",
    "-1",
    "@SUM(A1)",
    "\t=1",
    "\r=1",
    "\n=1",
    "\uff1d1",
    "\uff201",
]


@pytest.mark.parametrize("text", FORMULAS)
def test_safe_csv_has_no_formulas(text: str) -> None:
    """In no field that isn't a number, in no heading, and not behind what some spreadsheets take for a separator."""
    columns = (ResultColumn(text, "VARCHAR"), ResultColumn("data", "JSON"))
    written = "".join(safe_csv(columns, iter([[(text, "-1"), (f"a;{text}", None)]])))
    read = csv.reader(io.StringIO(written, newline=""), strict=True)
    assert [*read] == [[f"'{text}", "data"], [f"'{text}", "'-1"], [f"a;{text}", ""]]
    assert f'"a;{text}"' in written


@pytest.mark.parametrize(
    ("kind", "value", "expected"),
    [
        ("BIGINT", -5, "-5"),
        ("DECIMAL(5,2)", Decimal("-1.50"), "-1.50"),
        ("DOUBLE", -1e300, "-1e+300"),
        ("VARCHAR", "-5", "'-5"),
        ("VARCHAR", "a=1", "a=1"),
        ("VARCHAR", "", '""'),
        ("VARCHAR", None, ""),
        ("BOOLEAN", False, "false"),
        ("INTERVAL", "-03:00:00", "'-03:00:00"),
    ],
)
def test_numbers_stay_numbers(kind: str, value: object, expected: str) -> None:
    """By their type, not by their look; and what is no formula stays as it is."""
    columns = (ResultColumn("a", kind),)
    assert "".join(safe_csv(columns, iter([[(value,)]]))) == f"a\n{expected}\n"


def test_a_plan_is_shown_as_written() -> None:
    """Its lines are indented; other columns quote what is."""
    lines: list[Row] = [("SELECT",), ("  fetch \x1b",), (None,), ("NULL",)]
    for name, kind, indented in (
        ("plan", "VARCHAR", r"  fetch \x1b"),
        ("label", "VARCHAR", r"'  fetch \x1b'"),
    ):
        shown = render("table", (ResultColumn(name, kind),), lines).splitlines()
        assert shown[2:4] == ["SELECT", indented]
        assert shown[4] == "NULL"
