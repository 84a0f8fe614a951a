"""What happened, as clients saw it: a record for each operation, all on one monotonic clock."""

from enum import StrEnum

import msgspec

NEVER = float("inf")
"""When an operation returned whose answer never came: what it does may happen at any time after it was invoked."""

TRUSTED = 0
"""Who acts where no token does: a product that calls the authority in process."""


class Act(StrEnum):
    """What a client asked for."""

    ISSUE = "issue"
    VERIFY = "verify"
    RENAME = "rename"
    REVOKE = "revoke"
    SURRENDER = "surrender"
    """Revocation by possession (RFC 7009), which succeeds for a token that isn't good, too."""
    SUSPEND = "suspend"
    """The end of all of a user's tokens, those included that are issued at the same time; unless the user is resumed."""
    RESUME = "resume"
    """All tokens of a suspended user are good again that would be if nobody had suspended them; asked for but once, and
    only where the suspension was acknowledged."""


class Outcome(StrEnum):
    """What a client knows afterwards."""

    DONE = "done"
    REFUSED = "refused"
    """The token that was presented isn't good."""
    ABSENT = "absent"
    """The token that presented itself is good; the one that it named isn't."""
    NOTHING = "nothing"
    """Nothing was done or learnt: nobody answered, or somebody who couldn't tell."""
    UNKNOWN = "unknown"
    """It may have been done, or be done yet."""
    BROKEN = "broken"
    """An answer that must never be."""


class Operation(msgspec.Struct, gc=False):
    """One operation.

    Attributes:
        client: who asked.
        door: who was asked.
        act: for what.
        by: the id of the token that was presented, or TRUSTED.
        target: the id of the token concerned; 0 for an issue that told of none, and for a user.
        invoked: the instant before it was sent, in seconds.
        returned: the instant after its answer was read, in seconds, or NEVER.
        outcome: what is known of it.
        label: the label that it gives, which no other operation gives; a suspension's and a resumption's is the user.
        user: whose token is issued, or who is suspended or resumed.
        handle: the first characters of what was issued.
        expiry: when what was issued expires, in seconds on this clock; NEVER for a token that doesn't.
        cascade: whether a revocation takes all that descend from its target, too.
        group: operations of one group were one request, all or nothing; 0 for one alone.
        said: the answer, where it is BROKEN.
    """

    client: int
    door: str
    act: Act
    by: int
    target: int
    invoked: float
    returned: float
    outcome: Outcome
    label: str = ""
    user: str = ""
    handle: str = ""
    expiry: float = NEVER
    cascade: bool = False
    group: int = 0
    said: str = ""


class Line(msgspec.Struct, frozen=True, gc=False):
    """A line of the audit, as far as a history can tell of it; `by` is None for the trusted call, else a token's id."""

    act: Act
    target: int
    by: int | None
    label: str
