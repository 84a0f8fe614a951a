"""What can be wrong with a history."""

from enum import StrEnum

import msgspec


class Rule(StrEnum):
    """A promise that was broken."""

    ACCEPTED_AFTER_END = "accepted after its revocation had returned"
    ACCEPTED_AFTER_REFUSAL = "accepted after it had been refused"
    LOST = "refused before anything could have ended it"
    ENDED_TWICE = "revoked by two requests, each told that it did it"
    ISSUED_TWICE = "issued twice"
    LINE_MISSING = "acknowledged, but not in the audit"
    LINE_EXTRA = "in the audit, but never acknowledged or possible"
    LINE_WRONG = "in the audit otherwise than it happened"
    CHAIN = "the audit's chains don't hold"
    HALF_DONE = "one part of a request done, and another not"
    LISTED = "listed, or not, against what was acknowledged"
    BROKEN = "answered with what must never be"


class Violation(msgspec.Struct, frozen=True):
    """A promise broken, of which token (0: of none in particular), and how it shows."""

    rule: Rule
    token: int
    told: str
