"""A server that is broken on purpose: it remembers each token's row for a while, as many verifiers do.

python -m tests.prove.broken --seconds 1 --db URL --port PORT
"""

import argparse
import os
import time

from patql import config
from patql.authority.ports import Record, TokenStore
from patql.compose import api_from_environment
from patql.faces.http.app import App
from patql.faces.http.server import run

_SECONDS = "PROVE_BROKEN"  # the variable that says for how long


class Remembering:
    """A store whose `find` may be late by some seconds, and which is otherwise another."""

    def __init__(self, store: TokenStore, seconds: float) -> None:
        self._store = store
        self._seconds = seconds
        self._kept = dict[str, tuple[float, Record | None]]()

    def find(self, handle: str) -> Record | None:
        """The row as it is, or was not long ago."""
        if not self._remembers(handle):
            self._kept[handle] = time.monotonic(), self._store.find(handle)
        return self._kept[handle][1]

    async def find_async(self, handle: str) -> Record | None:
        """The same on an event loop."""
        if not self._remembers(handle):
            now = time.monotonic()
            self._kept[handle] = now, await self._store.find_async(handle)
        return self._kept[handle][1]

    def _remembers(self, handle: str) -> bool:
        kept_at, _ = self._kept.get(handle, (0.0, None))
        return time.monotonic() - kept_at < self._seconds

    def __getattr__(self, name: str) -> object:
        return getattr(self._store, name)


def application(*_given: object) -> App:
    """The application, over such a store."""
    api = api_from_environment()
    store = Remembering(api.authority._store, float(os.environ[_SECONDS]))
    setattr(api.authority, "_store", store)  # noqa: B010  (it isn't one by type)
    return App(api, config.read(os.environ))


def main() -> None:
    """Serve."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds")
    parser.add_argument("--db")
    parser.add_argument("--port", type=int)
    given = parser.parse_args()
    os.environ |= {"PATQL_DB": given.db, _SECONDS: given.seconds}
    run("tests.prove.broken:application", port=given.port)


if __name__ == "__main__":
    main()
