"""A client: it asks doors at random, above all about tokens that are being revoked."""

import asyncio
import random
from collections.abc import Callable, Coroutine, Sequence
from itertools import count

import msgspec
from tests.prove.fleet import Server
from tests.prove.history import TRUSTED, Act, Operation, Outcome
from tests.prove.recorder import Recorder
from tests.prove.setup import FOUNDERS_TOKEN
from tests.prove.tokens import Known, Tokens
from tests.prove.wording import Created, Several

_READERS = 12  # one client in so many changes nothing
_AWAY = 0.05  # seconds to wait after a door that was in trouble
_LIVES = range(5, 20)  # seconds that a token has, where it expires
_SEVERAL = range(2, 8)
_AGAIN = 3  # times that a request is sent again whose answer was lost
_serial = count(1)


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
        """Act until it is enough, and all that was asked is answered.

        Some clients only verify: they go on where changes wait for each other.
        """
        weights = {self._verify: 40.0}
        if self._number % _READERS:
            weights |= {
                self._issue: 11.0,
                self._rename: 4.0,
                self._revoke: 10.0,
                self._surrender: 1.5,
                self._issue_many: 0.6,
                self._revoke_many: 0.8,
                self._suspend: 0.3,
                self._resume: 0.1,
            }
        acts, odds = list(weights), list(weights.values())
        while not enough():
            outcome = await self._chance.choices(acts, odds)[0]()
            if outcome in {Outcome.NOTHING, Outcome.UNKNOWN}:
                await asyncio.sleep(_AWAY)
        await asyncio.gather(*self._probes)

    async def verify(self, server: Server, token: Known) -> Outcome:
        """Ask a door about a token."""
        request = server.wording.verify(token.secret, self._chance.randrange(60))
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
        now = self._recorder.now() + self._recorder.epoch
        expiry = int(now) + self._chance.choice(_LIVES) if self._is(0.1) else None
        label = f"label-{next(_serial)}"
        request = server.wording.issue(secret, acting.user, label, expiry)
        seen, answer = await self._recorder.ask(
            self._number,
            server,
            Act.ISSUE,
            request,
            by=by,
            target=0,
            label=label,
            user=acting.user,
        )
        if expiry is not None:
            seen.expiry = expiry - self._recorder.epoch
        if seen.outcome is Outcome.DONE:
            created = msgspec.json.decode(answer.body, type=Created)
            self._tokens.add(_known(seen, created))
        return seen.outcome

    async def _issue_many(self) -> Outcome:
        """Several tokens in one request, which is sent again where the answer is lost."""
        acting = self._good()
        labels = [f"label-{next(_serial)}" for _ in range(self._several())]
        key = f"key-{self._chance.getrandbits(128):032x}"
        server = self._server()
        outcome = await self._issue_these(server, acting, labels, key)
        for _ in range(_AGAIN if not server.trusts else 0):
            if outcome is Outcome.UNKNOWN:
                server = self._chance.choice([s for s in self._servers if not s.trusts])
                outcome = await self._issue_these(server, acting, labels, key)
        return outcome

    async def _issue_these(
        self, server: Server, acting: Known, labels: list[str], key: str
    ) -> Outcome:
        secret, by = self._presented(server, acting)
        request = server.wording.issue_many(secret, acting.user, labels, key)
        seen, answer = await self._recorder.ask(
            self._number, server, Act.ISSUE, request, by=by, target=0, user=acting.user
        )
        parts = self._recorder.split(seen, len(labels))
        for part, label in zip(parts, labels, strict=True):
            part.label = label
        if seen.outcome is Outcome.DONE:
            created = msgspec.json.decode(answer.body, type=Several).tokens
            for part, one in zip(parts, created, strict=True):
                self._tokens.add(_known(part, one))
        return seen.outcome

    async def _rename(self) -> Outcome:
        server, target = self._server(), self._good()
        secret, by = self._presented(server, self._beside(target))
        label = f"label-{next(_serial)}"
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
        """Revoke a token, at times by two requests at once."""
        target = self._tokens.take(self._chance, self._recorder.now())
        if target is None:
            return await self._issue()
        if self._is(0.15):
            self._begin(self._revoke_by(target, target))
        return await self._revoke_by(target, self._beside(target))

    async def _revoke_by(self, target: Known, acting: Known) -> Outcome:
        server = self._server()
        secret, by = self._presented(server, acting)
        request = server.wording.revoke(secret, target.user, target.id)
        seen, _ = await self._recorder.ask(
            self._number, server, Act.REVOKE, request, by=by, target=target.id
        )
        self._ask_all_if_done(seen, [target])
        return seen.outcome

    async def _surrender(self) -> Outcome:
        target = self._tokens.take(self._chance, self._recorder.now())
        if target is None:
            return await self._issue()
        server = self._server()
        request = server.wording.surrender(target.secret)
        seen, _ = await self._recorder.ask(
            self._number, server, Act.SURRENDER, request, by=target.id, target=target.id
        )
        self._ask_all_if_done(seen, [target])
        return seen.outcome

    async def _revoke_many(self) -> Outcome:
        """Revoke several tokens of a user in one request, or one with all that descends from it."""
        first = self._tokens.take(self._chance, self._recorder.now())
        if first is None:
            return await self._issue()
        cascade = self._is(0.5)
        targets = [first]
        if not cascade:
            targets += self._tokens.take_beside(first, self._several())
        server = self._server()
        secret, by = self._presented(server, self._tokens.roots[first.user])
        ids = [target.id for target in targets]
        request = server.wording.revoke_many(secret, first.user, ids, cascade=cascade)
        seen, _ = await self._recorder.ask(
            self._number, server, Act.REVOKE, request, by=by, target=first.id
        )
        seen.cascade = cascade
        if seen.outcome is Outcome.ABSENT and len(ids) > 1:
            seen.outcome = Outcome.NOTHING  # one of them had ended, nobody says which
        parts = self._recorder.split(seen, len(ids))
        for part, target in zip(parts, ids, strict=True):
            part.target = target
        self._ask_all_if_done(seen, targets)
        return seen.outcome

    async def _suspend(self) -> Outcome:
        """Suspend or remove a user, and make another whose turn will come."""
        await self._make_user()
        user = self._tokens.doomed() if self._is(0.7) else None
        if user is None:
            return Outcome.DONE
        server, for_ever = self._server(), self._is(0.5)
        request = server.wording.suspend(user, for_ever=for_ever)
        seen = await self._administer(server, Act.SUSPEND, request, user)
        if seen.outcome is Outcome.DONE and not for_ever:
            self._tokens.add_suspended(user)
        return seen.outcome

    async def _resume(self) -> Outcome:
        """Give a user back what a suspension took."""
        user = self._tokens.suspended()
        if user is None:
            return Outcome.DONE
        server = self._server()
        request = server.wording.resume(user)
        seen = await self._administer(server, Act.RESUME, request, user)
        return seen.outcome

    async def _administer(
        self, server: Server, act: Act, request: bytes, user: str
    ) -> Operation:
        by = TRUSTED if server.trusts else FOUNDERS_TOKEN
        seen, _ = await self._recorder.ask(
            self._number,
            server,
            act,
            request,
            by=by,
            target=0,
            label=user,
            user=user,
        )
        self._ask_all_if_done(seen, self._tokens.of_user(user))
        return seen

    async def _make_user(self) -> None:
        """A product makes a user by issuing them a token."""
        products = [each for each in self._servers if each.trusts]
        if not products:
            return
        server = self._chance.choice(products)
        user = f"doomed-{next(_serial)}"
        request = server.wording.issue("", user, user, None)
        seen, answer = await self._recorder.ask(
            self._number,
            server,
            Act.ISSUE,
            request,
            by=TRUSTED,
            target=0,
            label=user,
            user=user,
        )
        if seen.outcome is Outcome.DONE:
            created = msgspec.json.decode(answer.body, type=Created)
            self._tokens.add_doomed(_known(seen, created))

    def _ask_all_if_done(self, seen: Operation, targets: Sequence[Known]) -> None:
        """As soon as tokens have ended, ask every door about them."""
        if seen.outcome is Outcome.DONE:
            for server in self._servers:
                if server.runs:
                    self._begin(self.verify(server, self._chance.choice(targets)))

    def _begin(self, asking: Coroutine[object, object, Outcome]) -> None:
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
        now = self._recorder.now()
        token = None if self._is(0.2) else self._tokens.live(self._chance, now)
        return token or self._tokens.root(self._chance)

    def _beside(self, target: Known) -> Known:
        """Who acts on a token: its user's root token, or itself."""
        return target if self._is(0.3) else self._tokens.roots[target.user]

    def _presented(self, server: Server, acting: Known) -> tuple[str, int]:
        """The secret that a door is shown, and whose it is: a product is trusted without, at times."""
        if server.trusts and self._is(0.5):
            return "", TRUSTED
        return acting.secret, acting.id

    def _several(self) -> int:
        return self._chance.choice(_SEVERAL)

    def _is(self, probability: float) -> bool:
        return self._chance.random() < probability


def _known(issue: Operation, created: Created) -> Known:
    """What an issue made; its record learns of it, too."""
    issue.target, issue.handle = created.id, created.token[:16]
    return Known(created.id, created.token, issue.user, issue.expiry)
