"""SHOW and DESCRIBE: every case of show.yaml, and every resource of the documents that others publish."""

import platform
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml
from tests.engine.conftest import World

from patql.catalog.document import Access, Provider
from patql.catalog.load import from_folder
from patql.catalog.names import Catalog
from patql.engine.dialect import DIALECT
from patql.engine.inputs import inputs
from patql.engine.parse import parse
from patql.engine.result import Result
from patql.engine.state import Options
from patql.engine.statement import Exec, Scalar, Use, Variable
from patql.kernel.errors import PatqlError, SqlError
from patql.kernel.version import __version__

DATA: dict[str, Any] = yaml.safe_load(
    Path(__file__).with_name("show.yaml").read_text("utf-8")
)
PROVIDERS = msgspec.convert(DATA["providers"], tuple[Provider, ...])
CASES: list[dict[str, Any]] = DATA["cases"]
KNOWN_HERE = {
    "VERSION": __version__,
    "PLATFORM": f"{platform.system()} {platform.machine()}".lower(),
}


@pytest.fixture
def shown(world: World) -> World:
    """A session that knows the providers of show.yaml, too."""
    state = world.session.state
    state.catalog = Catalog((*state.catalog.providers, *PROVIDERS))
    return world


@pytest.mark.parametrize(
    "case", CASES, ids=[f"{n}-{c['sql'][:80]}" for n, c in enumerate(CASES)]
)
def test_case(shown: World, case: dict[str, Any]) -> None:
    """The statement says just this, and asks no server."""
    for _ in shown.session.run(case.get("local", "")):
        pass
    shown.session.state.default = tuple(case.get("use", ()))
    result, error = Result(), None
    try:
        (result,) = shown.session.run(case["sql"])
    except PatqlError as refused:
        error = refused
    assert (error.code if error else None) == case.get("error"), error
    assert case.get("says", "") in str(error)
    if "place" in case:
        assert isinstance(error, SqlError)
        assert [error.line, error.column] == case["place"]
    if "columns" in case:
        assert [column.name for column in result.columns] == case["columns"]
    if "rows" in case:
        assert [list(row) for row in result.rows()] == [
            [KNOWN_HERE.get(text, text) for text in row] for row in case["rows"]
        ]
    assert case.get("told", "") in "\n".join(shown.script.notes)
    assert shown.transport.sent == []


def test_a_pattern_takes_no_time_to_fail(shown: World) -> None:
    """LIKE with many wildcards is answered at once, though each of them could match anything."""
    pattern = "%_" * 200 + "x"
    (result,) = shown.session.run(f"SHOW PROVIDERS LIKE '{pattern}'")
    assert result.rows() == []


def test_the_insert_that_is_shown_runs(world: World) -> None:
    """With a value for each of its variables, it makes a row and returns its key and its secret."""
    expiry = "2027-01-01T00:00:00"
    given = {"label": "it's", "scopes": "linodes:read_only", "expiry": expiry}
    world.session.state.options = Options(variables=given)
    (shown,) = world.session.run("SHOW INSERT INTO linode.profile.tokens")
    ((text,),) = shown.rows()
    (made,) = world.session.run(text)
    assert [column.name for column in made.columns] == ["id", "token"]
    ((key, _),) = made.rows()
    sql = f"SELECT label, scopes, expiry FROM linode.profile.tokens WHERE id = {key}"
    (stored,) = world.session.run(sql)
    assert stored.rows() == [("it's", "linodes:read_only", expiry)]


@pytest.mark.parametrize("where", ["(" * 500 + "1" + ")" * 500, "- " * 500 + "1"])
def test_a_predicate_that_is_too_deep(shown: World, where: str) -> None:
    """What nests too deeply to be read, or to be written again, is refused in a sentence."""
    with pytest.raises(SqlError, match="nested too deeply"):
        list(shown.session.run(f"SHOW PROVIDERS WHERE {where} = 1"))


def test_exec_takes_variables() -> None:
    """A parameter or the body may be a variable, and a number may be negative."""
    statement = parse("EXEC a.b.c.d @x = $name, @y = -1.5 @@json = $body")
    arguments: dict[str, Scalar | Variable] = {"x": Variable("name"), "y": -1.5}
    assert statement == Exec(("a", "b", "c", "d"), arguments, Variable("body"))


@pytest.mark.parametrize("name", ["linode", "linode.profile", '"li-node".`profile`'])
def test_use(name: str) -> None:
    """USE names a provider, or a provider's service."""
    statement = parse(f"USE {name}")
    assert statement == Use(tuple(part.strip('"`') for part in name.split(".")))


@pytest.mark.parametrize("sql", ["USE", "USE a.b.c", "USE a b", "USE 'a'"])
def test_use_refused(sql: str) -> None:
    """Anything else after USE is refused, with its place."""
    with pytest.raises(SqlError) as error:
        parse(sql)
    assert error.value.line == 1


SETS = Path(__file__).parents[3] / "shared" / "provider-docs"
"""Documents that others wrote, where they are laid beside the checkout."""


@pytest.mark.slow
@pytest.mark.skipif(not SETS.exists(), reason="no documents of others are there")
@pytest.mark.parametrize(
    "folder",
    [path.parent for path in sorted(SETS.glob("*/*/*/provider.yaml"))],
    ids=lambda folder: str(folder.relative_to(SETS)),
)
def test_every_resource_of_others(world: World, folder: Path, tmp_path: Path) -> None:
    """Each service, resource and method of a provider can be shown, described and, where it takes that, inserted into."""
    provider = from_folder("theirs", folder, tmp_path)
    world.session.state.catalog = Catalog((provider,))

    def rows(sql: str) -> list[Any]:
        (result,) = world.session.run(sql)
        return result.rows()

    services = {name: title for _, name, title in rows("SHOW SERVICES IN theirs")}
    for service in provider.services:
        within = f'theirs."{service.name}"'
        if service.missing:
            assert services[service.name] == f"missing: {service.missing}"
            continue
        shown = rows(f"SHOW RESOURCES IN {within}")
        assert [name for name, _ in shown] == [r.name for r in service.resources]
        for resource in service.resources:
            name = f'{within}."{resource.name}"'
            methods = rows(f"SHOW EXTENDED METHODS IN {name}")
            assert {m[0] for m in methods} == {m.name for m in resource.methods}
            described = [column for column, _ in rows(f"DESCRIBE {name}")]
            assert described == [column.name for column in resource.columns]
            for method in resource.methods:
                told = rows(f'DESCRIBE METHOD {name}."{method.name}"')
                assert len(told) == len(inputs(method)) + len(method.columns)
            if creators := resource.by_access(Access.INSERT):
                ((text,),) = rows(f"SHOW INSERT INTO {name}")
                tree = DIALECT.parse(text)[0]
                assert tree is not None
                named = [column.name for column in tree.this.expressions]
                assert named in [[i.name for i in inputs(m)] for m in creators]
