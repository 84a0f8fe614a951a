"""Targets, the credentials that belong to them, and the embedded authority."""

import logging
import stat
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from msgspec.structs import replace
from tests.rest.conftest import Server

import patql
from patql.authority.policy import Policy
from patql.compose import (
    Authority,
    Choice,
    database,
    open_authority,
    open_session,
    open_target,
    policy,
    provider,
)
from patql.config import Settings, read
from patql.engine.ports import Transport
from patql.engine.session import Session
from patql.kernel.clock import ManualClock
from patql.kernel.errors import Code, PatqlError
from patql.kernel.http import Request
from patql.kernel.secrets import Secret
from patql.rest.credentials import Credentials

PROFILE = Request("GET", "/profile")
LINODE = "https://api.linode.com/v4"
OURS = "http://127.0.0.1:8080/v4"
OTHER = "https://other.example/v4"

# `shown` is enough to tell the tokens apart.
GIVEN = Secret("given-token-0000 …")
ENVIRONMENT = Secret("patql-token-0000 …")
FOR_LINODE = Secret("linode-token-000 …")
STORED = Secret("stored-token-000 …")
IN_FILE = Secret("file-token-00000 …")
GIVEN_WORD = Secret("given-token-0000")


@pytest.fixture
def server() -> Iterator[Server]:
    """A server on loopback."""
    made = Server()
    yield made
    made.stop()


@pytest.fixture
def token_file(tmp_path: Path) -> Path:
    """A file with a token."""
    path = tmp_path / "token"
    path.touch(0o600)
    path.write_text(IN_FILE.reveal().split(" ")[0])
    return path


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Settings with a data folder that doesn't exist yet."""
    return Settings(data_dir=tmp_path / "data")


def ignore(_message: str) -> None:
    """Whatever it is."""


@pytest.mark.parametrize(
    ("environ", "url", "use", "expected"),
    [
        # LINODE_TOKEN goes to Linode and nowhere else.
        ({"linode_token": FOR_LINODE}, LINODE, "", FOR_LINODE),
        (
            {"linode_token": FOR_LINODE},
            "https://API.linode.com:443/v4beta",
            "",
            FOR_LINODE,
        ),
        ({"linode_token": FOR_LINODE, "url": LINODE}, None, "", FOR_LINODE),
        ({"linode_token": FOR_LINODE}, OURS, "", None),
        ({"linode_token": FOR_LINODE}, OTHER, "", None),
        ({"linode_token": FOR_LINODE}, "https://api.linode.com:8443/v4", "", None),
        ({"linode_token": FOR_LINODE, "token": ENVIRONMENT}, LINODE, "", FOR_LINODE),
        ({"linode_token": FOR_LINODE, "token": ENVIRONMENT}, OURS, "", ENVIRONMENT),
        # PATQL_TOKEN goes with the target that is named; with PATQL_URL's where that is set.
        ({"token": ENVIRONMENT}, OURS, "", ENVIRONMENT),
        ({"token": ENVIRONMENT, "url": OURS}, None, "", ENVIRONMENT),
        (
            {"token": ENVIRONMENT, "url": OURS},
            "http://127.0.0.1:8080/x/v4",
            "",
            ENVIRONMENT,
        ),
        ({"token": ENVIRONMENT, "url": OURS}, OTHER, "", None),
        # A file is named beside its target; it comes before the environment.
        ({}, OURS, "file", IN_FILE),
        ({"token": ENVIRONMENT}, OURS, "file", IN_FILE),
        ({"linode_token": FOR_LINODE}, LINODE, "file", IN_FILE),
        ({}, OURS, "given", GIVEN),
        # A stored one goes to its origin, where nothing else is given.
        ({}, OTHER, "stored", STORED),
        ({}, "https://other.example:443/v4beta", "stored", STORED),
        ({"token": ENVIRONMENT}, OTHER, "stored", ENVIRONMENT),
        ({}, OURS, "stored", None),
        ({}, "https://other.example:8443/v4", "stored", None),
        ({}, LINODE, "stored", None),
    ],
)
def test_a_credential_belongs_to_one_origin(
    tmp_path: Path,
    token_file: Path,
    environ: dict[str, object],
    url: str | None,
    use: str,
    expected: Secret | None,
) -> None:
    """Which token goes to which target."""
    if use == "stored":
        with Credentials(tmp_path).edit() as tokens:
            tokens["https://other.example"] = STORED.reveal()
    settings = Settings(data_dir=tmp_path, **environ)  # type: ignore[arg-type]
    choice = Choice(
        url=url,
        token_file=token_file if use == "file" else None,
        token=GIVEN if use == "given" else None,
    )
    target = open_target(settings, choice, ignore)
    assert target.target == (url or str(environ.get("url"))).lower()
    shown = expected.shown if expected else None
    assert target.acting == (shown.strip() if shown else None)
    target.close()


@pytest.mark.parametrize(
    ("environ", "use", "names"),
    [
        (
            {"linode_token": FOR_LINODE},
            "",
            ["LINODE_TOKEN", f"--url {LINODE}", "--embedded"],
        ),
        ({"token": ENVIRONMENT}, "", ["PATQL_TOKEN", "--url", "--embedded"]),
        ({}, "file", ["--token-file", "--url", "--embedded"]),
        ({}, "given", ["a token is given", "--url", "--embedded"]),
    ],
)
def test_a_credential_needs_a_target(
    tmp_path: Path,
    token_file: Path,
    environ: dict[str, object],
    use: str,
    names: list[str],
) -> None:
    """Nobody guesses where it belongs, and nothing is made."""
    settings = Settings(data_dir=tmp_path / "data", **environ)  # type: ignore[arg-type]
    choice = Choice(
        token_file=token_file if use == "file" else None,
        token=GIVEN if use == "given" else None,
    )
    with pytest.raises(PatqlError) as caught:
        open_target(settings, choice, ignore)
    assert caught.value.code is Code.USAGE
    assert all(name in str(caught.value) for name in names)
    assert not settings.data_dir.exists()


@pytest.mark.parametrize("url", ["http://example.com/v4", "http://10.0.0.1:8080/v4"])
def test_plain_http_is_for_loopback(settings: Settings, url: str) -> None:
    """Unless one says otherwise."""
    with pytest.raises(PatqlError, match="plain http") as caught:
        open_target(settings, Choice(url=url, token=GIVEN), ignore)
    assert caught.value.code is Code.USAGE
    assert "--insecure" in str(caught.value)
    target = open_target(settings, Choice(url=url, token=GIVEN, insecure=True), ignore)
    assert target.acting == GIVEN.shown


def test_plain_http_to_linode_is_another_origin(settings: Settings) -> None:
    """Whoever insists on it is sent no token that was meant for https."""
    given = Settings(data_dir=settings.data_dir, linode_token=FOR_LINODE)
    choice = Choice(url="http://api.linode.com/v4", insecure=True)
    assert open_target(given, choice, ignore).acting is None


def test_a_url_is_announced_by_the_first_request(settings: Settings) -> None:
    """Once, and as requests are made to it."""
    announced = list[str]()
    choice = Choice(url="HTTP://LocalHost:8080/v4", token=GIVEN)
    target = open_target(settings, choice, ignore, announced.append)
    assert announced == []
    assert target.acting == target.acting == GIVEN.shown
    assert announced == ["http://localhost:8080/v4"]
    target.close()


@pytest.mark.parametrize(
    ("url", "ours", "variable"),
    [
        ("https://api.linode.com/v4", None, "set LINODE_TOKEN, name"),
        (OTHER, None, "set PATQL_TOKEN, name"),
        (OURS, OURS, "set PATQL_TOKEN, name"),
        (OTHER, OURS, "name"),
    ],
)
def test_the_variable_that_would_hold_the_token_is_named(
    settings: Settings, url: str, ours: str | None, variable: str
) -> None:
    """None where what the variables hold belongs elsewhere."""
    given = replace(settings, url=ours)
    target = open_target(given, Choice(url=url), ignore)
    with pytest.raises(PatqlError, match="no token for") as caught:
        target.send([PROFILE], 1)
    assert str(caught.value.hint).startswith(f"{variable} a --token-file")


def test_a_target_that_can_be_none_is_refused_at_once(settings: Settings) -> None:
    """With the likely one."""
    with pytest.raises(
        PatqlError, match=r"perhaps https://api\.linode\.com/v4"
    ) as caught:
        open_target(settings, Choice(url="https://api.linode.com"), ignore)
    assert caught.value.code is Code.USAGE


class Alone:
    """A Dialogue with nobody, which keeps what it is told."""

    def __init__(self) -> None:
        self.notes = list[str]()

    def note(self, message: str) -> None:
        """Nobody listens."""
        self.notes.append(message)

    def confirm(self, question: str, *, otherwise: bool) -> bool:
        """Nobody is to be asked."""
        raise AssertionError(question)


def status(target: Transport) -> int:
    """What GET /profile gives."""
    (answer,) = target.send([PROFILE], 1)
    return answer.status


def test_the_embedded_authority_is_made_by_the_first_request(
    settings: Settings,
) -> None:
    """With a user and a token, in files for their owner alone, and is told of once; the next finds it."""
    notes = list[str]()
    announced = list[str]()
    target = open_target(settings, Choice(), notes.append, announced.append)
    assert target.target == "embedded"
    assert not settings.data_dir.exists()
    assert announced == []
    assert status(target) == status(target) == 200
    target.close()
    modes = {
        path.name: stat.S_IMODE(path.stat().st_mode)
        for path in [settings.data_dir, *settings.data_dir.iterdir()]
    }
    assert modes["data"] == 0o700
    assert modes["tokens.db"] == modes["credentials.json"] == 0o600
    path = settings.data_dir / "tokens.db"
    assert len(notes) == 1
    assert str(path) in notes[0]
    assert announced == [f"embedded, {path}"]
    again = open_target(settings, Choice(), notes.append)
    assert status(again) == 200
    assert len(notes) == 1
    with Authority(path) as authority:
        (root,) = authority.list(read_username(again))
        assert (root.scopes, root.expiry) == ("*", None)
        assert again.acting == root.shown
    again.close()


def read_username(target: Transport) -> str:
    """Whose the acting token is."""
    (answer,) = target.send([PROFILE], 1)
    return answer.body.decode().split('"username":"')[1].split('"')[0]


def test_two_that_come_first_make_one_authority(settings: Settings) -> None:
    """One waits for the other, so there is one user and one token."""
    notes = list[str]()

    def use() -> None:
        target = open_target(settings, Choice(), notes.append)
        assert status(target) == 200
        target.close()

    threads = [threading.Thread(target=use) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(notes) == 1


def test_an_authority_whose_token_is_lost_says_how_to_recover(
    settings: Settings,
) -> None:
    """It isn't given another one silently."""
    settings.data_dir.mkdir()
    with Authority(settings.data_dir / "tokens.db") as authority:
        authority.issue("ann")
    with pytest.raises(PatqlError, match="init --recover") as caught:
        status(open_target(settings, Choice(), ignore))
    assert caught.value.code is Code.CREDENTIAL


def test_a_removed_authority_is_made_anew(settings: Settings) -> None:
    """Its stored token is replaced."""
    first = open_target(settings, Choice(), ignore)
    assert status(first) == 200
    first.close()
    for path in settings.data_dir.glob("tokens.db*"):
        path.unlink()
    second = open_target(settings, Choice(), ignore)
    assert status(second) == 200
    assert second.acting != first.acting
    second.close()


def test_a_file_that_others_can_read_is_refused(settings: Settings) -> None:
    """Of tokens, and of the database."""
    target = open_target(settings, Choice(), ignore)
    assert status(target) == 200
    target.close()
    for name in ("credentials.json", "tokens.db"):
        path = settings.data_dir / name
        path.chmod(0o644)
        with pytest.raises(PatqlError) as caught:
            status(open_target(settings, Choice(), ignore))
        assert caught.value.code is Code.EXPOSED
        path.chmod(0o600)


def test_another_file_has_its_own_token(settings: Settings, tmp_path: Path) -> None:
    """Beside it, so that two in one folder don't mix."""
    shown = set[str | None]()
    for name in ("a.db", "b.db", "a.db"):
        target = open_target(settings, Choice(path=tmp_path / name), ignore)
        assert status(target) == 200
        shown.add(target.acting)
        target.close()
    assert len(shown) == 2
    assert not settings.data_dir.exists()


def test_a_given_token_is_used_with_the_embedded_authority(settings: Settings) -> None:
    """And refused where it isn't one of its own."""
    settings.data_dir.mkdir(mode=0o700)
    with Authority(settings.data_dir / "tokens.db") as authority:
        authority.issue("root")
        token = authority.issue("ann", scopes="linodes:read_only").secret
    target = open_target(settings, Choice(embedded=True, token=token), ignore)
    assert read_username(target) == "ann"
    target.close()
    stranger = open_target(settings, Choice(embedded=True, token=GIVEN), ignore)
    assert status(stranger) == 401
    stranger.close()


@pytest.mark.parametrize("has_url", [False, True])
def test_the_environments_token_goes_to_the_embedded_authority_only_without_a_url(
    settings: Settings, *, has_url: bool
) -> None:
    """With PATQL_URL set it belongs there."""
    given = Settings(
        data_dir=settings.data_dir, token=GIVEN, url=OURS if has_url else None
    )
    target = open_target(given, Choice(embedded=True), ignore)
    assert status(target) == (200 if has_url else 401)
    target.close()


def test_a_server_needs_a_database_with_users(tmp_path: Path) -> None:
    """It makes neither, and the error says what does."""
    settings = Settings(data_dir=tmp_path, db=f"sqlite:///{tmp_path}/tokens.db")
    remedy = f"patql init --db sqlite:///{tmp_path}/tokens.db"
    with pytest.raises(PatqlError, match=remedy) as caught:
        open_authority(settings)
    assert caught.value.code is Code.UNAVAILABLE
    assert not Path(database(settings)).exists()
    Authority(database(settings)).close()
    with pytest.raises(PatqlError, match=f"has no user\n.*{remedy}"):
        open_authority(settings)
    with Authority(database(settings)) as authority:
        authority.issue("ann")
    open_authority(settings).close()


def test_settings_reach_authority_and_document(tmp_path: Path) -> None:
    """Prefix, categories, guard and cap."""
    settings = read(
        {
            "PATQL_DATA_DIR": str(tmp_path),
            "PATQL_TOKEN_PREFIX": "acme_",
            "PATQL_SCOPES": "repos",
            "PATQL_TOKEN_SCOPE": "admin",
            "PATQL_LIFETIME_CAP": "on",
        }
    )
    assert policy(settings) == Policy("acme_", ("repos",), "admin", lifetime_cap=True)
    (tokens,) = (
        resource
        for service in provider(settings).services
        for resource in service.resources
        if resource.name == "tokens"
    )
    assert tokens.methods[0].scopes == ("admin:read_only",)
    assert policy(Settings(data_dir=tmp_path)) == Policy()


@pytest.mark.parametrize(
    "variable", ["PATQL_TOKEN_PREFIX", "PATQL_SCOPES", "PATQL_TOKEN_SCOPE"]
)
def test_settings_that_make_no_sense_are_refused(tmp_path: Path, variable: str) -> None:
    """Before anything is served or described."""
    settings = read({"PATQL_DATA_DIR": str(tmp_path), variable: "No!"})
    with pytest.raises(PatqlError) as caught:
        provider(settings)
    assert caught.value.code is Code.USAGE


def test_python_needs_nothing_but_a_path(tmp_path: Path) -> None:
    """`patql.Authority` issues and verifies in process; time is the caller's."""
    clock = ManualClock(1_700_000_000)
    with patql.Authority(
        tmp_path / "tokens.db", clock=clock, policy=Policy("acme_")
    ) as authority:
        issued = authority.issue(
            "ann", scopes="linodes:read_only", expiry=1_700_000_060
        )
        assert issued.secret.reveal().startswith("acme_")
        assert authority.verify(issued.secret, "linodes:read_only")
        clock.advance(61)
        assert not authority.verify(issued.secret)


def test_python_connects(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """To a file, with notes going to the logger; `connect` and its errors are public."""
    for name in ("PATQL_URL", "PATQL_TOKEN", "LINODE_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    with (
        caplog.at_level(logging.WARNING, "patql"),
        patql.connect(path=tmp_path / "tokens.db") as session,
    ):
        (result,) = session.run("SELECT label, scopes FROM linode.profile.tokens")
        assert result.rows() == [("root", "*")]
        assert "made the embedded authority" in caplog.text
        with pytest.raises(patql.PatqlError, match="WHERE"):
            list(session.run("DELETE FROM linode.profile.tokens"))


@pytest.mark.parametrize(
    "sql",
    [
        "SHOW METHODS IN linode.profile.tokens",
        "DESCRIBE EXTENDED linode.profile.tokens",
        "SELECT 1",
    ],
)
def test_what_needs_no_request_makes_nothing(settings: Settings, sql: str) -> None:
    """No folder, no database, no token."""
    with open_session(settings, Choice(), Alone()) as session:
        (result,) = session.run(sql)
        assert result.rows()
    assert not settings.data_dir.exists()


SHOP = """
id: shop
name: shop
version: v1
config: {auth: AUTH}
providerServices:
  things: {id: "things:v1", name: things, preferred: true, service: {$ref: shop/v1/services/things.yaml}}
"""
THINGS = """
openapi: 3.0.3
info: {title: Things, version: "1"}
servers: [{url: "https://{region}.shop.example/v0"}, {url: https://api.shop.example/v1}]
paths:
  /things:
    get:
      operationId: list
      responses:
        "200":
          description: Things.
          content: {application/json: {schema: {type: array, items: {type: object, properties: {id: {type: integer}}}}}}
components:
  x-stackQL-resources:
    things:
      id: shop.things.things
      name: things
      title: Things
      methods:
        list:
          operation: {$ref: "#/paths/~1things/get"}
          response: {mediaType: application/json, openAPIDocKey: "200"}
      sqlVerbs:
        select: [{$ref: "#/components/x-stackQL-resources/things/methods/list"}]
"""
ITEM = Request("GET", "/things", base="https://api.shop.example/v1")
BEARER = "{type: bearer, credentialsenvvar: SHOP_TOKEN}"
SECRET = "shop_0123456789x"
Shop = Callable[..., Path]


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    """Writes the documents of another provider, with the given auth, and returns their folder."""

    def write(auth: str = BEARER) -> Path:
        folder = tmp_path / "shop" / "v1"
        (folder / "services").mkdir(parents=True)
        (folder / "provider.yaml").write_text(SHOP.replace("AUTH", auth))
        (folder / "services" / "things.yaml").write_text(THINGS)
        return folder

    return write


def opened(
    settings: Settings, folder: Path, url: str | None = None, **choice: object
) -> Session:
    """A session with the shop, whose requests go to a URL."""
    return open_session(
        settings,
        Choice(**choice),  # type: ignore[arg-type]
        Alone(),
        providers={"shop": folder},
        provider_urls={"shop": url} if url else {},
    )


def asked(session: Session) -> Transport:
    """The target that answers for the shop."""
    things = session.state.catalog.resource("shop", "things", "things")
    return session.state.transport_of(things)


def test_another_provider_is_asked_without_a_credential_where_it_wants_none(
    settings: Settings, shop: Shop, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At the document's server; nothing of ours goes there."""
    monkeypatch.setenv("SHOP_TOKEN", SECRET)
    given = replace(settings, linode_token=FOR_LINODE, token=ENVIRONMENT, url=OURS)
    with opened(given, shop("{type: null_auth}")) as session:
        (answer,) = asked(session).send(
            [Request("GET", "/n", base=f"{server.origin}/v1")], 1
        )
    assert answer.status == 200
    ((_, path, headers, _),) = server.seen
    assert path == "/v1/n"
    assert "authorization" not in headers


def test_a_document_cant_say_where_a_credential_goes(
    settings: Settings, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error names the variable, and what to write; it comes when something is to be sent, not before."""
    monkeypatch.setenv("SHOP_TOKEN", SECRET)
    with (
        opened(settings, shop()) as session,
        pytest.raises(PatqlError, match="in SHOP_TOKEN") as caught,
    ):
        asked(session).send([ITEM], 1)
    assert caught.value.code is Code.CREDENTIAL
    assert "--provider-url shop=https://api.shop.example:" in str(caught.value)
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize("stored", [False, True])
def test_a_person_can(
    settings: Settings,
    shop: Shop,
    server: Server,
    monkeypatch: pytest.MonkeyPatch,
    *,
    stored: bool,
) -> None:
    """By a URL, to which all requests of that provider go."""
    if stored:
        with Credentials(settings.data_dir).edit() as tokens:
            tokens[server.origin] = SECRET
    else:
        monkeypatch.setenv("SHOP_TOKEN", f" {SECRET}\n")
    announced = list[str]()
    with open_session(
        settings,
        Choice(),
        Alone(),
        announce=announced.append,
        providers={"shop": shop()},
        provider_urls={"shop": server.origin},
    ) as session:
        assert announced == []
        target = asked(session)
        assert [answer.status for answer in target.send([ITEM], 1)] == [200]
        assert target.acting == SECRET
    assert announced == [f"shop, {server.origin}"]
    ((_, path, headers, _),) = server.seen
    assert path == "/v1/things"
    assert headers["authorization"] == f"Bearer {SECRET}"


@pytest.mark.parametrize(
    ("variable", "url", "environ", "sent"),
    [
        ("LINODE_TOKEN", LINODE, {}, True),
        ("LINODE_TOKEN", "https://api.linode.com", {}, True),
        ("LINODE_TOKEN", "https://api.linode.com:8443", {}, False),
        ("LINODE_TOKEN", "http://127.0.0.1:9000", {}, False),
        ("PATQL_TOKEN", OURS, {"url": OURS}, True),
        ("PATQL_TOKEN", "http://127.0.0.1:8080", {"url": OURS}, True),
        ("PATQL_TOKEN", OTHER, {"url": OURS}, False),
        ("PATQL_TOKEN", OURS, {}, False),
        ("PATQL_DATA_DIR", OTHER, {}, False),
    ],
)
def test_variables_of_ours_stay_with_their_origins(
    settings: Settings,
    shop: Shop,
    monkeypatch: pytest.MonkeyPatch,
    variable: str,
    url: str,
    environ: dict[str, str],
    *,
    sent: bool,
) -> None:
    """Whatever a document names, and whoever consents."""
    monkeypatch.setenv(variable, SECRET)
    folder = shop(f"{{type: bearer, credentialsenvvar: {variable}}}")
    with opened(replace(settings, **environ), folder, url) as session:
        target = asked(session)
        assert target.acting == (SECRET if sent else None)
        if not sent:
            with pytest.raises(PatqlError, match="belongs elsewhere") as caught:
                target.send([ITEM], 1)
            assert caught.value.code is Code.CREDENTIAL
            assert variable in str(caught.value)
            assert f"set {variable}" not in str(caught.value)


@pytest.mark.parametrize(
    ("names", "urls", "says"),
    [
        (["linode"], {}, "a provider `linode` already"),
        (["LINODE"], {}, "a provider `LINODE` already"),
        (["shop", "Shop"], {}, "a provider `Shop` already"),
        (["shop"], {"other": "https://x.example"}, "there is shop"),
        ([], {"other": "https://me:secret@x.example"}, "other=… is for a provider"),
        ([], {"other": "https://x.example"}, "name its folder too"),
        (["shop"], {"shop": "x.example"}, "can't be asked"),
        (["shop"], {"shop": "http://x.example"}, "plain http"),
    ],
)
def test_providers_that_make_no_sense_are_refused(
    settings: Settings, shop: Shop, names: list[str], urls: dict[str, str], says: str
) -> None:
    """Before anything is asked."""
    folder = shop()
    with pytest.raises(PatqlError, match=says) as caught:
        open_session(
            settings,
            Choice(),
            Alone(),
            providers=dict.fromkeys(names, folder),
            provider_urls=urls,
        )
    assert caught.value.code is Code.USAGE


def test_plain_http_to_a_provider_can_be_insisted_on(
    settings: Settings, shop: Shop
) -> None:
    """As for a target."""
    opened(settings, shop(), "http://x.example", insecure=True).close()


SERVER = "https://api.{region}.shop.example/{tenant}"
VARIABLES = (
    "{region: {x-stackQL-envVar: SHOP_REGION}, tenant: {x-stackQL-envVar: SHOP_TENANT}}"
)


@pytest.mark.parametrize(
    ("written", "environ", "consents", "lacking"),
    [
        (VARIABLES, {}, True, ["region", "tenant"]),
        (VARIABLES, {"SHOP_REGION": "eu"}, True, ["tenant"]),
        (VARIABLES, {"SHOP_REGION": "eu", "SHOP_TENANT": "me"}, True, []),
        (VARIABLES, {"SHOP_REGION": "eu", "SHOP_TENANT": "me"}, False, None),
        (
            VARIABLES.replace("SHOP_TENANT", "LINODE_TOKEN"),
            {"SHOP_REGION": "eu", "LINODE_TOKEN": SECRET},
            True,
            ["tenant"],
        ),
    ],
)
def test_variables_of_servers_are_given_by_the_environment(
    settings: Settings,
    shop: Shop,
    server: Server,
    monkeypatch: pytest.MonkeyPatch,
    written: str,
    environ: dict[str, str],
    lacking: list[str] | None,
    *,
    consents: bool,
) -> None:
    """Where a person has said what server is asked; ours stay ours, and what isn't given is a parameter."""
    folder = shop("{type: null_auth}")
    things = folder / "services" / "things.yaml"
    servers = f'servers: [{{url: "{SERVER}", variables: {written}}}]'
    old = 'servers: [{url: "https://{region}.shop.example/v0"}, {url: https://api.shop.example/v1}]'
    things.write_text(things.read_text().replace(old, servers))
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    with opened(settings, folder, server.origin if consents else None) as session:
        (shown,) = session.run("SHOW METHODS IN shop.things.things")
        needed = ["region", "tenant"] if lacking is None else lacking
        assert [row[1] for row in shown.rows()] == [", ".join(needed)]
        if lacking == []:
            list(session.run("EXEC shop.things.things.list"))
            with suppress(patql.PatqlError):  # the answer has no rows
                list(session.run("SELECT * FROM shop.things.things"))
            assert [path for _, path, *_ in server.seen] == ["/me/things"] * 2


def test_auth_that_cant_be_done_is_no_reason_to_ask_without(
    settings: Settings, shop: Shop, server: Server
) -> None:
    """No method can be called, whoever consents."""
    with opened(settings, shop("{type: oauth2}"), server.origin) as session:
        for sql in (
            "SELECT * FROM shop.things.things WHERE region = 'eu'",
            "EXEC shop.things.things.list @region = 'eu'",
        ):
            with pytest.raises(PatqlError, match="`oauth2` isn't supported") as caught:
                list(session.run(sql))
            assert caught.value.code is Code.UNSUPPORTED
        with pytest.raises(PatqlError, match="authorised by `oauth2`"):
            asked(session).send([ITEM], 1)
    assert server.seen == []


def test_documents_are_kept_compiled_for_their_owner(
    settings: Settings, shop: Shop
) -> None:
    """In the data folder, which holds secrets too."""
    opened(settings, shop()).close()
    assert stat.S_IMODE(settings.data_dir.stat().st_mode) == 0o700
    assert [*(settings.data_dir / "documents").iterdir()]


def test_a_handful_of_warnings_is_told(settings: Settings, shop: Shop) -> None:
    """However much there is to say of a document; SHOW tells it all."""
    folder = shop("{type: null_auth}")
    things = folder / "services" / "things.yaml"
    keys = "".join(f"          strange{n}: true\n" for n in range(7))
    things.write_text(
        things.read_text().replace(
            "          operation:", f"{keys}          operation:"
        )
    )
    told = Alone()
    with open_session(settings, Choice(), told, providers={"shop": folder}) as session:
        assert len(told.notes) == 5
        assert "`strange3`" in told.notes[3]
        assert "3 more warnings" in told.notes[4]
        (shown,) = session.run("SHOW EXTENDED PROVIDERS LIKE 'shop'")
        ((*_, warnings),) = shown.rows()
    assert str(warnings).count("\n") == 6


def test_warnings_of_documents_are_told(
    tmp_path: Path, shop: Shop, caplog: pytest.LogCaptureFixture
) -> None:
    """Once, when a session is opened; Python's options reach the engine."""
    folder = shop("{type: oauth2}")
    with (
        caplog.at_level(logging.WARNING, "patql"),
        patql.connect(
            path=tmp_path / "tokens.db",
            providers={"shop": str(folder)},
            provider_urls={"shop": "http://127.0.0.1:9"},
            concurrency=3,
            timeout=5,
            retry=1,
            local=tmp_path / "local.duckdb",
        ) as session,
    ):
        assert "oauth2" in caplog.text
        options = session.state.options
    assert (options.concurrency, options.timeout, options.files) == (3, 5, True)
    assert options.local == tmp_path / "local.duckdb"
    with pytest.raises(patql.PatqlError, match="at least 1") as caught:
        patql.connect(concurrency=0)
    assert caught.value.code is Code.USAGE


def test_a_target_is_asked_again_as_long_as_one_says(
    settings: Settings, server: Server
) -> None:
    """And no longer."""
    for retry, status in ((0, 502), (30, 200)):
        server.plans["n"] = [(502, "retry-after: 0\r\n")]
        target = open_target(
            settings, Choice(url=server.base, token=GIVEN_WORD, retry=retry), ignore
        )
        (answer,) = target.send([Request("GET", "/n")], 1)
        assert answer.status == status
        target.close()
