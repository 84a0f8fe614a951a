"""Changes, over one thread: what comes together is made together, and shares one flush of the disk.

A thread for each would wake for the store's lock, and once more when it is done: four changes of threads a request, which
is more than the request itself costs.
"""

import asyncio
from collections import deque
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import msgspec

from patql.api.api import Api, Report, Verify
from patql.kernel.http import Request, Response

TOGETHER = 64
"""How many requests are answered together at most."""


class _Write(msgspec.Struct):
    request: Request
    verify: Verify
    answer: asyncio.Future[Response]


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
        self._thread = ThreadPoolExecutor(1, "patql-write")
        self._busy = False

    async def answer(self, request: Request, verify: Verify) -> Response:
        """The answer, once what it says has happened is durable."""
        loop = asyncio.get_running_loop()
        write = _Write(request, verify, loop.create_future())
        self._waiting.append(write)
        if not self._busy:
            self._busy = True
            # Not at once: more may have arrived with this one.
            loop.call_soon(self._start, loop)
        return await write.answer

    def close(self) -> None:
        """Finish what was begun."""
        self._thread.shutdown()

    def _start(self, loop: asyncio.AbstractEventLoop) -> None:
        self._thread.submit(self._run, loop)

    def _run(self, loop: asyncio.AbstractEventLoop) -> None:
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
            if not write.answer.done():  # its client has gone
                write.answer.set_result(response)
        self._busy = bool(self._waiting)
        if self._busy:
            loop.call_soon(self._start, loop)
