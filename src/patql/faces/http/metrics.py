"""What the workers of a host have done, counted in memory that they share, and told as Prometheus reads it.

Each worker has a part of the memory for itself, so that nothing is lost between two of them; the next worker goes on
counting where the last one with that part stopped. No secret, no name, no path: a request is told by its route's form.
"""

import os
import resource
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from contextlib import suppress
from functools import lru_cache
from pathlib import Path

from patql.authority.model import Denied, Granted, Reason
from patql.faces.http.memory import Memory

AUTHORIZE = "/authorize"
OTHER = "other"
METHODS = ("GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", OTHER)
STATUSES = (
    *(200, 204, 400, 401, 403, 404, 405, 409, 413, 415, 429, 431, 500, 502, 503),
    OTHER,
)
VERDICTS = ("granted", *(reason.name.lower() for reason in Reason))
LIMITS = ("failures", "requests")
WRITES = ("done", "refused", "failed")
BOUNDS = (50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 50_000, 250_000, 1_000_000)
"""Upper bounds of the histogram's buckets, in microseconds."""
ROUTES = 40
"""How many routes there may be."""

_BUCKETS = len(BOUNDS) + 1
_PER_ROUTE = len(METHODS) * len(STATUSES)
_VERDICTS = ROUTES * (_PER_ROUTE + _BUCKETS + 1)
_LIMITS = _VERDICTS + len(VERDICTS)
_WRITES = _LIMITS + len(LIMITS)
_CPU = _WRITES + len(WRITES)
_RSS = _CPU + 1
_ALIVE = _RSS + 1
_PART = _ALIVE + 1

_METHOD = {name: at * len(STATUSES) for at, name in enumerate(METHODS)}
_STATUS = {status: at for at, status in enumerate(STATUSES)}
_ANY_METHOD, _ANY_STATUS = _METHOD[OTHER], _STATUS[OTHER]
_VERDICT = {reason: _VERDICTS + 1 + at for at, reason in enumerate(Reason)}


_COUNTERS = (
    ("patql_verifications_total", _VERDICTS, "verdict", VERDICTS, "Tokens verified."),
    ("patql_limited_total", _LIMITS, "limit", LIMITS, "Requests that met a limit."),
    ("patql_writes_total", _WRITES, "outcome", WRITES, "Changes; one fails where its audit does."),
)  # fmt: skip


def size(workers: int) -> int:
    """Cells that the metrics of so many workers need."""
    return _parts(workers) * _PART


def _parts(workers: int) -> int:
    """While one is replaced there is one more; those that hang are replaced before they end."""
    return workers * 2 + 1


class Metrics:
    """The counts of this process, and the sums over all.

    Args:
        memory: shared by all processes.
        begin: the first of the cells that are the metrics'.
        workers: how many processes there are at once.
        routes: the forms of paths; the same in every process.
    """

    def __init__(
        self, memory: Memory, begin: int, workers: int, routes: Sequence[str]
    ) -> None:
        self._routes = (AUTHORIZE, OTHER, *routes)[:ROUTES]
        self._route = {name: at for at, name in enumerate(self._routes)}
        self._all = [
            memory.cells(begin + part * _PART, _PART) for part in range(_parts(workers))
        ]
        self._cells = self._all[memory.claim(len(self._all))]
        self._cells[_ALIVE] = 1
        self._spent = 0
        self._places = lru_cache(maxsize=1024)(self._places_of)

    def request(
        self, route: str | None, method: str, status: int, seconds: float
    ) -> None:
        """Count a request, and how long it took here."""
        at, first = self._places(route, method, status)
        cells, spent = self._cells, int(seconds * 1e6)
        cells[at] += 1
        cells[first + bisect_left(BOUNDS, spent)] += 1
        cells[first + _BUCKETS] += spent

    def _places_of(
        self, route: str | None, method: str, status: int
    ) -> tuple[int, int]:
        """Where such a request is counted, and where the durations of its route begin."""
        at = self._route.get(route or OTHER, 1)
        place = _METHOD.get(method, _ANY_METHOD) + _STATUS.get(status, _ANY_STATUS)
        return at * _PER_ROUTE + place, ROUTES * _PER_ROUTE + at * (_BUCKETS + 1)

    def verdict(self, verdict: Granted | Denied) -> None:
        """Count a verification."""
        if isinstance(verdict, Denied):
            self._cells[_VERDICT[verdict.reason]] += 1
        else:
            self._cells[_VERDICTS] += 1

    def limited(self, limit: str) -> None:
        """Count a request that met a limit."""
        self._cells[_LIMITS + LIMITS.index(limit)] += 1

    def write(self, status: int) -> None:
        """Count what was to change something, by what became of it: a change whose audit fails has failed."""
        outcome = 0 if status < 400 else 1 if status < 500 else 2
        self._cells[_WRITES + outcome] += 1

    def process(self) -> None:
        """Note what this process has used of the machine."""
        usage = resource.getrusage(resource.RUSAGE_SELF)
        spent = int((usage.ru_utime + usage.ru_stime) * 1e6)
        self._cells[_CPU] += spent - self._spent
        self._spent = spent
        self._cells[_RSS] = _resident()

    def close(self) -> None:
        """This process ends."""
        self.process()
        self._cells[_RSS] = self._cells[_ALIVE] = 0

    def text(self) -> str:
        """All of it, in Prometheus' text format 0.0.4."""
        self.process()
        sums = [sum(column) for column in zip(*self._all, strict=True)]
        return "".join(f"{line}\n" for line in self._lines(sums))

    def _lines(self, sums: list[int]) -> Iterator[str]:
        yield from _described("patql_requests_total", "counter", "Requests answered.")
        for at, route in enumerate(self._routes):
            for method, first in _METHOD.items():
                for status, offset in _STATUS.items():
                    if count := sums[at * _PER_ROUTE + first + offset]:
                        labels = f'route="{route}",method="{method}",status="{status}"'
                        yield f"patql_requests_total{{{labels}}} {count}"
        yield from self._durations(sums)
        for name, begin, label, values, what in _COUNTERS:
            yield from _described(name, "counter", what)
            for at, value in enumerate(values):
                yield f'{name}{{{label}="{value}"}} {sums[begin + at]}'
        for name, kind, what, now in (
            ("process_cpu_seconds_total", "counter", "CPU of the workers.", sums[_CPU] / 1e6),
            ("process_resident_memory_bytes", "gauge", "Memory of the workers.", sums[_RSS]),
            ("patql_workers", "gauge", "Workers that serve.", sums[_ALIVE]),
        ):  # fmt: skip
            yield from _described(name, kind, what)
            yield f"{name} {now}"

    def _durations(self, sums: list[int]) -> Iterator[str]:
        name = "patql_request_duration_seconds"
        yield from _described(name, "histogram", "How long requests took here.")
        for at, route in enumerate(self._routes):
            first = ROUTES * _PER_ROUTE + at * (_BUCKETS + 1)
            counts = sums[first : first + _BUCKETS]
            if not any(counts):
                continue
            upto = 0
            for bound, count in zip((*BOUNDS, None), counts, strict=True):
                upto += count
                limit = "+Inf" if bound is None else f"{bound / 1e6:g}"
                yield f'{name}_bucket{{route="{route}",le="{limit}"}} {upto}'
            yield f'{name}_sum{{route="{route}"}} {sums[first + _BUCKETS] / 1e6}'
            yield f'{name}_count{{route="{route}"}} {upto}'


def _described(name: str, kind: str, what: str) -> tuple[str, str]:
    return f"# HELP {name} {what}", f"# TYPE {name} {kind}"


def _resident() -> int:
    """Bytes of memory that this process has; where the system doesn't say, the most that it had."""
    with suppress(OSError):
        pages = int(Path("/proc/self/statm").read_text("ascii").split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
