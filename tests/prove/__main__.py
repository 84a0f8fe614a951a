"""Prove, as far as runs can, that a revoked token is refused everywhere at once: 200,000 operations a store.

python -m tests.prove --store sqlite --processes 4 --operations 200000 --seed 1
"""

import argparse
import random
import sys
import tempfile
from pathlib import Path

import uvloop
from tests.postgres import Cluster, program
from tests.prove.report import Report
from tests.prove.run import Options, prove

_STORES = ("sqlite", "postgres")


def main() -> int:
    """Run as asked; 0 where nothing is wrong, and 1 else."""
    given = _parser().parse_args()
    wrong = False
    for store in [given.store] if given.store else _STORES:
        _say(f"{store}, {given.processes} servers, seed {given.seed}")
        report = _on_sqlite(given) if store == "sqlite" else _on_postgres(given)
        _say(f"{report.text()}\n")
        wrong = wrong or bool(report.violations)
    return 1 if wrong else 0


def _on_sqlite(given: argparse.Namespace) -> Report:
    with tempfile.TemporaryDirectory(prefix="patql-prove-") as folder:
        return _run(given, f"sqlite:///{folder}/tokens.db", Path(folder))


def _on_postgres(given: argparse.Namespace) -> Report:
    cluster = Cluster(program())
    try:
        cluster.start()
        with tempfile.TemporaryDirectory(prefix="patql-prove-") as folder:
            return _run(given, cluster.database(), Path(folder), cluster)
    finally:
        cluster.remove()


def _run(
    given: argparse.Namespace,
    database: str,
    folder: Path,
    cluster: Cluster | None = None,
) -> Report:
    options = Options(
        database=database,
        folder=folder,
        servers=given.processes,
        products=given.processes // 2,
        operations=given.operations,
        seed=given.seed,
        cluster=cluster,
    )
    return uvloop.run(prove(options))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.prove")
    parser.add_argument("--store", choices=_STORES, help="default: one after the other")
    parser.add_argument(
        "--processes", type=int, default=4, help="servers; half as many products"
    )
    parser.add_argument("--operations", type=int, default=200_000)
    parser.add_argument("--seed", type=int, default=random.randrange(2**32))
    return parser


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
