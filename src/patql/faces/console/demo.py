"""`patql demo`: all that the resource offers, on a fresh authority in a temporary folder."""

import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import msgspec

from patql import config
from patql.compose import Choice, open_session, open_target
from patql.engine.ports import Transport
from patql.engine.session import Session
from patql.faces.console.dialogue import ConsoleDialogue
from patql.faces.console.render import table
from patql.faces.console.sink import Sink
from patql.kernel.http import Request
from patql.kernel.secrets import Secret

BEFORE = (
    "SHOW METHODS IN linode.profile.tokens;",
    "DESCRIBE linode.profile.tokens;",
    "INSERT INTO linode.profile.tokens (label, scopes, expiry) VALUES ('ci', 'linodes:read_only', NULL) RETURNING id, label, token;",
    "SELECT id, created, expiry, label, scopes, token FROM linode.profile.tokens;",
    "SELECT * FROM linode.profile.tokens WHERE tokenId = 2;",
    """EXEC linode.profile.tokens.updatePersonalAccessToken @tokenId = 2, @@json = '{"label": "ci-2"}';""",
    "UPDATE linode.profile.tokens SET label = 'ci-3' WHERE tokenId = 2;",
    "EXEC linode.profile.tokens._getPersonalAccessToken @tokenId = 2;",
    "EXEC linode.profile.tokens._getPersonalAccessTokens;",
)
REVOKE = "DELETE FROM linode.profile.tokens WHERE tokenId = 2;"
REQUEST = Request("GET", "/profile")


def run(environ: Mapping[str, str], sink: Sink) -> None:
    """Run the statements, and use a token before and after it is revoked.

    Args:
        environ: where the settings of tokens and scopes come from; target and credential are the demo's own.
        sink: takes statements and results.

    Raises:
        PatqlError: a statement failed.
        OSError: the sink takes nothing.
    """
    dialogue = ConsoleDialogue()
    with tempfile.TemporaryDirectory(prefix="patql-demo-") as folder:
        settings = msgspec.structs.replace(
            config.read(environ), data_dir=Path(folder), url=None, token=None
        )
        own = Choice(embedded=True)
        with open_session(settings, own, dialogue) as session:
            secret = _show(session, sink, *_called(settings.provider, *BEFORE))
            new = Choice(embedded=True, token=secret)
            transport = open_target(settings, new, dialogue.note)
            try:
                _request(transport, sink)
                _show(session, sink, *_called(settings.provider, REVOKE))
                _request(transport, sink)
            finally:
                transport.close()


def _called(provider: str, *statements: str) -> Iterator[str]:
    """The statements with the provider's name as the settings have it."""
    own = f"{provider}.profile."
    return (statement.replace("linode.profile.", own) for statement in statements)


def _show(session: Session, sink: Sink, *statements: str) -> Secret | None:
    """Run statements, and return the secret that one of them gave."""
    secret: Secret | None = None
    for statement in statements:
        _head(sink, f"patql> {statement}")
        for result in session.run(statement):
            rows = result.rows()
            for at in result.once:
                secret = Secret(str(rows[0][at]))
            if result.columns:
                for piece in table(result.columns, iter([rows])):
                    sink.write(piece)
            if result.message:
                sink.write(result.message + "\n")
            sink.settle()
    return secret


def _request(transport: Transport, sink: Sink) -> None:
    """Make a request with the new token, and show the status, and what an error says."""
    _head(sink, f"{REQUEST.method} /v4{REQUEST.path} with the new token")
    (answer,) = transport.send([REQUEST], 1)
    told = f" {answer.body.decode()}" if answer.status >= 400 else ""
    sink.write(f"HTTP {answer.status}{told}\n")
    sink.settle()


def _head(sink: Sink, text: str) -> None:
    bold, usual = ("\x1b[1m", "\x1b[0m") if sink.terminal else ("", "")
    sink.write(f"\n{bold}{text}{usual}\n")
    sink.settle()
    sys.stderr.flush()
