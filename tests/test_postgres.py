"""The tests' own PostgreSQL is a real one: durable, and empty for each test."""

import pytest
from tests.postgres import Cluster

pytestmark = pytest.mark.slow


def test_each_database_is_new(cluster: Cluster) -> None:
    """What one test writes, another doesn't see."""
    first, second = (cluster.database().rpartition("/")[2] for _ in range(2))
    cluster.run("CREATE TABLE t (n int)", first)
    count = "SELECT count(*) FROM pg_class WHERE relname = 't'"
    assert (cluster.run(count, first), cluster.run(count, second)) == ("1", "0")


def test_what_was_committed_survives_a_crash(cluster: Cluster) -> None:
    """After a crash the server recovers, at the same place, what it had acknowledged."""
    name = cluster.database().rpartition("/")[2]
    cluster.run("CREATE TABLE t (n int); INSERT INTO t VALUES (1)", name)
    port = cluster.port
    cluster.restart()
    assert cluster.run("SELECT n FROM t", name) == "1"
    assert cluster.port == port
    assert cluster.run("SHOW fsync", name) == "on"
