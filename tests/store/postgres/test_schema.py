"""The schema is made and brought up to date once, whoever does it and however many do, and never taken for another's."""

import threading
from pathlib import Path

import psycopg
import pytest
from tests.postgres import Cluster

from patql.compose import check, migrate
from patql.config import Settings
from patql.kernel.errors import Code, PatqlError
from patql.store.postgres import PostgresStore, schema


def _settings(url: str, folder: Path) -> Settings:
    return Settings(data_dir=folder, db=url)


@pytest.mark.slow
def test_many_make_it_at_once(postgres_url: str) -> None:
    """One does, the others find it."""
    together = threading.Barrier(6)
    failed = list[BaseException]()

    def work() -> None:
        together.wait()
        try:
            PostgresStore(postgres_url).close()
        except BaseException as error:  # noqa: BLE001  (an outcome like another)
            failed.append(error)

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    with psycopg.connect(postgres_url) as connection:
        rows = connection.execute("SELECT version, name FROM migration").fetchall()
    assert rows == [(int(f.name[:4]), f.stem) for f in schema.migrations()]


@pytest.mark.slow
def test_an_older_one_is_migrated_by_command(
    postgres_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server refuses it and names the command, by which each migration is applied once."""
    PostgresStore(postgres_url).close()
    later = tmp_path / "0002_later.sql"
    later.write_text("CREATE TABLE later (n bigint)")
    monkeypatch.setattr(schema, "migrations", lambda: [*_files(), later], raising=True)
    with pytest.raises(PatqlError, match="needs 2") as refused:
        PostgresStore(postgres_url)
    assert refused.value.code is Code.SCHEMA
    assert "patql db migrate" in (refused.value.hint or "")
    settings = _settings(postgres_url, tmp_path)
    assert (check(settings).there, check(settings).needed) == (1, 2)
    assert migrate(settings).there == 1
    assert migrate(settings).there == 2
    assert check(settings).there == 2
    PostgresStore(postgres_url).close()


_files = schema.migrations


def test_a_newer_one_is_refused(tokens_url: str, tmp_path: Path) -> None:
    """By servers and by commands."""
    with psycopg.connect(tokens_url) as connection:
        connection.execute("INSERT INTO migration VALUES (99, 'newer')")
    try:
        for attempt in (
            lambda: PostgresStore(tokens_url),
            lambda: migrate(_settings(tokens_url, tmp_path)),
            lambda: check(_settings(tokens_url, tmp_path)),
        ):
            with pytest.raises(PatqlError, match="made by a newer PatQL") as refused:
                attempt()
            assert refused.value.code is Code.SCHEMA
    finally:
        with psycopg.connect(tokens_url) as connection:
            connection.execute("DELETE FROM migration WHERE version = 99")


@pytest.mark.slow
def test_tables_of_something_else(postgres_url: str) -> None:
    """Where a name that we need is taken, nothing is made."""
    with psycopg.connect(postgres_url) as connection:
        connection.execute("CREATE TABLE event (n bigint)")
    with pytest.raises(PatqlError, match="something else's") as refused:
        PostgresStore(postgres_url)
    assert refused.value.code is Code.SCHEMA
    with psycopg.connect(postgres_url) as connection:
        names = connection.execute(
            "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
        ).fetchall()
    assert names == [("event",)]


@pytest.mark.slow
def test_a_schema_of_its_own(postgres_url: str) -> None:
    """PatQL can live beside other things in a database, found by the search path of its URL."""
    with psycopg.connect(postgres_url) as connection:
        connection.execute("CREATE SCHEMA apart")
        connection.execute("CREATE TABLE event (n bigint)")
    url = f"{postgres_url}?options=-csearch_path%3Dapart"
    store = PostgresStore(url)
    assert store.is_empty()
    store.close()


def test_nothing_is_made_unasked(postgres_url: str, tmp_path: Path) -> None:
    """A server makes no tables in a database that has none, and says what does."""
    with pytest.raises(PatqlError, match="no token database in postgresql://"):
        PostgresStore(postgres_url, make=False)
    assert check(_settings(postgres_url, tmp_path)).there == 0


@pytest.mark.slow
def test_another_encoding(cluster: Cluster) -> None:
    """Text must come back as it was."""
    cluster.run("CREATE DATABASE latin ENCODING 'LATIN1' TEMPLATE template0")
    with pytest.raises(PatqlError, match="has the encoding LATIN1") as refused:
        PostgresStore(cluster.url("latin"))
    assert refused.value.code is Code.SCHEMA
