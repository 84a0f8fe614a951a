"""The relational engine by itself: what it keeps from statement to statement, and what it doesn't."""

import arro3.core as arrow
import pytest

from patql.engine.relate import Relational
from patql.kernel.errors import SqlError

VIEW = ("shop", "stock", "items")
ITEMS = "SELECT count(*), any_value(typeof(id)) FROM shop.stock.items"


def table(*values: object, of: arrow.DataType | None = None) -> arrow.Table:
    """Rows of one column, `id`."""
    kind = of or arrow.DataType.int64()
    batch = arrow.RecordBatch.from_arrays(  # pyright: ignore[reportUnknownMemberType]  (its stubs)
        [arrow.Array(values, type=kind)], schema=arrow.Schema([arrow.Field("id", kind)])
    )
    return arrow.Table.from_batches([batch])


def test_a_view_gives_the_rows_that_were_published_last() -> None:
    """Of the types that they have now, and as often as it is read."""
    relational = Relational()
    for rows, found in (
        (table(1, 2), (2, "BIGINT")),
        (table(3), (1, "BIGINT")),
        (table("a", "b", "c", of=arrow.DataType.string()), (3, "VARCHAR")),
    ):
        relational.publish(VIEW, rows, "id")
        for _ in range(2):
            assert relational.run(ITEMS)[1].fetchall() == [found]
    relational.close()


def test_what_was_described_is_run_over_rows_published_since() -> None:
    """A query is checked before its rows are there."""
    relational = Relational()
    relational.publish(VIEW, table(), "id")
    assert [column.type for column in relational.describe(ITEMS)][:1] == ["BIGINT"]
    relational.publish(VIEW, table(7, 8), "id")
    assert relational.run(ITEMS)[1].fetchall() == [(2, "BIGINT")]
    relational.close()


def test_rows_of_another_statement_are_never_an_empty_answer() -> None:
    """They are forgotten at its end, and a result that was run keeps its own."""
    relational = Relational()
    relational.publish(VIEW, table(1), "id")
    _, rows = relational.run("SELECT id FROM shop.stock.items")
    relational.clear()
    assert rows.fetchall() == [(1,)]
    with pytest.raises(SqlError, match="another statement"):
        relational.run("SELECT id FROM shop.stock.items")
    relational.close()


@pytest.mark.parametrize("before", [True, False])
def test_a_view_that_cant_be_made_changes_nothing(*, before: bool) -> None:
    """Neither what was published before, nor what is published since; nothing of it is left."""
    relational = Relational()
    if before:
        relational.publish(VIEW, table(1), "id")
    text = table("a", of=arrow.DataType.string())
    with pytest.raises(SqlError, match="nothing"):
        relational.publish(VIEW, text, "nothing")
    if before:
        assert relational.run(ITEMS)[1].fetchall() == [(1, "BIGINT")]
    relational.publish(("shop", "stock", "others"), table(), "id")
    relational.publish(VIEW, table(1, 2), "id")
    assert relational.run(ITEMS)[1].fetchall() == [(2, "BIGINT")]
    assert not relational.has_table(("nothing",))
    shown = "SELECT view_name FROM duckdb_views() WHERE NOT internal ORDER BY 1"
    names = [name for (name,) in relational.run(shown)[1].fetchall()]
    assert len(names) == 4, names
    relational.close()


def test_no_progress_is_printed() -> None:
    """DuckDB would print it on standard output, among the rows."""
    relational = Relational()
    assert relational.value("current_setting('enable_progress_bar')") is False
    relational.close()
