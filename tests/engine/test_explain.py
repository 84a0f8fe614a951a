"""EXPLAIN tells what a statement would ask for and asks for nothing; EXPLAIN ANALYZE tells what a query has asked for."""

import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.conftest import Serving
from tests.engine.conftest import NOON, Script, World
from tests.engine.served import JSON, Served
from tests.engine.shop import FILE, Shop, provider
from tests.engine.test_fetch import page
from tests.engine.test_mutations import CASES as MUTATIONS
from tests.engine.test_mutations import Wire, answers_of, catalog
from tests.engine.test_queries import CASES as QUERIES

from patql.catalog.load import builtin
from patql.catalog.names import Catalog
from patql.engine.ports import Transport, Watch
from patql.engine.quantities import duration, number, size
from patql.engine.session import Session
from patql.engine.state import Options
from patql.kernel.clock import ManualClock
from patql.kernel.errors import Code, PatqlError
from patql.kernel.http import Request, Response
from patql.kernel.secrets import Secret
from patql.rest.http import HttpTransport

Case = dict[str, Any]

CASES: list[Case] = yaml.safe_load(
    Path(__file__).with_name("explain.yaml").read_text("utf-8")
)
SHOP: list[Case] = FILE["cases"]
TOKENS = Catalog((builtin("linode"),))
CATALOGS = {
    "tokens": TOKENS,
    "shop": Catalog((provider("acme"), provider("rival"))),
    "acme": catalog(),
}
OURS = "SELECT id FROM linode.profile.tokens"
"""After it, the session knows that the server is one of ours."""

PLANNING = {Code.SYNTAX, Code.UNKNOWN_NAME, Code.MISSING_PARAMETER, Code.UNSUPPORTED}
"""Why a statement can't be planned, whatever servers say."""


SERVER = "https://api.example.com/v4"


class Unreachable:
    """A Transport that must not be used."""

    acting: str | None = "pql_0123456789ab"

    def __init__(self, target: str = "embedded") -> None:
        self.target = target

    def send(
        self, requests: Sequence[Request], concurrency: int, watch: Watch | None = None
    ) -> Iterator[Response]:
        """Fail."""
        pytest.fail(f"{requests} were sent")

    def cancel(self) -> None:
        """Nothing is under way."""

    def close(self) -> None:
        """Nothing to let go of."""


class Counting:
    """The Transport port over another, which counts answers and their bytes."""

    acting: str | None = None

    def __init__(self, inner: Transport) -> None:
        self._inner = inner
        self.target = inner.target
        self.requests = self.bytes = 0

    def send(
        self, requests: Sequence[Request], concurrency: int, watch: Watch | None = None
    ) -> Iterator[Response]:
        """The answers."""
        for response in self._inner.send(requests, concurrency, watch):
            self.requests += 1
            self.bytes += len(response.body)
            yield response

    def cancel(self) -> None:
        """Cancel the other's."""
        self._inner.cancel()

    def close(self) -> None:
        """Close the other."""
        self._inner.close()


def plan(session: Session, sql: str) -> list[str]:
    """The lines that a statement tells."""
    (result,) = session.run(sql)
    assert [(c.name, c.type) for c in result.columns] == [("plan", "VARCHAR")]
    return [line for (line,) in result.rows()]


def attempt(session: Session, sql: str) -> tuple[list[Any], PatqlError | None]:
    """The rows of a statement, or why there are none."""
    rows: list[Any] = []
    try:
        for result in session.run(sql):
            rows = result.rows()
    except PatqlError as error:
        return rows, error
    return rows, None


def offline(of: str, target: str = "embedded", **options: Any) -> Session:  # noqa: ANN401  (those of Options)
    """A session that can ask no server for anything."""
    nowhere = {"rival": Unreachable()} if of == "shop" else None
    return Session(
        CATALOGS[of],
        Unreachable(target),
        ManualClock(NOON),
        Script(),
        transports=nowhere,
        options=Options(**options),
    )


def named(cases: Sequence[Case]) -> list[str]:
    """What to call each case."""
    return [f"{n}-{case['sql'][:70]}" for n, case in enumerate(cases)]


def single(cases: Sequence[Case]) -> list[Case]:
    """The cases of one statement that isn't explained already."""
    with offline("tokens") as session:
        alone = [case for case in cases if len(session.statements(case["sql"])) == 1]
    return [case for case in alone if not case["sql"].startswith("EXPLAIN")]


@pytest.mark.parametrize("case", CASES, ids=named(CASES))
def test_case(case: Case) -> None:
    """Each line is there, after the one before."""
    target = SERVER if case.get("http") else "embedded"
    with offline(case["of"], target) as session:
        if case.get("warm"):
            session.state.versioned.add(session.state.transport.target)
        told = plan(session, f"EXPLAIN {case['sql']}")
    lines = iter(line.strip() for line in told)
    assert [line for line in case["lines"] if line not in lines] == [], told
    assert "without" not in case or case["without"] not in "\n".join(told)


def test_inputs_are_indented() -> None:
    """A line about what another one takes stands under it."""
    with offline("tokens") as session:
        told = plan(session, f"EXPLAIN {OURS} WHERE length(label) = 2 ORDER BY label")
    assert told[0] == "read linode.profile.tokens"
    assert told[1].startswith("  method: ")
    computed = told[told.index("compute") :]
    assert [len(line) - len(line.lstrip()) for line in computed] == [0, 2, 4, 6, 0]


def refused_alike(of: str, case: Case, run: PatqlError | None, sent: int) -> list[str]:
    """EXPLAIN of a case asks for nothing, and refuses what can't be planned as running it does; the plan's lines."""
    conditions = {"concurrency": case.get("concurrency", 16)}
    with offline(of, **conditions) as session:
        rows, error = attempt(session, f"EXPLAIN\n{case['sql']}")
    if error is not None:
        assert run is not None
        placed = error.message.replace("(line 2,", "(line 1,")
        assert (error.code, placed) == (run.code, run.message)
    elif run is not None and not sent:
        assert run.code not in PLANNING
    return [line for (line,) in rows]


EXACT = re.compile(r"  requests: (none|[\d,]+)($|, one for|, whose|, since)")


def exactly(told: Sequence[str]) -> int | None:
    """How many requests a plan says, None where it says no one number."""
    if any(line.startswith("  or: ") for line in told):
        return None
    counts = [EXACT.match(line) for line in told if line.startswith("  requests: ")]
    found = [count[1] for count in counts if count is not None]
    if len(found) < len(counts):
        return None
    return sum(0 if one == "none" else int(one.replace(",", "")) for one in found)


def is_query(case: Case) -> bool:
    """Whether a case is one that ANALYZE runs."""
    text: str = case["sql"]
    return text.lstrip("( ").upper().startswith(("SELECT", "WITH", "FROM"))


def check_query(case: Case, of: str, session: Session, sent: list[str]) -> None:
    """What EXPLAIN and EXPLAIN ANALYZE tell of a query is what running it takes."""
    rows, error = attempt(session, case["sql"])
    told = refused_alike(of, case, error, len(sent))
    if error is not None or not is_query(case):
        return
    assert exactly(told) in (None, len(sent))
    sent.clear()
    analysis = plan(session, f"EXPLAIN ANALYZE {case['sql']}")
    assert made(analysis, "request") == len(sent)
    (returned,) = (line for line in analysis if line.startswith("returned: "))
    assert returned.startswith(f"returned: {number(len(rows), 'row')} after ")


def made(analysis: Sequence[str], what: str) -> int:
    """How many requests, or rows, all steps have taken."""
    lines = [line for line in analysis if line.startswith("  made: ")]
    found = [re.search(rf"([\d,]+) {what}", line) for line in lines]
    return sum(int(each[1].replace(",", "")) for each in found if each)


QUERIED = [case for case in single(QUERIES) if is_query(case)]


@pytest.fixture(scope="module")
def tokens(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """An authority and a session, for queries that change nothing."""
    world = World(tmp_path_factory.mktemp("tokens"))
    yield world
    world.session.close()


@pytest.mark.parametrize("case", QUERIED, ids=named(QUERIED))
def test_queries_cost_what_is_told(tokens: World, case: Case) -> None:
    """For the queries of queries.yaml."""
    tokens.session.state.versioned.clear()
    tokens.transport.sent.clear()
    check_query(case, "tokens", tokens.session, tokens.transport.sent)


SOLD = [c for c in single(SHOP) if not c.keys() & {"changes", "fails", "warm"}]


@pytest.mark.parametrize("case", SOLD, ids=named(SOLD))
def test_queries_of_many_resources_cost_what_is_told(case: Case) -> None:
    """For the cases of resources.yaml in which nothing changes meanwhile."""
    sent: list[str] = []
    with Session(
        CATALOGS["shop"],
        Shop(sent),
        ManualClock(NOON),
        Script(),
        transports={"rival": Shop(sent, ours=False)},
        options=Options(concurrency=case.get("concurrency", 16)),
    ) as session:
        check_query(case, "shop", session, sent)


CHANGED = [c for c in single(MUTATIONS) if not c.get("dry")]


@pytest.mark.parametrize("case", CHANGED, ids=named(CHANGED))
def test_changes_are_refused_alike(case: Case) -> None:
    """For every case of mutations.yaml."""
    wire = Wire(answers_of(case))
    with Session(catalog(), wire, ManualClock(NOON), Script()) as session:
        _, error = attempt(session, case["sql"])
    refused_alike("acme", case, error, len(wire.sent))


@pytest.mark.parametrize(
    "sql",
    [
        "DELETE FROM linode.profile.tokens WHERE id = 2",
        "INSERT INTO linode.profile.tokens (label) VALUES ('x')",
        "UPDATE linode.profile.tokens SET label = 'x' WHERE id = 2",
        "EXEC linode.profile.tokens.getPersonalAccessToken @tokenId = 2",
        "CREATE TABLE kept AS SELECT 1 AS a",
        "SHOW PROVIDERS",
    ],
)
def test_analyze_changes_nothing(sql: str) -> None:
    """It runs queries only, and says what to do for others."""
    with (
        offline("tokens") as session,
        pytest.raises(PatqlError, match="for a SELECT alone") as refused,
    ):
        list(session.run(f"EXPLAIN ANALYZE {sql}"))
    assert refused.value.code is Code.UNSUPPORTED
    assert "--dry-run" in str(refused.value)


def test_explained_table_is_not_made() -> None:
    """EXPLAIN leaves local tables as they are."""
    with offline("tokens") as session:
        plan(session, "EXPLAIN CREATE TABLE kept AS SELECT 1 AS a")
        with pytest.raises(PatqlError, match="kept"):
            list(session.run("SELECT * FROM kept"))


def test_use_completes_names() -> None:
    """What is told is told of whole names, and of the document's methods."""
    with offline("tokens") as session:
        list(session.run("USE linode.profile"))
        told = plan(session, "EXPLAIN SELECT id FROM tokens")
    assert told[0] == "read linode.profile.tokens"
    assert told[1].endswith("the only method that needs no parameter")


class Slow(Served):
    """A server that says "later" twice before it answers."""

    def send(
        self, requests: Sequence[Request], concurrency: int, watch: Watch | None = None
    ) -> Iterator[Response]:
        """The answers, after the transport has told of waiting."""
        for _ in range(2):
            if watch is not None:
                watch.waiting(0.75)
                watch.retried()
        yield from super().send(requests, concurrency)


def test_analyze_tells_what_each_step_took() -> None:
    """Requests, bytes, rows, requests that were sent again, and waiting."""
    body = page(range(1, 3), 1, 2)
    served = Slow({"GET /profile/tokens?page=1&page_size=500": body})
    with Session(TOKENS, served, ManualClock(NOON), Script()) as session:
        told = plan(
            session, "EXPLAIN ANALYZE SELECT sum(id) FROM linode.profile.tokens"
        )
    (line,) = (line for line in told if line.startswith("  made: "))
    size_ = f"{len(body.body)} B"
    assert line.startswith(
        f"  made: 1 request, {size_}, 2 rows, 2 sent again, 1.5 s waiting, "
    )
    assert any(re.search(r"scan: id \(2 rows, [\d.]+ m?s\)", line) for line in told)
    assert any(re.fullmatch(r"computed in: [\d.]+ m?s", line) for line in told)
    assert any(re.fullmatch(r"returned: 1 row after [\d.]+ m?s", line) for line in told)


def test_analyze_fails_as_the_query_does() -> None:
    """A server's refusal is told as ever, not as a plan."""
    served = Served({"GET /profile/tokens": Response(500, [JSON], b"{}")})
    with (
        Session(TOKENS, served, ManualClock(NOON), Script()) as session,
        pytest.raises(PatqlError) as refused,
    ):
        list(session.run(f"EXPLAIN ANALYZE {OURS} WHERE length(label) > 2"))
    assert refused.value.code is Code.SERVER_REFUSED


def test_analyze_tells_of_the_list_that_was_read_instead() -> None:
    """The look at its first page is counted too."""
    sent: list[str] = []
    keys = ", ".join(map(str, range(1, 30)))
    with Session(CATALOGS["shop"], Shop(sent), ManualClock(NOON), Script()) as session:
        told = plan(
            session,
            f"EXPLAIN ANALYZE SELECT label FROM acme.shop.things WHERE id IN ({keys})",
        )
    assert "  read by: list" in told
    assert made(told, "request") == len(sent) < 29


@pytest.mark.parametrize(
    "query",
    [
        "SELECT * FROM linode.profile.tokens",
        "SELECT count(*) FROM linode.profile.tokens WHERE label <> 'n3'",
        "SELECT label, count(*) FROM linode.profile.tokens GROUP BY ALL",
        "SELECT id FROM linode.profile.tokens WHERE id IN (1, 2, 3)",
        "SELECT id FROM linode.profile.tokens WHERE expiry IS NULL ORDER BY id DESC LIMIT 2",
    ],
)
def test_numbers_over_http_are_what_was_sent(http: Counting, query: str) -> None:
    """Requests and bytes, as the transport counted them."""
    with Session(TOKENS, http, ManualClock(NOON), Script()) as session:
        told = plan(session, f"EXPLAIN ANALYZE {query}")
    assert made(told, "request") == http.requests > 0
    (line,) = (line for line in told if line.startswith("  made: "))
    assert f", {size(http.bytes)}, " in line


@pytest.fixture(scope="module")
def served(
    serving: Serving, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[], HttpTransport]]:
    """Makes transports to a server that has some tokens."""
    with serving(tmp_path_factory.mktemp("served")) as running:

        def made() -> HttpTransport:
            return HttpTransport(running.url, Secret(running.secret))

        rows = ", ".join(f"('n{n}', 'linodes:read_only')" for n in range(40))
        insert = f"INSERT INTO linode.profile.tokens (label, scopes) VALUES {rows}"
        with Session(TOKENS, made(), ManualClock(NOON), Script()) as session:
            list(session.run(insert))
        yield made


@pytest.fixture
def http(served: Callable[[], HttpTransport]) -> Counting:
    """A transport to that server that counts."""
    return Counting(served())


@pytest.mark.parametrize(
    ("told", "text"),
    [
        (number(1, "row"), "1 row"),
        (number(1234, "row"), "1,234 rows"),
        (number(0, "request"), "0 requests"),
        (size(0), "0 B"),
        (size(999), "999 B"),
        (size(1000), "1.0 kB"),
        (size(1_234_567), "1.2 MB"),
        (size(999_700), "1.0 MB"),
        (size(123_456), "123 kB"),
        (size(5 * 10**15), "5000 TB"),
        (duration(0), "0 ms"),
        (duration(0.00012), "0.1 ms"),
        (duration(0.0349), "35 ms"),
        (duration(0.9994), "999 ms"),
        (duration(0.9999), "1.0 s"),
        (duration(12.34), "12.3 s"),
        (duration(125), "2 min 5 s"),
    ],
)
def test_amounts(told: str, text: str) -> None:
    """They are written as a person reads them."""
    assert told == text
