"""Many requests at once: one thread with an asyncio loop, whose answers other threads take in order."""

import asyncio
from collections.abc import Callable, Coroutine, Iterator, Sequence
from concurrent.futures import CancelledError, Future, wait
from contextlib import suppress
from threading import Thread
from time import sleep

import uvloop
from pyreqwest.client import Client, ClientBuilder
from pyreqwest.request import ConsumedRequest

from patql.engine.ports import Took, Watch
from patql.kernel.errors import PatqlError
from patql.kernel.http import Request, Response
from patql.rest.inbox import Inbox
from patql.rest.retry import Attempts, Gate
from patql.rest.sockets import Mark
from patql.rest.target import Target, to_response

AHEAD = 4
"""How many answers may wait for their reader, as a multiple of the concurrency."""

READY = 2
"""How many requests are made ready, as a multiple of the concurrency: where answers come at once, their successors go at
once, instead of each being made first."""

_LULL = 0.002
"""Seconds for which a reader lets answers gather: woken for each, it holds up the requests that are to be sent next."""

_LONG = 16 * 1024
"""Bytes of an answer after which its reader lets the loop have the interpreter, lest it decode the next one first."""

_LEAVE = 1.0
"""Seconds that an interrupted caller waits for its requests to be let go of."""


class LoopThread:
    """A thread that sends requests to a target concurrently."""

    def __init__(self, target: Target, gate: Gate, mark: Mark) -> None:
        self._target = target
        self._gate = gate
        self._mark = mark
        self._client: Client | None = None
        self._tasks = set[asyncio.Task[None]]()
        self._loop = uvloop.new_event_loop()
        self._thread = Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()

    def send(
        self,
        inbox: Inbox,
        requests: Sequence[Request],
        concurrency: int,
        watch: Watch | None,
    ) -> Iterator[Response]:
        """Answers in order; at most `AHEAD * concurrency` of them wait while the caller is busy elsewhere.

        Closing the iterator sends no more and waits for nothing. The caller's thread and the loop's compete for the
        interpreter, so the loop is told of progress once per `concurrency` answers rather than for each.

        Raises:
            PatqlError: UNREACHABLE where there was no answer, BAD_RESPONSE where it can't be decoded, CANCELLED.
        """
        room = asyncio.Semaphore(AHEAD * concurrency)
        places = asyncio.Semaphore(concurrency)
        ahead = enumerate(requests)
        running = self._start(
            inbox,
            lambda: self._work(ahead, inbox.put, watch, places, room),
            min(READY * concurrency, len(requests)),
        )
        early: dict[int, Response | Exception] = {}
        try:
            for position in range(len(requests)):
                while position not in early:
                    if inbox.is_empty and len(requests) - position > concurrency:
                        sleep(_LULL)
                    arrived, answer = inbox.get()
                    early[arrived] = answer
                inbox.check()
                answer = early.pop(position)
                if isinstance(answer, Exception):
                    raise answer
                yield answer
                if len(answer.body) > _LONG:
                    sleep(0)
                if (position + 1) % concurrency == 0:
                    self._tell(_make_room, room, concurrency)
        except KeyboardInterrupt:
            self.cancel()
            raise
        finally:
            running.cancel()

    def attempt(
        self,
        inbox: Inbox,
        requests: Iterator[tuple[int, Request]],
        concurrency: int,
        took: Took,
        watch: Watch | None,
    ) -> None:
        """Send as many as `requests` gives, each with its position; see `engine.ports.Attempting`."""

        def take(position: int, answer: Response | Exception) -> None:
            if not isinstance(answer, (Response, PatqlError)):
                raise answer
            took(position, answer)

        places = asyncio.Semaphore(concurrency)
        running = self._start(
            inbox, lambda: self._work(requests, take, watch, places), concurrency
        )
        try:
            running.result()
        except CancelledError:
            inbox.check()
            raise
        except BaseException:  # Ctrl-C: nothing is taken any more once it is told
            self.cancel()
            wait([running], _LEAVE)
            raise

    def cancel(self) -> None:
        """Give up what is under way; from any thread. What is sent later uses connections of its own."""
        self._tell(self._give_up)
        self._mark.shut_down()  # after that, lest what was under way be tried again

    def close(self) -> None:
        """Cancel what is under way, and end the thread."""
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _tell(self, act: Callable[..., None], *arguments: object) -> None:
        """Have something done in the loop's thread, unless that has ended."""
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(act, *arguments)

    def _start(
        self, inbox: Inbox, work: Callable[[], Coroutine[None, None, None]], count: int
    ) -> Future[None]:
        async def run() -> None:
            inbox.check()
            tasks = [asyncio.create_task(work()) for _ in range(count)]
            self._tasks.update(tasks)
            try:
                await asyncio.gather(*tasks)
            finally:
                for task in tasks:
                    task.cancel()
                self._tasks.difference_update(tasks)

        return asyncio.run_coroutine_threadsafe(run(), self._loop)

    async def _work(
        self,
        ahead: Iterator[tuple[int, Request]],
        take: Callable[[int, Response | Exception], None],
        watch: Watch | None,
        places: asyncio.Semaphore,
        room: asyncio.Semaphore | None = None,
    ) -> None:
        """Send one request after the other, as long as there are any, each when there is a place under way for it."""
        while True:
            if room is not None:
                await room.acquire()
            await self._pause(watch)
            upcoming = next(ahead, None)
            if upcoming is None:
                return
            position, request = upcoming
            take(position, await self._answer(request, watch, places))

    async def _answer(
        self, request: Request, watch: Watch | None, places: asyncio.Semaphore
    ) -> Response | Exception:
        try:
            attempts = Attempts(request, self._gate, watch)
            while True:
                built = self._built(request)
                async with places:
                    await self._pause(watch)
                    attempts.begin()
                    answer = await _exchanged(built)
                    over = attempts.is_over(answer)  # it may say that the next waits
                if over:
                    break
            answer = attempts.result(answer)
        except Exception as error:  # noqa: BLE001  (raised by the thread that waits)
            return error
        if isinstance(answer, Exception):
            return self._target.no_answer(request, answer)
        return answer

    def _built(self, request: Request) -> ConsumedRequest:
        if self._client is None:
            self._client = self._target.configure(ClientBuilder(), self._mark).build()
        return self._target.build(self._client.request, request).build()

    async def _pause(self, watch: Watch | None) -> None:
        while seconds := self._gate.closed_for(watch):  # noqa: ASYNC110  (time opens it)
            await asyncio.sleep(self._gate.pauses.timeout(seconds))

    def _give_up(self) -> None:
        for task in self._tasks:
            task.cancel()
        self._client = None

    async def _end(self) -> None:
        self._give_up()
        await asyncio.gather(*self._tasks, return_exceptions=True)


async def _exchanged(request: ConsumedRequest) -> Response | Exception:
    try:
        answer = await request.send()
        return to_response(answer, await answer.bytes())
    except Exception as error:  # noqa: BLE001  (judged by whoever asked)
        return error


def _make_room(room: asyncio.Semaphore, count: int) -> None:
    """The reader has taken as many answers as may be under way at once."""
    for _ in range(count):
        room.release()
