"""When tokens were last used.

One statement writes all that is due, in the order of the handles, and is a transaction by itself: so it waits for
others of its kind only, and for them no longer than the server takes to run one, whatever becomes of their clients.
"""

from collections.abc import Sequence

from patql.authority.model import Use
from patql.store.postgres.queries import Queries

_PAUSE = 60  # seconds between two of a token's uses that are kept
_LAST = "SELECT handle, at FROM token_use WHERE handle = ANY(%s::text[])"
_KEEP = """
INSERT INTO token_use (handle, at, address)
SELECT * FROM unnest(%s::text[], %s::bigint[], %s::text[])
ON CONFLICT (handle) DO UPDATE SET at = excluded.at, address = excluded.address
WHERE excluded.at >= token_use.at + 60
"""


def keep(at: Queries, uses: Sequence[Use]) -> None:
    """Write what is a minute newer than what is kept of the same token."""
    if not uses:
        return
    handles = sorted({use.handle for use in uses})
    last = dict[str, int](at.rows(_LAST, (handles,)))
    due = dict[str, Use]()
    for use in uses:
        if use.handle not in last or use.at >= last[use.handle] + _PAUSE:
            due[use.handle] = use
            last[use.handle] = use.at
    if due:
        kept = [due[handle] for handle in sorted(due)]
        told = [x.handle for x in kept], [x.at for x in kept], [x.address for x in kept]
        at.connection.execute(_KEEP, told)
