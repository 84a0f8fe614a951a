"""What the engine can't do yet, and queries and worlds leave out meanwhile."""

LACKING = frozenset({"cursor", "parameter types", "feeds"})
