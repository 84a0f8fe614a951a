"""Prove that a revoked token is refused everywhere at once, as far as runs can prove it.

python -m tests.prove --store sqlite --processes 4 --operations 200000 --seed 1
"""

import argparse
import random
import sys
import tempfile
from pathlib import Path

import uvloop
from tests.postgres import Cluster, program
from tests.prove.run import Options, prove


def main() -> int:
    """Run as asked; 0 where nothing is wrong, and 1 else."""
    parser = argparse.ArgumentParser(prog="python -m tests.prove", description=__doc__)
    parser.add_argument("--store", choices=("sqlite", "postgres"), default="sqlite")
    parser.add_argument("--processes", type=int, default=4)
    parser.add_argument("--operations", type=int, default=200_000)
    parser.add_argument("--seed", type=int, default=random.randrange(2**32))
    parser.add_argument("--module", default="patql", help="what serves")
    given = parser.parse_args()
    sys.stdout.write(f"{given.store}, {given.processes} processes, seed {given.seed}\n")
    sys.stdout.flush()
    cluster = Cluster(program()) if given.store == "postgres" else None
    with tempfile.TemporaryDirectory(prefix="patql-prove-") as folder:
        database = f"sqlite:///{folder}/tokens.db"
        try:
            if cluster is not None:
                cluster.start()
                database = cluster.database()
            report = uvloop.run(
                prove(
                    Options(
                        database=database,
                        folder=Path(folder),
                        processes=given.processes,
                        operations=given.operations,
                        seed=given.seed,
                        module=given.module,
                        cluster=cluster,
                    )
                )
            )
        finally:
            if cluster is not None:
                cluster.remove()
    sys.stdout.write(f"{report.text()}\n")
    return 1 if report.violations else 0


if __name__ == "__main__":
    sys.exit(main())
