"""Credentials, as providers' documents ask for them."""

from base64 import b64encode

import pytest

from patql.catalog.document import Auth
from patql.kernel.errors import Code, PatqlError
from patql.kernel.secrets import Secret
from patql.rest.auth import Credential, Secrets, credential

ORIGIN = "https://api.example.com"
ENVIRON = {
    "TOKEN": "t0ken",
    "USER": "ann",
    "PASSWORD": "pässwörd",
    "PAIR": "ann:secret",
    "ENCODED": "YW5uOnNlY3JldA==",
    "ODD": "a b&c=d",
    "COLON": "an:n",
    "LINES": "a\nb",
}


def make(auth: Auth, stored: str | None = None) -> Credential | None:
    """The credential from the variables above."""

    def find(name: str) -> Secret | None:
        return Secret(ENVIRON[name]) if name in ENVIRON else None

    secrets = Secrets(ORIGIN, find, Secret(stored) if stored else None)
    return credential(auth, secrets)


def encoded(text: str) -> str:
    """In base64."""
    return b64encode(text.encode()).decode()


@pytest.mark.parametrize(
    ("auth", "headers", "query"),
    [
        (Auth("bearer", ("TOKEN",)), {"Authorization": "Bearer t0ken"}, {}),
        (Auth("bearer", ("TOKEN",), prefix="token "), {"Authorization": "token t0ken"}, {}),
        (
            Auth("basic", ("USER", "PASSWORD")),
            {"Authorization": f"Basic {encoded('ann:pässwörd')}"},
            {},
        ),
        (Auth("basic", ("PAIR",)), {"Authorization": f"Basic {encoded('ann:secret')}"}, {}),
        (Auth("basic", ("ENCODED",)), {"Authorization": "Basic YW5uOnNlY3JldA=="}, {}),
        (Auth("api_key", ("TOKEN",)), {"Authorization": "t0ken"}, {}),
        (Auth("api_key", ("TOKEN",), prefix="Key "), {"Authorization": "Key t0ken"}, {}),
        (Auth("custom", ("TOKEN",), name="X-Key"), {"X-Key": "t0ken"}, {}),
        (
            Auth("custom", ("ODD",), "query", "api key"),
            {},
            {"api%20key": "a%20b%26c%3Dd"},
        ),
        (
            Auth(
                "custom",
                ("TOKEN",),
                name="X-Key",
                successor=Auth("custom", ("ODD",), "query", "app", "v", Auth("custom", ("USER",), name="X-User")),
            ),
            {"X-Key": "t0ken", "X-User": "ann"},
            {"app": "va%20b%26c%3Dd"},
        ),
    ],
)  # fmt: skip
def test_types(auth: Auth, headers: dict[str, str], query: dict[str, str]) -> None:
    """Each goes to its place; only a bearer token is known by its first characters."""
    made = make(auth)
    assert made is not None
    made.check("it")
    assert {n: v.reveal() for n, v in made.headers} == headers
    assert {n: v.reveal() for n, v in made.query} == query
    assert (made.token is not None) == (auth.type == "bearer")
    assert made.origin == ORIGIN
    for value in ENVIRON.values():
        assert value not in repr(made)


def test_null_is_none() -> None:
    """Nothing is sent."""
    assert make(Auth("null"), stored="x") is None


@pytest.mark.parametrize(
    ("auth", "value"),
    [
        (Auth("bearer", ("NONE",)), "Bearer st0red"),
        (Auth("bearer"), "Bearer st0red"),
        (Auth("bearer", ("TOKEN",)), "Bearer t0ken"),
        (Auth("basic", ("USER", "NONE")), f"Basic {encoded('st0red')}"),
        (Auth("api_key", ("NONE",)), "st0red"),
    ],
)
def test_what_is_stored_for_the_origin(auth: Auth, value: str) -> None:
    """Is sent where the environment gives nothing."""
    made = make(auth, "st:0red" if auth.type == "basic" else "st0red")
    assert made is not None
    expected = value.replace(encoded("st0red"), encoded("st:0red"))
    assert made.headers[0][1].reveal() == expected


def check(auth: Auth) -> None:
    """Make it, and say whether it can be sent."""
    made = make(auth)
    assert made is not None
    made.check("it")


@pytest.mark.parametrize(
    ("auth", "code", "says"),
    [
        (Auth("bearer", ("NONE",)), Code.CREDENTIAL, "set NONE"),
        (Auth("bearer"), Code.CREDENTIAL, "no environment variable"),
        (Auth("basic", ("USER", "NONE")), Code.CREDENTIAL, "set USER and NONE"),
        (Auth("basic", ("COLON", "PASSWORD")), Code.CREDENTIAL, "COLON can't be sent"),
        (Auth("bearer", ("ODD",)), Code.CREDENTIAL, "one word"),
        (Auth("custom", ("LINES",), name="X-Key"), Code.CREDENTIAL, "one word"),
        (Auth("custom", ("TOKEN",), name="X Key:"), Code.CREDENTIAL, "header's name"),
        (
            Auth("custom", ("TOKEN",), name="X", successor=Auth("custom", ("NONE",))),
            Code.CREDENTIAL,
            "set NONE",
        ),
        (Auth("aws_signing_v4", ("TOKEN",)), Code.UNSUPPORTED, "`aws_signing_v4`"),
    ],
)
def test_what_cant_be_sent(auth: Auth, code: Code, says: str) -> None:
    """Is refused, and not shown."""
    with pytest.raises(PatqlError) as caught:
        check(auth)
    assert caught.value.code is code
    assert says in str(caught.value)
    assert not any(value in str(caught.value) for value in ENVIRON.values())
