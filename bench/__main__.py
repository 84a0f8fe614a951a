"""`python -m bench [NAME …]`: run the benchmarks, print a table, and keep the numbers in bench/results."""

import importlib
import sys
import time
from pathlib import Path
from typing import Any

import msgspec

ROUNDS = 7
FOLDER = Path(__file__).parent


def main() -> int:
    """Run the benchmarks of those names, else all; 1 where one misses its bar."""
    names = sys.argv[1:] or sorted(
        path.stem
        for path in FOLDER.glob("*.py")
        if "\ndef run(rounds: int)" in path.read_text("utf-8")
    )
    results: list[dict[str, Any]] = []
    for name in names:
        measured = importlib.import_module(f"bench.{name}").run(ROUNDS)
        results += [{"name": name, **result} for result in measured]
        print("\n".join(map(_line, measured)), flush=True)
    folder = FOLDER / "results"
    folder.mkdir(exist_ok=True)
    stamp = time.strftime("%Y-%m-%dT%H-%M-%S", time.gmtime())
    report = msgspec.json.format(msgspec.json.encode(results))
    (folder / f"{stamp}.json").write_bytes(report)
    return 0 if all(map(_passes, results)) else 1


def _passes(result: dict[str, Any]) -> bool:
    return result["bar"] is None or result["ratio"] <= result["bar"]


def _line(result: dict[str, Any]) -> str:
    bar = "no bar" if result["bar"] is None else f"bar {result['bar']:g}"
    verdict = "  " if _passes(result) else "✗ "
    return (
        f"{verdict}{result['ratio']:6.3g} x ({bar})  {result['what']}: {result['value']:.4g} {result['unit']}\n"
        f"{'':24}against {result['against']}: {result['baseline']:.4g} {result['unit']}"
    )


if __name__ == "__main__":
    sys.exit(main())
