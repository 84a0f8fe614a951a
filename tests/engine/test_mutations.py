"""Every case of mutations.yaml: what changes something, what it sends, and what became of it."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml
from msgspec.structs import replace
from tests.engine.conftest import NOON, Script
from tests.engine.served import Answer, Served

from patql.catalog.document import (
    Access,
    Body,
    Column,
    Method,
    Parameter,
    Provider,
    Resource,
    Service,
)
from patql.catalog.names import Catalog
from patql.engine.ports import Watch
from patql.engine.result import Result
from patql.engine.session import Session
from patql.engine.state import Options
from patql.kernel.clock import ManualClock
from patql.kernel.errors import PatqlError
from patql.kernel.http import Request, Response
from patql.kernel.version import __version__

CASES: list[dict[str, Any]] = yaml.safe_load(
    Path(__file__).with_name("mutations.yaml").read_text("utf-8")
)
ID = Column("id", "integer", read_only=True)
NAME = Column("name", "string")
SIZE = Column("size", "integer")
FIELDS = (
    NAME,
    SIZE,
    Column("weight", "number"),
    Column("tags", "array"),
    Column("meta", "object"),
    Column("password", "string", format="password"),
    Column("login", "object", holds_password=True),
)
ROW = (ID, NAME, SIZE)
BODY = Body("application/json", FIELDS)
WHOLE = Body("application/json", FIELDS, required=("name", "size"))


def method(
    name: str,
    verb: str,
    path: str,
    access: Access,
    key: str | None = None,
    **more: Any,  # noqa: ANN401  (fields of Method)
) -> Method:
    """A method whose parameters are those of its path; `key` names the one that selects a row by its id."""
    names = [part[1:-1] for part in path.split("/") if part.startswith("{")]
    parameters = tuple(
        Parameter(
            n,
            "path",
            "integer" if n.endswith("Id") else "string",
            required=True,
            key_column="id" if n == key else None,
        )
        for n in names
    )
    return Method(name, access, name, verb, path, "", parameters, columns=ROW, **more)


def sure_of(method: Method) -> Method:
    """The method with an optional parameter that no other has."""
    sure = Parameter("sure", "query", "boolean")
    return replace(method, parameters=(*method.parameters, sure))


def verbs(path: str, key: str, create: Body = BODY) -> tuple[Method, ...]:
    """A list, and all that can be done with one of its rows."""
    one = f"{path}/{{{key}}}"
    return (
        method("get", "GET", one, Access.SELECT, key),
        method("list", "GET", path, Access.SELECT, object_key="data"),
        method("create", "POST", path, Access.INSERT, body=create),
        method("put", "PUT", one, Access.UPDATE, key, body=BODY),
        method("replace", "PUT", one, Access.REPLACE, key, body=WHOLE),
        sure_of(method("remove", "DELETE", one, Access.DELETE, key)),
    )


ODD = ("it needs a template",)
FIREWALL = "/projects/{project}/firewalls/{firewall}"
NESTED = Body("application/json", FIELDS, nested="DesiredState")
RESOURCES: dict[str, tuple[Method, ...]] = {
    "dns.records": verbs("/domains/{domainId}/records", "recordId"),
    "compute.firewalls": (
        method("patch", "PATCH", FIREWALL, Access.UPDATE, body=BODY),
        method("put", "PUT", FIREWALL, Access.REPLACE, body=WHOLE),
        method("remove", "DELETE", FIREWALL, Access.DELETE),
    ),
    "cloud.clusters": verbs("/clusters", "clusterId", NESTED),
    "shop.things": (
        *(replace(m, sent=ROW) for m in verbs("/things", "thingId")),
        method("odd", "POST", "/odd", Access.EXEC, unsupported=ODD),
    ),
    "shop.owners": (
        method("list", "GET", "/owners", Access.SELECT, object_key="data"),
        method("create", "POST", "/owners", Access.INSERT, unsupported=ODD),
        method("remove", "DELETE", "/owners", Access.DELETE, unsupported=ODD),
    ),
}


def catalog() -> Catalog:
    """The resources above."""
    services: dict[str, list[Resource]] = {}
    for path, methods in RESOURCES.items():
        service, name = path.split(".")
        resource = Resource(f"acme.{path}", name, "", "", methods)
        services.setdefault(service, []).append(resource)
    found = tuple(
        Service(f"{name}:v1", name, "", "", "v1", True, (), tuple(resources))
        for name, resources in services.items()
    )
    return Catalog((Provider("acme", "acme", "v1", "", "", found),))


def row(number: int, name: str) -> str:
    """A row as the server sends it."""
    return f'{{"id": {number}, "name": "{name}", "size": 1}}'


def data(*rows: str) -> Answer:
    """A list as the server sends it."""
    return 200, f'{{"data": [{", ".join(rows)}]}}'.encode()


THINGS = [row(n, f"n{n}") for n in range(1, 6)]
NEW: Answer = (200, row(9, "new").encode())
USUAL: dict[str, Answer | list[Answer]] = {
    "GET /things": data(*THINGS),
    "GET /owners": data(row(2, "x"), row(4, "y")),
    "GET /domains/7/records": data(row(1, "a"), row(2, "b")),
    "GET /domains/8/records": data(row(1, "a")),
    "GET /domains/7/records/1": (200, row(1, "a").encode()),
    "GET /domains/8/records/1": (200, row(1, "a").encode()),
    **{f"GET /things/{n}": (200, THINGS[n - 1].encode()) for n in range(1, 6)},
}


class Wire(Served):
    """A server that agrees to everything, save where told otherwise; `sent` has the bodies too."""

    def __init__(self, answers: dict[str, Answer | list[Answer]]) -> None:
        super().__init__({**USUAL, **answers})

    def send(
        self, requests: Sequence[Request], concurrency: int, watch: Watch | None = None
    ) -> Iterator[Response]:
        """The answers, and the bodies written down."""
        for request in requests:
            self._answers.setdefault(f"{request.method} {request.path}", [NEW])
            response = next(super().send([request], 1))
            if request.body:
                self.sent[-1] += f" {request.body.decode()}"
            yield response


def in_order(requests: list[str]) -> list[str]:
    """Reads first, which may come in any order; then what changes something."""
    reads = [request for request in requests if request.startswith("GET ")]
    assert requests[: len(reads)] == reads
    return [*sorted(reads), *requests[len(reads) :]]


def answers_of(case: dict[str, Any]) -> dict[str, Answer | list[Answer]]:
    """The answers of a case: a pair of status and body, or a list of such."""
    found: dict[str, Answer | list[Answer]] = {}
    for request, given in case.get("answers", {}).items():
        pairs = given if isinstance(given[0], list) else [given]
        found[request] = [(status, body.encode()) for status, body in pairs]
    return found


def test_rows_that_are_returned_are_the_same_as_arrow() -> None:
    """Those that were deleted, and of them what RETURNING says."""
    wire = Wire({"DELETE /things/2": (404, b'{"errors": [{"reason": "Not found"}]}')})
    sql = "DELETE FROM acme.shop.things WHERE id < 4 RETURNING name, id * 2 AS twice"
    with Session(catalog(), wire, ManualClock(NOON), Script()) as session:
        (result,) = session.run(sql)
        table: Any = result.arrow()  # its stubs leave the values unknown
        assert table.column_names == ["name", "twice"]
        assert table["name"].to_pylist() == ["n1", "n3"]
        assert table["twice"].to_pylist() == [2, 6]
        assert result.rows() == [("n1", 2), ("n3", 6)]


@pytest.mark.parametrize(
    "case", CASES, ids=[f"{n}-{c['sql'][:80]}" for n, c in enumerate(CASES)]
)
def test_case(case: dict[str, Any]) -> None:
    """The statement makes just these requests, and gives just these rows."""
    wire, script = Wire(answers_of(case)), Script()
    options = Options(dry_run=case.get("dry", False))
    session = Session(catalog(), wire, ManualClock(NOON), script, options=options)
    results: list[Result] = []
    error: PatqlError | None = None
    with session:
        try:
            results.extend(session.run(case["sql"]))
        except PatqlError as failure:
            error = failure
        result = results[0] if results else Result()
        rows = [list(row) for row in result.rows()]
    order = sorted if case.get("any_order") else in_order
    assert order(wire.sent) == order(case["requests"])
    assert (error.code if error else None) == case.get("error"), error
    if "columns" in case:
        assert [column.name for column in result.columns] == case["columns"]
    if "rows" in case:
        text = str(case["rows"]).replace("VERSION", __version__)
        assert str(rows) == text
    if "message" in case:
        assert result.message == case["message"]
    if "says" in case:
        assert case["says"] in "\n".join([str(error or ""), *script.notes])
    if case.get("dry"):
        assert script.questions == []
    assert "hunter2" not in f"{rows}{script.notes}{error}" or not case.get("dry")
