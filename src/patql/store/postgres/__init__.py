"""Tokens in a PostgreSQL database."""

from patql.store.postgres.connection import Address
from patql.store.postgres.store import PostgresStore

__all__ = ["Address", "PostgresStore"]
