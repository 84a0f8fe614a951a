"""A client: it asks doors at random, above all about tokens that are being revoked."""

import asyncio
import random
from collections.abc import Callable, Coroutine, Sequence
from itertools import count

import msgspec
from tests.prove.fleet import Server
from tests.prove.history import TRUSTED, Act, Outcome
from tests.prove.recorder import Recorder
from tests.prove.tokens import Known, Tokens

_WEIGHTS = {"verify": 60, "issue": 11, "rename": 4, "revoke": 11}
_AWAY = 0.02  # seconds to wait after a door that did nothing
_LIVES = range(5, 20)  # seconds that a token has, where it expires
_labels = count(1)


class _Created(msgspec.Struct):
    id: int
    token: str


class Client:
    """Acts until it is stopped.

    Args:
        number: this client's.
        chance: where its choices come from.
        servers: the doors.
        tokens: shared by all clients.
        recorder: shared by all clients.
    """

    def __init__(
        self,
        number: int,
        chance: random.Random,
        servers: Sequence[Server],
        tokens: Tokens,
        recorder: Recorder,
    ) -> None:
        self._number = number
        self._chance = chance
        self._servers = servers
        self._tokens = tokens
        self._recorder = recorder
        self._probes = set[asyncio.Task[Outcome]]()

    async def run(self, enough: Callable[[], bool]) -> None:
        """Act until it is enough, and all that was asked is answered."""
        acts = {
            "verify": self._verify,
            "issue": self._issue,
            "rename": self._rename,
            "revoke": self._revoke,
        }
        names, weights = list(_WEIGHTS), list(_WEIGHTS.values())
        while not enough():
            outcome = await acts[self._chance.choices(names, weights)[0]]()
            if outcome is Outcome.NOTHING:
                await asyncio.sleep(_AWAY)
        await asyncio.gather(*self._probes)

    async def verify(self, server: Server, token: Known) -> Outcome:
        """Ask a door about a token."""
        request = server.wording.verify(token.secret)
        seen, _ = await self._recorder.ask(
            self._number, server, Act.VERIFY, request, by=token.id, target=token.id
        )
        return seen.outcome

    async def _verify(self) -> Outcome:
        token = self._tokens.ending(self._chance) if self._is(0.3) else None
        return await self.verify(self._server(), token or self._good())

    async def _issue(self) -> Outcome:
        server, acting = self._server(), self._good()
        secret, by = self._presented(server, acting)
        label = f"label-{next(_labels)}"
        now = self._recorder.now() + self._recorder.epoch
        expiry = int(now) + self._chance.choice(_LIVES) if self._is(0.1) else None
        request = server.wording.issue(secret, acting.user, label, expiry)
        seen, answer = await self._recorder.ask(
            self._number, server, Act.ISSUE, request, by=by, target=0, label=label
        )
        if seen.outcome is Outcome.DONE:
            created = msgspec.json.decode(answer.body, type=_Created)
            seen.target, seen.handle = created.id, created.token[:16]
            if expiry is not None:
                seen.expiry = expiry - self._recorder.epoch
            self._tokens.add(Known(created.id, created.token, acting.user, seen.expiry))
        return seen.outcome

    async def _rename(self) -> Outcome:
        server, target = self._server(), self._good()
        secret, by = self._presented(server, self._beside(target))
        label = f"label-{next(_labels)}"
        request = server.wording.rename(secret, target.user, target.id, label)
        seen, _ = await self._recorder.ask(
            self._number,
            server,
            Act.RENAME,
            request,
            by=by,
            target=target.id,
            label=label,
        )
        return seen.outcome

    async def _revoke(self) -> Outcome:
        """Revoke a token, at times by two requests at once, and ask every door about it as soon as one is answered."""
        target = self._tokens.take(self._chance, self._recorder.now())
        if target is None:
            return await self._issue()
        if self._is(0.15):
            self._probe(self._revoke_by(self._server(), target, target))
        return await self._revoke_by(self._server(), target, self._beside(target))

    async def _revoke_by(self, server: Server, target: Known, acting: Known) -> Outcome:
        secret, by = self._presented(server, acting)
        request = server.wording.revoke(secret, target.user, target.id)
        seen, _ = await self._recorder.ask(
            self._number, server, Act.REVOKE, request, by=by, target=target.id
        )
        if seen.outcome is Outcome.DONE:
            for each in self._servers:
                if each.runs:
                    self._probe(self.verify(each, target))
        return seen.outcome

    def _probe(self, asking: Coroutine[object, object, Outcome]) -> None:
        task = asyncio.create_task(asking)
        self._probes.add(task)
        task.add_done_callback(self._probes.discard)

    def _server(self) -> Server:
        """Any door; seldom one that is paused, or all clients would soon wait there."""
        while True:
            server = self._chance.choice(self._servers)
            if (server.runs and not server.paused) or self._is(0.05):
                return server

    def _good(self) -> Known:
        """A token that should be good: a root token, at times."""
        token = (
            None
            if self._is(0.2)
            else self._tokens.live(self._chance, self._recorder.now())
        )
        return token or self._tokens.root(self._chance)

    def _beside(self, target: Known) -> Known:
        """Who acts on a token: its user's root token, or itself."""
        return target if self._is(0.3) else self._tokens.roots[target.user]

    def _presented(self, server: Server, acting: Known) -> tuple[str, int]:
        """The secret that a door is shown, and whose it is: a product is trusted without, at times."""
        if server.trusts and self._is(0.5):
            return "", TRUSTED
        return acting.secret, acting.id

    def _is(self, probability: float) -> bool:
        return self._chance.random() < probability
