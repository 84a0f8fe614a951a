"""Names that a statement can say as they are."""

import duckdb
import pytest

from patql.catalog.words import why_not


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("acme", None),
        ("_a1", None),
        ("linode", None),
        ("patql", "another provider"),
        ("Acme", "small letter"),
        ("1a", "small letter"),
        ("a-b", "small letter"),
        ("a.b", "small letter"),
        ("é", "small letter"),
        ("", "small letter"),
        ("acme\n", "small letter"),
        ("select", "a word of SQL's own"),
        ("left", "a word of SQL's own"),
        ("temp", "local tables"),
        ("main", "local tables"),
    ],
)
def test_why_not(name: str, reason: str | None) -> None:
    """A provider's name is a plain identifier that isn't taken, by SQL or by anything else."""
    found = why_not(name, taken=("patql",))
    assert found is None if reason is None else reason in str(found)


def test_every_word_of_duckdb() -> None:
    """Each of DuckDB's words that isn't refused can stand where a provider's name does."""
    with duckdb.connect() as connection:
        words = connection.execute("SELECT keyword_name FROM duckdb_keywords()")
        for (word,) in words.fetchall():
            if why_not(word, taken=()) is None:
                connection.execute(f"ATTACH ':memory:' AS {word}")
                connection.execute(f"CREATE TABLE {word}.main.t (c INTEGER)")
                connection.execute(f"SELECT {word}.main.t.c FROM {word}.main.t")
