"""One run: a fleet over one database, clients, the nemesis, and whether their history can be."""

import asyncio
import random
import re
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit

import msgspec
from tests.postgres import Cluster
from tests.prove import setup
from tests.prove.audit import check_audit
from tests.prove.checker import check, check_listed
from tests.prove.client import Client
from tests.prove.fleet import PATQL_SERVE, Server, product, served, until_listening
from tests.prove.history import Outcome
from tests.prove.lines import lines
from tests.prove.nemesis import Nemesis
from tests.prove.proxy import Proxy
from tests.prove.recorder import Recorder
from tests.prove.report import Report
from tests.prove.tokens import Tokens
from tests.prove.troubles import Trouble, Troublemaker
from tests.prove.violation import Rule, Violation

from patql.authority.authority import Authority
from patql.kernel.secrets import redact

_CLIENTS = 48
_RECOVERY = 60.0  # seconds
_AGAIN = 0.1
_SLOWEST = 50  # operations a second, below which the service has not recovered
_REVOCATIONS = 20  # of so many operations, at least one is an acknowledged revocation
_FAULTS = 5  # as fast as operations may be, so much must go wrong meanwhile
_UNHELPFUL = frozenset({Outcome.NOTHING, Outcome.UNKNOWN})
_WRONG = re.compile(
    # 12 are public; a line that a kill or a full disk cut off goes on with the next one's year.
    r"Traceback|pql_[0-9A-Za-z]{17}"
)  # or more of a token than may be shown
_SHOWN = 4000  # characters of a log


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """What to run.

    Attributes:
        database: the URL of an empty database.
        folder: for logs and keys.
        servers: how many.
        products: how many beside them.
        operations: how many must be answered.
        seed: of all that is left to chance.
        serve: the command that serves.
        cluster: the PostgreSQL of the database, which is then crashed and cut off.
        trouble: what goes wrong, at times, instead of all else.
    """

    database: str
    folder: Path
    servers: int = 4
    products: int = 2
    operations: int = 10_000
    seed: int = 0
    serve: Sequence[str] = PATQL_SERVE
    cluster: Cluster | None = None
    trouble: Trouble | None = None


async def prove(options: Options) -> Report:
    """Run, and check what happened."""
    admin = setup.make(options.database, options.folder)
    recorder = Recorder()
    with setup.opened(options.database, options.folder) as authority:
        tokens = Tokens(setup.roots(authority, recorder))
    with ExitStack() as stack:
        proxies = await _proxies(options, stack)
        servers = _fleet(options, admin, proxies)
        for server in servers:
            server.start()
            stack.callback(server.stop)
        for server in servers:
            await until_listening(server)
        chance = random.Random(f"{options.seed}-nemesis")
        nemesis = (
            Nemesis(chance, servers, proxies, options.cluster)
            if options.trouble is None
            else Troublemaker(chance, servers, options.trouble)
        )
        began = recorder.now()
        await _run(options, servers, tokens, recorder, nemesis)
        seconds = recorder.now() - began
        await _look_again(options, servers, tokens, recorder)
    with setup.opened(options.database, options.folder) as authority:
        violations = [
            *check(recorder.history),
            *check_audit(recorder.history, list(lines(authority))),
            *_check_lists(authority, tokens, recorder),
            *_check_logs(servers),
            *_check_chains(authority),
        ]
    return Report(seconds, recorder.history, nemesis.done, violations, nemesis.times)


async def _proxies(options: Options, stack: ExitStack) -> dict[str, Proxy]:
    """A wire to PostgreSQL for each server."""
    proxies = dict[str, Proxy]()
    if options.cluster is not None:
        for name in _names(options):
            proxies[name] = proxy = Proxy(options.cluster.port)
            await proxy.start()
            stack.callback(proxy.close)
    return proxies


def _fleet(options: Options, admin: str, proxies: dict[str, Proxy]) -> list[Server]:
    servers = list[Server]()
    for name in _names(options):
        database = options.database
        if proxy := proxies.get(name):
            port = urlsplit(database).port
            database = database.replace(f":{port}/", f":{proxy.port}/")
        if name.startswith("product"):
            servers.append(product(name, options.folder, database))
        else:
            servers.append(served(name, options.folder, database, admin, options.serve))
    return servers


def _names(options: Options) -> list[str]:
    return [
        *(f"server-{number}" for number in range(1, options.servers + 1)),
        *(f"product-{number}" for number in range(1, options.products + 1)),
    ]


async def _run(
    options: Options,
    servers: Sequence[Server],
    tokens: Tokens,
    recorder: Recorder,
    nemesis: Nemesis | Troublemaker,
) -> None:
    """Clients and nemesis, until enough was answered and everything has recovered."""

    def enough() -> bool:
        revocations = options.operations / _REVOCATIONS
        return (
            recorder.answered >= options.operations
            and recorder.revoked >= revocations
            and (options.trouble is not None or nemesis.done.total() >= _FAULTS)
        )

    longest = _RECOVERY + options.operations / _SLOWEST
    async with asyncio.timeout(longest), asyncio.TaskGroup() as group:
        group.create_task(nemesis.run(enough))
        for number in range(_CLIENTS):
            chance = random.Random(f"{options.seed}-{number}")
            client = Client(number, chance, servers, tokens, recorder)
            group.create_task(client.run(enough))


async def _look_again(
    options: Options, servers: Sequence[Server], tokens: Tokens, recorder: Recorder
) -> None:
    """When all is well again, any door knows of any token whether it is good."""
    left = list(tokens.every.values())

    async def look(number: int) -> None:
        chance = random.Random(f"{options.seed}-again-{number}")
        client = Client(number, chance, servers, tokens, recorder)
        while left:
            token = left.pop()
            if await client.verify(chance.choice(servers), token) in _UNHELPFUL:
                left.append(token)
                await asyncio.sleep(_AGAIN)

    async with asyncio.timeout(_RECOVERY), asyncio.TaskGroup() as group:
        for number in range(_CLIENTS):
            group.create_task(look(number))


def _check_lists(
    authority: Authority, tokens: Tokens, recorder: Recorder
) -> list[Violation]:
    at = recorder.now()
    users = {setup.FOUNDER, *tokens.roots}
    listed = {token.id for user in users for token in authority.list(user)}
    return check_listed(recorder.history, listed, at)


def _check_logs(servers: Sequence[Server]) -> Iterator[Violation]:
    """No server may have written down a secret, or failed in a way that it doesn't know."""
    for server in servers:
        text = server.log.read_text(errors="replace")
        if found := _WRONG.search(text):
            shown = redact(text[found.start() :][:_SHOWN])
            yield Violation(Rule.BROKEN, 0, f"the log of {server.name}: {shown}")


def _check_chains(authority: Authority) -> list[Violation]:
    """No line of the audit may have been lost or moved behind its writer's back."""
    faults = authority.admin.examine().faults
    return [Violation(Rule.CHAIN, 0, fault) for fault in faults]
