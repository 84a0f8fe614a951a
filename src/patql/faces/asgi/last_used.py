"""When a product's tokens were last used: kept beside requests, some seconds later."""

import asyncio

from patql.api.uses import Uses
from patql.authority.authority import Authority
from patql.authority.model import Denied, Granted
from patql.faces.asgi.refusals import report
from patql.kernel.asgi import Message, Receive
from patql.kernel.clock import Clock, SystemClock
from patql.kernel.errors import PatqlError

UNIX = "unix"
"""The address of whoever comes by a Unix socket."""
DELAY = 5.0
"""How long a use may wait to be kept, in seconds."""


class LastUsed:
    """Gathers uses, and has a thread keep them; what can't be kept is lost, and only logged."""

    def __init__(self, authority: Authority, clock: Clock | None = None) -> None:
        self._authority = authority
        self._clock = clock or SystemClock()
        self._uses = Uses()

    def note(self, verdict: Granted | Denied, scope: Message) -> None:
        """Note that a token was used on a connection; on its loop."""
        if not isinstance(verdict, Granted) or not verdict.handle:
            return
        peer = scope.get("client")
        address = peer[0] if peer else UNIX
        if self._uses.note(verdict.handle, self._clock.now(), address):
            asyncio.get_running_loop().call_later(DELAY, self._begin)

    def keep(self) -> None:
        """Keep what was noted; it waits for the store."""
        uses = self._uses.take()
        if not uses:
            return
        try:
            self._authority.use(uses)
        except PatqlError as error:
            report(error)

    def until_the_end(self, receive: Receive) -> Receive:
        """What a server tells of its life; before it tells of the end, all is kept."""

        async def told() -> Message:
            message = await receive()
            if message["type"] == "lifespan.shutdown":
                await asyncio.to_thread(self.keep)
            return message

        return told

    def _begin(self) -> None:
        loop = asyncio.get_running_loop()
        self._keeping = loop.run_in_executor(None, self.keep)
