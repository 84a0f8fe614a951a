"""What a condition gives a parameter: never too little, as the relational engine judges."""

from collections.abc import Iterator

import pytest
import sqlglot
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlglot import exp

from patql.catalog.document import Parameter
from patql.engine.constants import Constants
from patql.engine.dialect import DIALECT
from patql.engine.given import as_argument, link_of, values_of
from patql.engine.relate import Relational
from patql.kernel.errors import Code, SqlError

WHOLE = Parameter("p", "query", "integer")
TEXT = Parameter("p", "query", "string")
TRUTH = Parameter("p", "query", "boolean")
NUMBER = Parameter("p", "query", "number")


@pytest.fixture(scope="module")
def relational() -> Iterator[Relational]:
    """One for all, since nothing is kept in it."""
    engine = Relational()
    yield engine
    engine.close()


def is_it(node: exp.Expr) -> bool:
    """Whether it is the column p."""
    return isinstance(node, exp.Column) and node.name.casefold() == "p"


def parsed(condition: str) -> exp.Expr:
    """A condition as WHERE has it."""
    tree = sqlglot.parse_one(f"SELECT 1 WHERE {condition}", dialect=DIALECT)
    found: exp.Expr = tree.args["where"].this
    return found


CASES: list[tuple[str, Parameter, tuple[object, ...] | None]] = [
    ("p = 3", WHOLE, (3,)),
    ("3 = (P)", WHOLE, (3,)),
    ("p = '3'", WHOLE, (3,)),
    ("p = ' 03 '", WHOLE, (3,)),
    ("p = 3.0", WHOLE, (3,)),
    ("p = 3.5", WHOLE, ()),
    ("p = -1", WHOLE, (-1,)),
    ("p = NULL", WHOLE, ()),
    ("p = 1 + 2", WHOLE, (3,)),
    ("p = 12345678901234567890", WHOLE, (12345678901234567890,)),
    ("p IN (3, 1, 3, NULL, 2.5)", WHOLE, (3, 1)),
    ("p IN (1, x)", WHOLE, None),
    ("p IN (SELECT 1)", WHOLE, None),
    ("p = (SELECT 1)", WHOLE, None),
    ("p = x", WHOLE, None),
    ("p + 1 = 3", WHOLE, None),
    ("p > 3", WHOLE, None),
    ("p <> 3", WHOLE, None),
    ("NOT p = 3", WHOLE, None),
    ("p NOT IN (3)", WHOLE, None),
    ("p IS NULL", WHOLE, None),
    ("p BETWEEN 1 AND 2", WHOLE, None),
    ("p = ANY([1, 2])", WHOLE, None),
    ("p = random()", WHOLE, None),
    ("p = max(3)", WHOLE, None),
    ("p = 1 OR p = 2", WHOLE, (1, 2)),
    ("p = 1 OR (p IN (2, 1) OR 5 = p)", WHOLE, (1, 2, 5)),
    ("p = 1 OR x = 2", WHOLE, None),
    ("p = 1 OR p > 5", WHOLE, None),
    ("p = 1 OR (p = 2 AND x = 3)", WHOLE, (1, 2)),
    ("x = 3 AND p = 2", WHOLE, (2,)),
    ("(p = 1 AND x = 1) OR (x = 2 AND p = 2)", WHOLE, (1, 2)),
    ("p = 'a'", TEXT, ("a",)),
    ("p = 'a' || 'b'", TEXT, ("ab",)),
    ("p = 'A' COLLATE NOCASE", TEXT, None),
    ("p = 3", TEXT, ("3",)),
    ("p LIKE 'a'", TEXT, None),
    ("p = DATE '2026-01-01'", TEXT, ("2026-01-01",)),
    ("p = true", TRUTH, (True,)),
    ("p = 'FALSE'", TRUTH, (False,)),
    ("p IN (true, false)", TRUTH, (True, False)),
    ("p = NULL", TRUTH, ()),
]


@pytest.mark.parametrize(("condition", "parameter", "values"), CASES)
def test_values(
    relational: Relational,
    condition: str,
    parameter: Parameter,
    values: tuple[object, ...] | None,
) -> None:
    """Each once, in the order of the condition; None where it allows any."""
    tree = parsed(condition)
    assert values_of(tree, parameter, is_it, Constants(relational)) == values


def test_text_that_is_no_number_is_an_error(relational: Relational) -> None:
    """The one that the comparison itself would be."""
    with pytest.raises(SqlError, match="abc") as error:
        values_of(parsed("p = 'abc'"), WHOLE, is_it, Constants(relational))
    assert error.value.code is Code.EVALUATION


@pytest.mark.parametrize(
    ("condition", "gives"),
    [
        ("p = x", "x"),
        ("x + 1 = (p)", "x + 1"),
        ("p = split_part(t.u, '/', 5)", "SPLIT_PART(t.u, '/', 5)"),
        ("p IN (SELECT y FROM t)", "(SELECT y FROM t)"),
        ("p = (SELECT max(y) FROM t)", "(SELECT MAX(y) FROM t)"),
        ("p IN (1, x)", None),
        ("p > x", None),
        ("p NOT IN (SELECT y FROM t)", None),
        ("p = x OR p = y", None),
        ("p IS NOT DISTINCT FROM x", None),
        ("p + 1 = x", None),
        ("y = x", None),
    ],
)
def test_links(condition: str, gives: str | None) -> None:
    """An equality with what depends on rows, or an IN of a subquery."""
    link = link_of(parsed(condition), WHOLE, is_it)
    assert (link and link.expression.sql(DIALECT)) == gives
    assert link is None or link.is_subquery == ("IN" in condition)


@pytest.mark.parametrize(
    ("parameter", "value", "argument"),
    [
        (WHOLE, 3, 3),
        (WHOLE, " +3 ", 3),
        (WHOLE, "\uff13", None),
        (WHOLE, "3.0", None),
        (WHOLE, 3.0, 3),
        (WHOLE, float("nan"), None),
        (WHOLE, float("inf"), None),
        (WHOLE, True, None),
        (WHOLE, None, None),
        (TEXT, 3, "3"),
        (TEXT, None, None),
        (TRUTH, " True", True),
        (TRUTH, 1, None),
        (TRUTH, "yes", None),
    ],
)
def test_arguments(parameter: Parameter, value: object, argument: object) -> None:
    """A value of a row as that of a parameter, None where it can't be one."""
    found = as_argument(parameter, value)
    assert found == argument
    assert type(found) is type(argument)


_VALUES = st.sampled_from(["-1", "0", "1", "2", "'1'", "2.0", "0.5", "NULL", "1 + 1"])
_OTHERS = st.sampled_from(["x = 1", "x IS NULL", "true", "x > p", "p > 0", "p <> x"])


def _leaves() -> st.SearchStrategy[str]:
    lists = st.lists(_VALUES, min_size=1, max_size=3).map(", ".join)
    return st.one_of(
        st.builds("p = {}".format, _VALUES),
        st.builds("{} = p".format, _VALUES),
        st.builds("p IN ({})".format, lists),
        st.builds("NOT p IN ({})".format, lists),
        _OTHERS,
    )


def _joined(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.one_of(
        st.builds("({} AND {})".format, inner, inner),
        st.builds("({} OR {})".format, inner, inner),
        st.builds("(NOT {})".format, inner),
    )


CONDITIONS = st.recursive(_leaves(), _joined, max_leaves=6)


@settings(max_examples=150, deadline=None)
@given(condition=CONDITIONS)
def test_no_value_is_left_out_that_meets_the_condition(
    relational: Relational, condition: str
) -> None:
    """Whatever the condition: asking for fewer values would lose rows."""
    values = values_of(parsed(condition), WHOLE, is_it, Constants(relational))
    _, rows = relational.run(
        f"SELECT DISTINCT p FROM (SELECT unnest([-1, 0, 1, 2, 3, NULL]) AS p), "
        f"(SELECT unnest([0, 1, NULL]) AS x) WHERE {condition}",
        placed=False,
    )
    if values is not None:
        assert {row[0] for row in rows.fetchall()} <= set(values)
