"""Tokens in a SQLite file."""

from patql.store.sqlite.store import SqliteStore

__all__ = ["SqliteStore"]
