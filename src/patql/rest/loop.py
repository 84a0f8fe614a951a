"""Many requests at once: one thread with an asyncio loop, whose answers another thread takes in order."""

import asyncio
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import CancelledError
from queue import SimpleQueue
from threading import Thread

from pyreqwest.client import Client, ClientBuilder

from patql.engine.ports import Took
from patql.kernel.errors import Code, PatqlError
from patql.kernel.http import Request, Response
from patql.rest.target import Target, to_response

AHEAD = 4
"""How many answers may wait for their reader, as a multiple of the concurrency."""


class LoopThread:
    """A thread that sends requests to a target concurrently."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._client: Client = target.configure(ClientBuilder()).build()
        self._loop = asyncio.new_event_loop()
        self._thread = Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()

    def send(self, requests: Sequence[Request], concurrency: int) -> Iterator[Response]:
        """Answers in order; at most `AHEAD * concurrency` of them wait while the caller is busy elsewhere.

        Closing the iterator sends no more and waits for nothing; pyreqwest lets go of a connection with a request
        under way when its answer comes, or its time is up. The caller's thread and the loop's compete for the
        interpreter, so the loop is told of progress once per `concurrency` answers rather than for each.

        Raises:
            PatqlError: UNREACHABLE where there was no answer, BAD_RESPONSE where it can't be decoded.
        """
        exchange = _Exchange(self._target, self._client, requests, concurrency)
        running = asyncio.run_coroutine_threadsafe(exchange.run(), self._loop)
        early: dict[int, Response | Exception] = {}
        try:
            for index, request in enumerate(requests):
                while index not in early:
                    arrived, answer = exchange.answers.get()
                    early[arrived] = answer
                answer = early.pop(index)
                if isinstance(answer, Exception):
                    raise self._target.no_answer(request, answer) from answer
                yield answer
                if (index + 1) % concurrency == 0:
                    self._loop.call_soon_threadsafe(exchange.make_room)
        finally:
            running.cancel()

    def attempt(
        self, requests: Iterable[Request], concurrency: int, took: Took
    ) -> None:
        """Send as many as `requests` gives; see `engine.ports.Attempting`."""
        ahead = enumerate(requests)
        running = asyncio.run_coroutine_threadsafe(
            self._attempt(ahead, concurrency, took), self._loop
        )
        try:
            running.result()
        except CancelledError:
            message = "stopped while requests were under way"
            raise PatqlError(Code.CANCELLED, message) from None
        finally:
            running.cancel()

    async def _attempt(
        self, ahead: Iterator[tuple[int, Request]], concurrency: int, took: Took
    ) -> None:
        async def work() -> None:
            for index, request in ahead:
                answer = await _answer(self._target, self._client, request)
                if isinstance(answer, Exception):
                    answer = self._target.no_answer(request, answer)
                    if not isinstance(answer, PatqlError):
                        raise answer
                took(index, answer)

        await asyncio.gather(*(work() for _ in range(concurrency)))

    def close(self) -> None:
        """Cancel what is under way, and end the thread."""
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _end(self) -> None:
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._client.close()


class _Exchange:
    """Requests on their way; `answers` holds each with its position, in the order of arrival."""

    def __init__(
        self,
        target: Target,
        client: Client,
        requests: Sequence[Request],
        concurrency: int,
    ) -> None:
        self.answers: SimpleQueue[tuple[int, Response | Exception]] = SimpleQueue()
        self._target = target
        self._client = client
        self._ahead = iter(enumerate(requests))
        self._concurrency = concurrency
        self._room = asyncio.Semaphore(AHEAD * concurrency)

    async def run(self) -> None:
        """Send all of them."""
        await asyncio.gather(*(self._work() for _ in range(self._concurrency)))

    def make_room(self) -> None:
        """The reader has taken as many answers as may be under way at once."""
        for _ in range(self._concurrency):
            self._room.release()

    async def _work(self) -> None:
        while await self._room.acquire():
            upcoming = next(self._ahead, None)
            if upcoming is None:
                return
            index, request = upcoming
            answer = await _answer(self._target, self._client, request)
            self.answers.put((index, answer))


async def _answer(
    target: Target, client: Client, request: Request
) -> Response | Exception:
    try:
        builder = client.request(request.method, target.url(request))
        answer = await target.fill(builder, request).build().send()
        return to_response(answer, await answer.bytes())
    except Exception as error:  # noqa: BLE001  (raised by the thread that waits)
        return error
