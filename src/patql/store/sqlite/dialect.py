"""What can be asked for, as SQLite says it. `contains_folded` is ours (`connection`)."""

from patql.authority.listing import Field
from patql.store.conditions import NEVER, Dialect

TOKENS = Dialect(
    {
        Field.ID: "id",
        Field.CREATED: "created",
        Field.EXPIRY: f"coalesce(expiry, {NEVER})",
        Field.LABEL: "label",
    },
    {Field.LABEL: "contains_folded(label, {})"},
)
"""A user's tokens."""

EVENTS = Dialect(
    {
        Field.ID: "id",
        Field.CREATED: "at",
        Field.ACTION: "action",
        Field.TOKEN: "token_id",
        Field.KIND: "'token'",
    },
    {
        Field.ACTION: "contains_folded(action, {})",
        Field.KIND: "contains_folded('token', {})",
    },
)
"""Audit lines about a user's tokens."""
