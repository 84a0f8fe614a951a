"""Changes, over one thread: what comes together is made together, and shares one flush of the disk.

A thread for each would wake for the store's lock, and once more when it is done: four changes of threads a request, which
is more than the request itself costs.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from queue import SimpleQueue
from threading import Thread

import msgspec

from patql.api.api import Api, Report, Verify
from patql.kernel.http import Request, Response

TOGETHER = 64
"""How many requests are answered together at most."""
PATIENCE = 8
"""For how many turns of the event loop in which nothing comes more requests are waited for: some 30 µs."""


class _Write(msgspec.Struct, frozen=True, gc=False):
    request: Request
    verify: Verify
    deliver: Callable[[Response], None]


class Writes:
    """Answers requests that may change something, for a store that waits for nothing but this machine's disk.

    Args:
        api: what answers.
        report: takes an error that became a 5xx.
    """

    def __init__(self, api: Api, report: Report) -> None:
        self._api = api
        self._report = report
        self._waiting = deque[_Write]()
        self._begun = SimpleQueue[asyncio.AbstractEventLoop | None]()
        self._thread = Thread(target=self._work, name="patql-write", daemon=True)
        self._thread.start()
        self._busy = False
        self._expected = 1

    def take(
        self, request: Request, verify: Verify, deliver: Callable[[Response], None]
    ) -> None:
        """Take a request, on the event loop; its answer is delivered there once what it says has happened is durable."""
        self._waiting.append(_Write(request, verify, deliver))
        if not self._busy:
            self._busy = True
            self._begin_soon(asyncio.get_running_loop())

    async def answer(self, request: Request, verify: Verify) -> Response:
        """The answer, once what it says has happened is durable."""
        answered: asyncio.Future[Response] = asyncio.get_running_loop().create_future()

        def deliver(response: Response) -> None:
            if not answered.done():  # its client has gone
                answered.set_result(response)

        self.take(request, verify, deliver)
        return await answered

    def close(self) -> None:
        """Finish what was begun."""
        self._begun.put(None)
        self._thread.join()

    def _begin_soon(self, loop: asyncio.AbstractEventLoop) -> None:
        """Begin a batch when as many have come as there were last time, or nobody comes any more.

        Clients that were answered together tend to ask again together, but not in the same instant. Those that are left
        behind would wait for a flush that isn't theirs.
        """
        if self._expected == 1:
            self._begun.put(loop)
        else:
            loop.call_soon(self._begin, loop, len(self._waiting), 0)

    def _begin(self, loop: asyncio.AbstractEventLoop, seen: int, quiet: int) -> None:
        come = len(self._waiting)
        if come >= self._expected or quiet >= PATIENCE:
            self._begun.put(loop)
        else:
            loop.call_soon(self._begin, loop, come, quiet + 1 if come == seen else 0)

    def _work(self) -> None:
        while (loop := self._begun.get()) is not None:
            count = min(len(self._waiting), TOGETHER)
            batch = [self._waiting.popleft() for _ in range(count)]
            requests = [(write.request, write.verify) for write in batch]
            responses = self._api.handle_together(requests, self._report)
            loop.call_soon_threadsafe(self._deliver, loop, batch, responses)

    def _deliver(
        self,
        loop: asyncio.AbstractEventLoop,
        batch: Sequence[_Write],
        responses: Sequence[Response],
    ) -> None:
        for write, response in zip(batch, responses, strict=True):
            write.deliver(response)
        self._expected = min(len(batch) + len(self._waiting), TOGETHER)
        self._busy = bool(self._waiting)
        if self._busy:
            self._begin_soon(loop)
