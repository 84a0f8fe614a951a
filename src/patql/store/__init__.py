"""Adapters by which the authority keeps its tokens: SQLite and PostgreSQL."""
