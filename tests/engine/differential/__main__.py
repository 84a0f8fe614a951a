"""The long run: `python -m tests.engine.differential --queries 200000 --seed 0`; it ends with the first fault."""

# ruff: noqa: T201  (a command prints)

import argparse
import os
import sys
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor, as_completed

from tests.engine.differential.check import PER_WORLD, WrongAnswerError, check_world
from tests.engine.differential.server import serving

BLOCK = 5
"""Worlds that a process checks in one go."""


def check_block(first: int, count: int) -> tuple[Counter[str], str]:
    """Some worlds: what was counted, and the first fault."""
    told = Counter[str]()
    with serving() as server:
        for number in range(first, first + count):
            try:
                told += check_world(server, number)
            except WrongAnswerError as error:
                return told, str(error)
    return told, ""


def main() -> int:
    """Run until the first fault, or the end."""
    parser = argparse.ArgumentParser(prog="python -m tests.engine.differential")
    parser.add_argument("--queries", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0, help="number of the first query")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--keep-going", action="store_true", help="tell every fault")
    given = parser.parse_args()
    first = given.seed // PER_WORLD
    end = first + -(-given.queries // PER_WORLD)
    told, faults, began = Counter[str](), 0, time.monotonic()
    with ProcessPoolExecutor(given.processes) as pool:
        blocks = [
            pool.submit(check_block, number, min(BLOCK, end - number))
            for number in range(first, end, BLOCK)
        ]
        for block in as_completed(blocks):
            counted, fault = block.result()
            told += counted
            print(
                f"\r{time.monotonic() - began:6.0f} s {dict(told)}",
                end="",
                file=sys.stderr,
            )
            if fault:
                faults += 1
                print(f"\n{fault}\n", flush=True)
                if not given.keep_going:
                    pool.shutdown(cancel_futures=True)
                    break
    print(file=sys.stderr)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
