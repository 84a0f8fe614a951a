"""Whether a database file is as SQLite wrote it."""

# pyright: reportUnknownMemberType=false, reportUnknownParameterType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# (apsw's stubs name collections.abc.Buffer, which Python 3.11 hasn't)

import apsw

FAULTS = 100
"""How many faults of the file are listed."""


def faults(connection: apsw.Connection) -> tuple[str, ...]:
    """A sentence for each fault: of the file's pages and indexes, and of rows that refer to what isn't there."""
    pages = connection.execute(f"PRAGMA integrity_check({FAULTS})").fetchall()
    found = [f"the file is damaged: {told}" for (told,) in pages if told != "ok"]
    dangling = connection.execute("PRAGMA foreign_key_check").fetchall()
    found += [
        f"a row of {table} refers to a {parent} that isn't there"
        for table, _, parent, _ in dangling[:FAULTS]
    ]
    return tuple(found)
