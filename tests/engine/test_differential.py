"""Random SELECTs: what a session answers is what DuckDB answers over a table of the same rows.

Each statement is written twice from one draw: as a person would write it to us, and with every date cast and every
parameter by its column's name, for a DuckDB that knows nothing of resources. A failure names the seed and both texts.
"""

import os
from collections.abc import Iterator
from datetime import UTC, datetime
from random import Random

import duckdb
import pytest
from tests.engine.conftest import DAY, NEW_YEAR, NOON, World

from patql.kernel.errors import PatqlError

COUNT = 2_000 if os.environ.get("PATQL_LONG") == "1" else 300
PAGES = COUNT // 10
"""How many statements are asked of a list of more than one page."""

LABELS = ("ci", "deploy", "audit", "it's", "Ünï", "2026-03-01", "50%_off")
SCOPES = ("", "linodes:read_only", "linodes:read_only domains:read_write", "*")
MOMENTS = ("2026-01-01", "2026-02-01 08:30:00", "2026-03-15 12:00:00", "2026-06-14")
FUTURES = ("2026-06-16", "2026-07-01 12:00:00", "2027-01-01", "2026-06-15 12:00:01")
COMPARISONS = ("=", "<>", "<", "<=", ">", ">=")
SAME = ("IS DISTINCT FROM", "IS NOT DISTINCT FROM")
COLUMNS = "id BIGINT, created VARCHAR, expiry VARCHAR, label VARCHAR, scopes VARCHAR"
DERIVED = "d"
"""How the aliases of subqueries begin."""

PLAIN = ("id", "created", "expiry", "label", "scopes")

Pair = tuple[str, str]
"""A piece of a statement, as we are asked and as DuckDB is."""


def same(text: str) -> Pair:
    """A piece that both write alike."""
    return text, text


def join(template: str, *pieces: Pair) -> Pair:
    """A template with the pieces in its `{}`."""
    ours, theirs = zip(*pieces, strict=True) if pieces else ((), ())
    return template.format(*ours), template.format(*theirs)


class Draw:
    """One random statement."""

    def __init__(self, seed: int) -> None:
        self._random = Random(seed)

    def _one(self, *choices: str) -> str:
        return self._random.choice(choices)

    def _maybe(self, of_ten: int) -> bool:
        return self._random.randrange(10) < of_ten

    def statement(self) -> Pair:
        """A SELECT whose rows are the same in any order, or are ordered wholly."""
        shape = self._random.randrange(10)
        if shape < 2:
            return join(
                f"{{}} {self._one('UNION ALL', 'UNION', 'EXCEPT', 'INTERSECT')} {{}}",
                self._simple("id, label, created"),
                self._simple("id, label, created"),
            )
        if shape < 4:
            return self._grouped()
        if shape < 6:
            return self._joined()
        return self._projected()

    def _simple(self, columns: str) -> Pair:
        source, q = self._source("")
        return join(f"SELECT {columns} FROM {{}} WHERE {{}}", source, self._where(q))

    def _projected(self) -> Pair:
        source, q = self._source("t")
        shown = [self._shown(q) for _ in range(self._random.randint(1, 3))]
        head = "DISTINCT " if self._maybe(2) else ""
        listed = ", ".join(f"{{}} AS x{n}" for n in range(len(shown)))
        tail = ""
        if not head and self._maybe(5):
            by = self._one("label", "created DESC", "expiry NULLS FIRST", "scopes DESC")
            tail = f" ORDER BY {q}{by}, {q}id LIMIT {self._random.randrange(9)}"
            tail += self._one("", " OFFSET 2")
        template = f"SELECT {head}{listed} FROM {{}} WHERE {{}}{tail}"
        return self._with(join(template, *shown, source, self._where(q)))

    def _grouped(self) -> Pair:
        source, q = self._source("")
        by = self._one("label", "scopes", "expiry IS NULL")
        having = join("HAVING {}", self._latest()) if self._maybe(5) else same("")
        values = f"count(*), count(expiry), min({q}id), max(created), sum(id) FILTER (WHERE {{}})"
        template = f"SELECT {by} AS k, {values} FROM {{}} WHERE {{}} GROUP BY {by} {{}}"
        return join(template, self._where(q), source, self._where(q), having)

    def _latest(self) -> Pair:
        column = self._one("max(created)", "min(created)", "max(expiry)")
        return self._compared((column, f"CAST({column} AS TIMESTAMP)"))

    def _joined(self) -> Pair:
        left, a = self._source("a")
        right, b = self._source("b")
        how = self._one("JOIN", "LEFT JOIN", "RIGHT JOIN", "FULL JOIN")
        key = self._one("id", "label", "scopes")
        on = join(f"{a}{key} = {b}{key} AND {{}}", self._where(self._one(a, b)))
        if self._maybe(2):
            how, on = self._one("SEMI JOIN", "ANTI JOIN"), same(f"{a}id = {b}id + 1")
            shown, where = f"{a}id, {a}label", self._where(a)
        else:
            shown = f"count(*), sum({a}id), max({b}created), count({b}expiry)"
            where = self._where(self._one(a, b))
        template = f"SELECT {shown} FROM {{}} {how} {{}} ON {{}} WHERE {{}}"
        return join(template, left, right, on, where)

    def _with(self, query: Pair) -> Pair:
        if not self._maybe(2):
            return query
        inner = self._simple(", ".join(PLAIN))
        counted = join("(SELECT count(*) FROM tokens WHERE {})", self._condition("", 0))
        template = "WITH tokens AS ({}) SELECT *, {} AS n FROM ({}) AS q"
        return join(template, inner, counted, query)

    def _source(self, alias: str) -> tuple[Pair, str]:
        """What stands in FROM, and how its columns are qualified."""
        named = same("linode.profile.tokens")
        if self._maybe(3):
            inner = join(
                f"(SELECT {', '.join(PLAIN)} FROM {{}} WHERE {{}})",
                named,
                self._where(""),
            )
            return join(f"{{}} AS {DERIVED}{alias}", inner), f"{DERIVED}{alias}."
        if not alias:
            return named, self._one("", "tokens.", "linode.profile.tokens.")
        return join(f"{{}} {self._one('AS ', '')}{alias}", named), f"{alias}."

    def _shown(self, q: str) -> Pair:
        if self._maybe(6):
            return same(f"{q}{self._one(*PLAIN)}")
        if self._maybe(5):
            return join("({})", self._condition(q, 1))
        return join("CASE WHEN {} THEN 'yes' ELSE label END", self._condition(q, 1))

    def _where(self, q: str) -> Pair:
        if self._maybe(2):
            key = str(self._random.randint(0, 12))
            wanted = self._one(key, f"'{key}'", f"{key} + 0", f"({key})")
            name = "id" if q.startswith(DERIVED) else self._one("id", "tokenId")
            point = f"{q}{name} = {wanted}", f"{q}id = {key}"
            return join("{} AND {}", point, self._condition(q, 1))
        return self._condition(q, 2)

    def _condition(self, q: str, depth: int) -> Pair:
        if depth and self._maybe(6):
            operator = self._one("AND", "OR", "AND NOT")
            left, right = self._condition(q, depth - 1), self._condition(q, depth - 1)
            return join(f"({{}} {operator} {{}})", left, right)
        atoms = [self._about_key, self._about_text, self._about_rows]
        return self._random.choice([*atoms, *[self._about_time] * 4])(q)

    def _about_key(self, q: str) -> Pair:
        numbers = [str(self._random.randint(0, 12)) for _ in range(3)]
        first, second, third = numbers
        if self._maybe(5):
            return same(f"{q}id {self._one(*COMPARISONS)} {first}")
        if self._maybe(5):
            return same(f"{q}id BETWEEN {first} AND {second}")
        return same(f"{q}id {self._one('IN', 'NOT IN')} ({first}, {second}, {third})")

    def _about_text(self, q: str) -> Pair:
        column = f"{q}{self._one('label', 'scopes')}"
        text = self._one(*LABELS, *SCOPES).replace("'", "''")
        pattern = self._one("%i%", "c_", "%:read%", "2026-%", "50|%|_%")
        if self._maybe(5):
            return same(f"{column} {self._one(*COMPARISONS, *SAME)} '{text}'")
        if self._maybe(5):
            return same(f"{column} LIKE '{pattern}' ESCAPE '|'")
        return same(f"{column} IN ('{text}', NULL, 'ci')")

    def _about_rows(self, q: str) -> Pair:
        if self._maybe(5):
            inner = join(
                "(SELECT i.id FROM linode.profile.tokens i WHERE {})",
                self._about_time("i."),
            )
            return join(f"{q}id {self._one('IN', 'NOT IN')} {{}}", inner)
        beside = f"i.id = {q or 'tokens.'}id + 1"
        template = f"EXISTS (FROM linode.profile.tokens i WHERE {beside} AND {{}})"
        return join(template, self._about_time("i."))

    def _about_time(self, q: str) -> Pair:
        name = f"{q}{self._one('created', 'expiry')}"
        column = name, f"CAST({name} AS TIMESTAMP)"
        created, expiry = (
            (f"{q}{n}", f"CAST({q}{n} AS TIMESTAMP)") for n in ("created", "expiry")
        )
        shape = self._random.randrange(9)
        if shape < 4:
            return self._compared(column)
        if shape == 4:
            between = self._one("BETWEEN", "NOT BETWEEN")
            return join(
                f"{{}} {between} {{}} AND {{}}", column, self._moment(), self._moment()
            )
        if shape == 5:
            return join("{} BETWEEN {} AND {}", self._moment(), created, expiry)
        if shape == 6:
            template = f"{{}} {self._one('IN', 'NOT IN')} ({{}}, {{}})"
            return join(template, column, self._moment(), self._moment())
        if shape == 7:
            return same(f"{name} {self._one('IS NULL', 'IS NOT NULL')}")
        varying = f"CAST({q}created AS TIMESTAMP) + INTERVAL ({q}id) DAY"
        return join(f"{{}} {self._one(*COMPARISONS)} {varying}", column)

    def _compared(self, column: Pair) -> Pair:
        operator, moment = self._one(*COMPARISONS, *SAME), self._moment()
        sides = (column, moment) if self._maybe(7) else (moment, column)
        return join(f"{{}} {operator} {{}}", *sides)

    def _moment(self) -> Pair:
        text = self._one(*MOMENTS, *FUTURES)
        exact = f"TIMESTAMP '{text}'"
        now = f"TIMESTAMP '{datetime.fromtimestamp(NOON, UTC):%Y-%m-%d %H:%M:%S}'"
        days = self._random.randint(0, 200)
        shift = f"- INTERVAL {days} DAY"
        half = text.partition(" ")[0]
        return self._random.choice(
            [
                (f"'{text}'", exact),
                (f"'{text.replace(' ', 'T')}'", exact),
                (exact, exact),
                (f"DATE '{half}'", f"TIMESTAMP '{half}'"),
                (f"('{half}')", f"TIMESTAMP '{half}'"),
                (f"CAST('{text}' AS TIMESTAMPTZ)", exact),
                (f"TIMESTAMPTZ '{text}+02'", f"({exact} - INTERVAL 2 HOUR)")
                if " " in text
                else (exact, exact),
                (f"now() {shift}", f"({now} {shift})"),
                (f"(current_date {shift})", f"(date_trunc('day', {now}) {shift})"),
                (
                    f"date_trunc('month', now() {shift})",
                    f"date_trunc('month', {now} {shift})",
                ),
                (f"TIMESTAMP '{half} 12:00:00.5'", f"TIMESTAMP '{half} 12:00:00.5'"),
                ("NULL", "CAST(NULL AS TIMESTAMP)"),
            ]
        )


def wire(seconds: int | None) -> str | None:
    """An instant as the API writes it."""
    if seconds is None:
        return None
    return datetime.fromtimestamp(seconds, UTC).replace(tzinfo=None).isoformat()


def fill(world: World, count: int) -> None:
    """Issue tokens until there are `count`, with values that come again, in an order that is none."""
    random = Random(count)
    moments = sorted(
        NEW_YEAR + random.choice([0, 30_600, 43_200]) + random.randrange(165) * DAY
        for _ in range(count - len(world.secrets))
    )
    for at in moments:
        world.clock.seconds = at
        expiry = random.choice([None, NOON + 1, NOON + 16 * DAY, NOON + 43_200])
        issued = world.authority.issue(
            "ada",
            label=random.choice(LABELS),
            scopes=random.choice(SCOPES),
            expiry=expiry,
        )
        world.secrets.append(issued.secret)
    world.clock.seconds = NOON


@pytest.fixture(scope="module", params=[40, 640])
def worlds(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[World, duckdb.DuckDBPyConnection]]:
    """A session over so many tokens, and a DuckDB table of the same rows as the authority, not the engine, gives them."""
    world = World(tmp_path_factory.mktemp("differential"))
    fill(world, request.param)
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'; ATTACH ':memory:' AS linode")
    connection.execute("CREATE SCHEMA linode.profile")
    connection.execute(f"CREATE TABLE linode.profile.tokens ({COLUMNS})")
    for token in world.authority.list("ada"):
        created, expiry = map(wire, (token.created, token.expiry))
        connection.execute(
            "INSERT INTO linode.profile.tokens VALUES (?, ?, ?, ?, ?)",
            (token.id, created, expiry, token.label, token.scopes),
        )
    yield world, connection
    world.session.close()
    connection.close()


def test_same_rows(worlds: tuple[World, duckdb.DuckDBPyConnection]) -> None:
    """As if every row of the resource had been in a table."""
    world, connection = worlds
    for seed in range(COUNT if len(world.secrets) < 100 else PAGES):
        ours, theirs = Draw(seed).statement()
        told = f"seed {seed}\nours:   {ours}\ntheirs: {theirs}"
        expected = connection.execute(theirs).fetchall()
        try:
            (result,) = world.session.run(ours)
        except PatqlError as error:
            raise AssertionError(f"{error}\n{told}") from None
        ordered = "LIMIT" in ours
        assert plain(result.rows(), ordered) == plain(expected, ordered), told


def plain(rows: list[tuple[object, ...]], ordered: bool) -> list[str]:
    """Rows as text, in their order where that counts."""
    written = [repr(row) for row in rows]
    return written if ordered else sorted(written)
