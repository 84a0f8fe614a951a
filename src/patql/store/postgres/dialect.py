"""What can be asked for, as PostgreSQL says it: `COLLATE "C"` compares by code point, whatever the database's locale."""

from patql.authority.listing import Field
from patql.store.conditions import NEVER, Dialect

TOKENS = Dialect(
    {
        Field.ID: "id",
        Field.CREATED: "created",
        Field.EXPIRY: f"coalesce(expiry, {NEVER})",
        Field.LABEL: 'label COLLATE "C"',
    },
    {Field.LABEL: "strpos(label_folded, {}) > 0"},
)
"""A user's tokens."""

EVENTS = Dialect(
    {
        Field.ID: "id",
        Field.CREATED: "at",
        Field.ACTION: 'action COLLATE "C"',
        Field.TOKEN: "token_id",
        Field.KIND: "'token'::text COLLATE \"C\"",
    },
    {  # both are in lower case
        Field.ACTION: "strpos(action, {}) > 0",
        Field.KIND: "strpos('token', {}) > 0",
    },
)
"""Audit lines about a user's tokens."""
