"""The API as an ASGI application.

Reads run on the loop where they wait for nothing but a local file. Writes wait for the disk, so they run in a thread: those
that wait for it share one commit. A store that is reached over a network is asked in threads for everything but
verdicts, which have a way of their own.
"""

import asyncio
import gc
import os
import traceback
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from time import perf_counter

from patql import config
from patql.api import authorize, headers, problems
from patql.api.api import Api
from patql.api.bodies import LIMIT, limit
from patql.api.oauth import REVOKE
from patql.authority.model import Denied, Granted
from patql.authority.tokens import Parsed
from patql.config import Settings
from patql.faces.http.access_log import AccessLog, request_id, shown, take_over
from patql.faces.http.admin import listen as admin_listener
from patql.faces.http.change import Change
from patql.faces.http.desk import Desk
from patql.faces.http.gate import ALWAYS, Gate
from patql.faces.http.heads import Heads
from patql.faces.http.host import Host
from patql.faces.http.limits import Standing
from patql.faces.http.metrics import Metrics
from patql.faces.http.recent import Recent
from patql.faces.http.visit import Visit
from patql.faces.http.writes import Writes
from patql.kernel import asgi
from patql.kernel.asgi import Message, Receive, Send
from patql.kernel.clock import Clock, SystemClock
from patql.kernel.errors import PatqlError, Problem
from patql.kernel.http import Headers, Request, Response

THREADS = 32
"""How many requests may wait for the store at once."""
FLUSH = 5.0
"""How long uses may wait to be kept, in seconds."""
TOO_MANY = "Too many requests"

# Only over TLS: it means nothing elsewhere, and must not be sent there (RFC 6797, section 7.2).
HSTS = (b"strict-transport-security", b"max-age=31536000")


def application(host: Host) -> "App":
    """The application that the environment's settings describe; each worker calls this."""
    from patql.compose import api_from_environment

    made = App(api_from_environment(), config.read(os.environ), host)
    # What there is by now stays: it needn't be looked through for what nobody uses any more.
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000)
    return made


def log() -> AccessLog:
    """What a process that has no application writes by."""
    settings = config.read(os.environ)
    made = AccessLog(to_stderr, SystemClock(), json=settings.log == "json")
    if settings.log == "json":
        take_over(made)
    return made


def to_stderr(text: bytes) -> None:
    """Write all of it; a log that can't be written doesn't stop the service."""
    with suppress(OSError):
        while text:
            text = text[os.write(2, text) :]


class App:
    """An ASGI 3 application.

    Args:
        api: what answers; it is closed with the application.
        settings: limits, proxies, and the form of the log.
        host: what it shares with other workers; omitted where there are none.
        write: takes log lines.
        clock: where the present comes from.
    """

    def __init__(
        self,
        api: Api,
        settings: Settings,
        host: Host | None = None,
        write: Callable[[bytes], object] = to_stderr,
        clock: Clock | None = None,
    ) -> None:
        self._api = api
        self._host = host or Host()
        self.desk = Desk(
            api.authority,
            settings,
            self._host,
            api.templates,
            write,
            clock or SystemClock(),
        )
        if settings.log == "json":
            take_over(self.desk.log)
        self.gate = Gate(self.desk, self._report)
        self.heads = Heads()
        self.changes = Recent[Change]()
        self.inline = api.authority.inline
        self._writes = Writes(api, self._report)
        self._threads = ThreadPoolExecutor(THREADS, "patql-store")

    def close(self) -> None:
        """Finish what is being written, and let go of everything; the application can't be used afterwards."""
        self._writes.close()
        self._threads.shutdown()
        self._keep_uses()
        self.desk.close()
        self._api.close()

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer one request, or follow the server's life."""
        if scope["type"] == "http":
            if scope["raw_path"].startswith(authorize.PATH):
                target = scope["raw_path"]
                if scope["query_string"]:
                    target += b"?" + scope["query_string"]
                if authorize.is_meant(target):
                    await self._authorize(target, scope, send)
                    return
            await self._http(scope, receive, send)
        elif scope["type"] == "lifespan":
            await self._lifespan(receive, send)

    @property
    def metrics(self) -> Metrics:
        """What all workers of the host have done."""
        return self.desk.metrics

    async def is_ready(self) -> bool:
        """Whether the store can be read, and is one that this version reads."""
        read = self._api.authority.is_empty
        try:
            if self.inline:
                read()
            else:
                await asyncio.get_running_loop().run_in_executor(self._threads, read)
        except PatqlError as error:
            self._report(error)
            return False
        return True

    def enter(
        self,
        request: Request,
        client: str,
        secret: bytes | None,
        presented: Parsed | None = None,
    ) -> tuple[Visit, Response | None]:
        """A request comes in.

        Args:
            request: what was sent.
            client: the address that it came from.
            secret: the credential that came with it.
            presented: what is left of that where it has been read before.

        Returns:
            What is known of it, and the answer of one that goes too far.
        """
        now = self.desk.now()
        visit = Visit(self._api.authority, request, client, now, secret, presented)
        standing, too_far = self.desk.limited(client, visit.secret, now)
        if standing is None and request.path == REVOKE:  # its secret is in the body
            standing = self.desk.failing(client, now)
            too_far = standing is not None
        visit.standing = standing
        if standing is not None and too_far:
            return visit, _too_many(standing, now)
        return visit, None

    def write(self, visit: Visit, deliver: Callable[[Response], None]) -> None:
        """Have a request answered that may change something; for a store that is a local file."""
        self._writes.take(
            visit.request,
            visit.verify,
            lambda response: deliver(self._leave(visit, response)),
        )

    def note(self, visit: Visit, response: Response) -> None:
        """Take note of what a request was answered."""
        request = visit.request
        if self._api.writes(request):
            self.desk.metrics.write(response.status)
        self.desk.note(
            self._api.template(request.path),
            visit.now,
            visit.client,
            shown(visit.secret),
            request.method,
            request.path,
            response.status,
            len(response.body),
            perf_counter() - visit.begun,
            request_id(request.headers) if self.desk.log.is_json else "",
        )

    async def _http(self, scope: Message, receive: Receive, send: Send) -> None:
        path: str = scope["path"]
        head = asgi.unread(scope, path)
        peer = scope["client"]
        client = self.desk.client(peer and peer[0], head.headers)
        visit, response = self.enter(head, client, authorize.credential(head.headers))
        if response is None and limit(path) > LIMIT:
            response = await self._stranger(visit)
        if response is None:
            request = await asgi.read(scope, receive, path, limit(path))
            if request is None:
                return
            visit.request = request
            response = self._leave(visit, await self._response(visit))
        further: Headers = [HSTS] if scope["scheme"] == "https" else []
        await asgi.respond(send, head.method, response, further)
        self.note(visit, response)

    async def _stranger(self, visit: Visit) -> Response | None:
        """The answer to whoever may not do what takes a long body, of which nothing has been read; None for others."""
        asked = self._api.asks(visit.request)
        if asked is None:
            return None
        try:
            verdict = await self._api.authority.verify_async(*asked)
        except PatqlError:
            return None  # it is answered so when all has been read
        if isinstance(verdict, Granted):
            return None
        visit.heard.append((verdict, asked[0]))

        def denied(_secret: bytes, _needs: Sequence[str]) -> Denied:
            return verdict

        response = self._api.handle(visit.request, self._report, denied)
        return self._leave(visit, response)

    async def _response(self, visit: Visit) -> Response:
        request, api = visit.request, self._api
        if self.inline:
            if api.writes(request):
                return await self._writes.answer(request, visit.verify)
            return api.handle(request, self._report, visit.verify)
        if (asked := api.asks(request)) is not None:
            await visit.ask(asked)
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(
            self._threads, api.handle, request, self._report, visit.verify
        )

    def _leave(self, visit: Visit, response: Response) -> Response:
        for verdict, presented in visit.heard:
            self.desk.tell(verdict, presented, visit.client, visit.now)
        if visit.standing is None:
            return response
        lines = _pairs(visit.standing.lines())
        return Response(response.status, [*response.headers, *lines], response.body)

    async def _authorize(self, target: bytes, scope: Message, send: Send) -> None:
        peer, sent = scope["client"], scope["headers"]
        client = self.desk.client(peer and peer[0], sent)
        question = self.gate.read(target, sent, scope["method"])
        if self.inline:
            answer = self.gate.answer(question, client)
        else:
            answer = await self.gate.answer_async(question, client)
        headers = _pairs(ALWAYS + answer.lines)
        if scope["scheme"] == "https":
            headers.append(HSTS)
        start = {"type": "http.response.start", "status": answer.status}
        await send({**start, "headers": headers})
        await send({"type": "http.response.body"})

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        await receive()
        beside = asyncio.create_task(self._work_beside())
        admin = self._host.admin and await admin_listener(self, self._host.admin)
        await send({"type": "lifespan.startup.complete"})
        await receive()
        beside.cancel()
        if admin is not None:
            admin.close()
        self.close()
        await send({"type": "lifespan.shutdown.complete"})

    async def _work_beside(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(FLUSH)
            self.desk.metrics.process()
            self.gate.recent.forget()
            self.changes.forget()
            await loop.run_in_executor(self._threads, self._keep_uses)

    def _keep_uses(self) -> None:
        """Keep when tokens were last used; what can't be kept is lost, and only told."""
        uses = self.desk.uses.take()
        if not uses:
            return
        try:
            self._api.authority.use(uses)
        except PatqlError as error:
            self._report(error)

    def _report(self, error: Exception) -> None:
        """Tell what a client isn't told; of a failure that has a name, its name is enough."""
        if isinstance(error, PatqlError):
            told = f"{error.code}: {error}\n"
        else:
            told = "".join(traceback.format_exception(error))
        self.desk.log.tell("error", "failure", told)


def _too_many(standing: Standing, now: float) -> Response:
    sent = [
        *headers.PLAIN,
        *_pairs(standing.lines()),
        (b"retry-after", b"%d" % standing.wait(now)),
    ]
    return Response(429, sent, problems.body([Problem(TOO_MANY)]))


def _pairs(lines: bytes) -> Headers:
    """Header lines as pairs."""
    pairs: Headers = []
    for line in lines.split(b"\r\n")[:-1]:
        name, _, value = line.partition(b": ")
        pairs.append((name, value))
    return pairs
