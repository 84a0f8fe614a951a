"""Statements that are almost right: `python -m tests.engine.fuzz --statements 1000000` reads so many of them.

Whatever the text, it is split and parsed, or refused by an error that says where; no other exception, and no hang.
"""

# ruff: noqa: T201  (a command prints)

import argparse
import os
import re
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path
from random import Random
from types import FrameType

import yaml

from patql.engine.parse import parse, split
from patql.kernel.errors import SqlError

SECONDS = 10
"""How long one statement may take; a thousand of them take about one second."""

BLOCK = 2_000
"""Statements that a process reads in one go."""

_HERE = Path(__file__).parent
_TOKENS = re.compile(r"\w+|\s+|.", re.DOTALL)
_LINE_ENDS = (re.compile(r"\r\n|\r|\n"), re.compile(r"\n"))
"""A carriage return by itself is the end of a line to some."""

_ODD = (
    *("'", '"', "`", "$$", "$a$", "--", "/*", "*/", ";", "(", ")", "[", "]", "{", "}"),
    *(",", ".", "@", "@@", "$", "?", "#1", ":", "::", "\\", "\0", "\n", "\r\n", "\t"),
    *(
        "\u00a0",
        "é",
        "日本",
        "😀",
        "\u202e",
        "\ufeff",
        "\udc80",
        "\x1b",
        "\x7f",
        "\ud800",
    ),
    *("1e999", "0x", "-", "9" * 30, "1_", "''", "NULL", "SELECT", "FROM", "WHERE"),
    *("AS", "IN", "WITH", "VALUES", "INSERT", "EXEC", "RETURNING", "UNION", "CASE"),
    *("E'", "U&'", "x'", "|", "||", "->", "->>", "=>", ":=", "%", "~", "^", "!", "="),
)
_NESTS = (
    *(("(", ")"), ("[", "]"), ("{'a': ", "}"), ("SELECT (", ")"), ("NOT ", "")),
    *(
        ("CASE WHEN ", " THEN 1 END"),
        ("f(", ")"),
        ("-", ""),
        ("/* ", " */"),
        ("'", "'"),
    ),
    *(
        ("(SELECT * FROM ", ") AS x"),
        ("WITH a AS (", ") SELECT 1"),
        ("CAST(", " AS INT)"),
    ),
    *(("1 + ", ""), ("a.", ""), ("x AND ", ""), ("EXPLAIN ", "")),
)


def corpus() -> tuple[str, ...]:
    """Statements that are right, of every kind."""
    lines = [
        line
        for name in ("fuzz.sql", "statements.sql")
        for line in (_HERE / name).read_text("utf-8").splitlines()
        if line and not line.startswith("--")
    ]
    cases = yaml.safe_load((_HERE / "queries.yaml").read_text("utf-8"))
    return (*lines, *(case["sql"] for case in cases))


class _TooLongError(BaseException):
    """No Exception, which is for the parser to catch."""


class Mutator:
    """Makes one statement from those of a corpus, by its number alone."""

    def __init__(self, number: int, statements: tuple[str, ...]) -> None:
        self._random = Random(number)
        self._statements = statements

    def statement(self) -> str:
        """A statement with a few things changed."""
        ways: tuple[Callable[[list[str]], list[str]], ...] = (
            *(self._leave_out, self._leave_out, self._swap, self._repeat),
            *(self._splice, self._borrow, self._borrow, self._disturb, self._disturb),
            *(self._break_off, self._nest, self._spoil),
        )
        tokens = self._taken()
        for _ in range(self._random.randint(1, 4)):
            tokens = self._random.choice(ways)(tokens)
        return "".join(tokens)

    def _taken(self) -> list[str]:
        return _TOKENS.findall(self._random.choice(self._statements))

    def _stretch(self, tokens: list[str], most: int) -> tuple[int, int]:
        start = self._random.randrange(len(tokens) + 1)
        return start, min(len(tokens), start + self._random.randint(1, most))

    def _leave_out(self, tokens: list[str]) -> list[str]:
        start, end = self._stretch(tokens, 3)
        return tokens[:start] + tokens[end:]

    def _swap(self, tokens: list[str]) -> list[str]:
        if len(tokens) > 1:
            one, other = self._random.sample(range(len(tokens)), 2)
            tokens[one], tokens[other] = tokens[other], tokens[one]
        return tokens

    def _repeat(self, tokens: list[str]) -> list[str]:
        start, end = self._stretch(tokens, 6)
        times = self._random.choice((2, 2, 3, 200))
        return tokens[:start] + tokens[start:end] * times + tokens[end:]

    def _splice(self, tokens: list[str]) -> list[str]:
        other = self._taken()
        start, end = self._stretch(tokens, 1)[0], self._stretch(other, 1)[0]
        return tokens[:start] + other[end:]

    def _borrow(self, tokens: list[str]) -> list[str]:
        other = self._taken()
        (start, end), (first, last) = self._stretch(tokens, 2), self._stretch(other, 6)
        return tokens[:start] + other[first:last] + tokens[end:]

    def _disturb(self, tokens: list[str]) -> list[str]:
        start, _ = self._stretch(tokens, 1)
        return [*tokens[:start], self._random.choice(_ODD), *tokens[start:]]

    def _break_off(self, tokens: list[str]) -> list[str]:
        text = "".join(tokens)
        return _TOKENS.findall(text[: self._random.randint(0, len(text))])

    def _nest(self, tokens: list[str]) -> list[str]:
        opened, closed = self._random.choice(_NESTS)
        deep = self._random.choice((1, 2, 5, 60, 400))
        start, end = self._stretch(tokens, 8)
        short = deep - self._random.choice((0, 0, 0, 1))
        inner = [opened] * deep + tokens[start:end] + [closed] * short
        return tokens[:start] + inner + tokens[end:]

    def _spoil(self, tokens: list[str]) -> list[str]:
        raw = bytearray("".join(tokens).encode("utf-8", "surrogatepass"))
        for _ in range(self._random.randint(1, 5) if raw else 0):
            raw[self._random.randrange(len(raw))] = self._random.randrange(256)
        return _TOKENS.findall(raw.decode("utf-8", "surrogateescape"))


def problem(text: str) -> str | None:
    """What is wrong with how a statement is read, None where nothing is."""
    before = signal.signal(signal.SIGALRM, _too_long)
    signal.alarm(SECONDS)
    reading = text
    try:
        for reading in split(text) or [text]:
            parse(reading)
    except SqlError as error:
        return _misplaced(error, reading)
    except (Exception, _TooLongError) as error:  # noqa: BLE001  (any other is a fault)
        return f"{type(error).__name__}: {error}"[:500]
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
    return None


def _misplaced(error: SqlError, text: str) -> str | None:
    if error.line is None or error.column is None:
        return f"says no place: {error}"
    for lines in (ends.split(text) for ends in _LINE_ENDS):
        known = 1 <= error.line <= len(lines)
        if known and 1 <= error.column <= len(lines[error.line - 1]) + 1:
            return None
    return f"line {error.line}, column {error.column} isn't in it: {error}"


def _too_long(_signal: int, _frame: FrameType | None) -> None:
    message = f"still not read after {SECONDS} s"
    raise _TooLongError(message)


def faults(numbers: range) -> list[tuple[int, str, str]]:
    """The numbers of statements that aren't read well, with their text and what is wrong."""
    statements = corpus()
    found: list[tuple[int, str, str]] = []
    for number in numbers:
        text = Mutator(number, statements).statement()
        if (wrong := problem(text)) is not None:
            found.append((number, ascii(text), ascii(wrong)))
    return found


def main() -> int:
    """Read as many as one is told to; tell each kind of fault once."""
    parser = argparse.ArgumentParser(prog="python -m tests.engine.fuzz")
    parser.add_argument("--statements", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=0, help="number of the first")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    given = parser.parse_args()
    kinds, began = Counter[str](), time.monotonic()
    end = given.seed + given.statements
    with ProcessPoolExecutor(given.processes) as pool:
        blocks = [
            pool.submit(faults, range(first, min(end, first + BLOCK)))
            for first in range(given.seed, end, BLOCK)
        ]
        for done, block in enumerate(as_completed(blocks), 1):
            for number, text, wrong in block.result():
                kind = re.sub(r"'.*'|\".*\"|\d+", "…", wrong.splitlines()[0])[:60]
                kinds[kind] += 1
                if kinds[kind] == 1:
                    print(f"\n{number}: {wrong}\n  {text[:2000]}", flush=True)
            seconds = time.monotonic() - began
            read, wrong_ones = done * BLOCK, kinds.total()
            print(
                f"\r{seconds:6.0f} s {read} read, {wrong_ones} faults",
                end="",
                file=sys.stderr,
            )
    print(file=sys.stderr)
    for kind, count in kinds.most_common():
        print(f"{count:8} {kind}")
    return 1 if kinds else 0


if __name__ == "__main__":
    sys.exit(main())
