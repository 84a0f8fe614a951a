"""Statements that are almost right are read, or refused by an error that says where; see `tests.engine.fuzz`."""

import logging
import os

import pytest
from tests.engine.fuzz import corpus, faults, problem

COUNT = 20_000 if os.environ.get("PATQL_LONG") == "1" else 3_000
BLOCKS = 8


@pytest.mark.parametrize("block", range(BLOCKS))
def test_almost_right(block: int, caplog: pytest.LogCaptureFixture) -> None:
    """Nothing but an error with a position, and nothing takes long."""
    # What sqlglot logs of a statement may have text in it that pytest-xdist can't pass on.
    caplog.set_level(logging.CRITICAL, logger="sqlglot")
    size = COUNT // BLOCKS
    found = faults(range(block * size, (block + 1) * size))
    assert not found, "\n".join(f"{n}: {wrong}\n  {t}" for n, t, wrong in found[:20])


def test_right() -> None:
    """The statements that all this begins with are clean themselves."""
    assert not [(text, wrong) for text in corpus() if (wrong := problem(text))]
