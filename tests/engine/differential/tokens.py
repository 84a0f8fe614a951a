"""The built-in resource as a world: tokens of a real authority, through the real API in process."""

from datetime import UTC, datetime
from pathlib import Path
from random import Random

from tests.engine.conftest import DAY, NEW_YEAR, NOON
from tests.engine.conftest import World as Embedded
from tests.engine.differential.filters import Row
from tests.engine.differential.world import PLACES, TEXTS, Serving, Table

from patql.authority.model import Token

LABELS = tuple(text for text in TEXTS if text.isprintable() and text.strip())
SCOPES = ("", "linodes:read_only", "linodes:read_only domains:read_write", "*")
EXPIRIES = (None, None, NOON + 1, NOON + 16 * DAY, NOON + 43_200)


def make_tokens(folder: Path, count: int) -> tuple[Embedded, Table]:
    """So many tokens, with values that come again, in an order that is none; and what their table would hold."""
    embedded, random = Embedded(folder), Random(count)
    moments = sorted(
        NEW_YEAR + random.choice([0, 30_600, 43_200]) + random.randrange(165) * DAY
        for _ in range(count - len(embedded.secrets))
    )
    for at in moments:
        embedded.clock.seconds = at
        embedded.authority.issue(
            "ada",
            label=random.choice((*LABELS, *PLACES)),
            scopes=random.choice(SCOPES),
            expiry=random.choice(EXPIRIES),
        )
    embedded.clock.seconds = NOON
    resource = embedded.session.state.catalog.resource("linode", "profile", "tokens")
    serving = Serving(
        style="pages", size=500, resized=True, ours=True, drops=False, restless=False
    )
    rows = [_row(token) for token in embedded.authority.list("ada")]
    return embedded, Table(
        resource=resource, rows=rows, required=(), optional=None, serving=serving
    )


def _row(token: Token) -> Row:
    return {
        "id": token.id,
        "created": _wire(token.created),
        "expiry": None if token.expiry is None else _wire(token.expiry),
        "label": token.label,
        "scopes": token.scopes,
        "token": token.shown,
    }


def _wire(seconds: int) -> str:
    """An instant as the API writes it."""
    return datetime.fromtimestamp(seconds, UTC).replace(tzinfo=None).isoformat()
