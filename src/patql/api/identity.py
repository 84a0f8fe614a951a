"""A user for whom a product vouches, by a login of its own: bounded by scopes exactly as an acting token is."""

from collections.abc import Sequence

from patql.authority import scopes
from patql.authority.authority import Authority
from patql.authority.model import Denied, Granted, Reason, UserState
from patql.kernel.errors import Code, PatqlError, Problem


def vouch(authority: Authority, user: str, allowed: str) -> Granted:
    """What the user may do, on the product's word.

    Args:
        authority: need not know the user yet, who has the uid 0 until it does.
        user: the username.
        allowed: scopes, as somebody writes them; `*` is every scope, `""` none.

    Raises:
        PatqlError: FORBIDDEN where the authority has suspended or removed the user; USAGE for an empty name and for
            scopes that there aren't: the product is at fault, not its user.
    """
    canonical, problems = scopes.read(allowed, authority.policy)
    if not user:
        problems.append(Problem("The user's name must not be empty"))
    if problems:
        reasons = "; ".join(problem.reason for problem in problems)
        msg = f"the product vouches for an identity that can't be: {reasons}"
        raise PatqlError(Code.USAGE, msg)
    known = authority.user(user)
    if known is not None and known.state is not UserState.ACTIVE:
        raise PatqlError(Code.FORBIDDEN, f"This user is {known.state}")
    return Granted(user, 0 if known is None else known.uid, None, canonical, None)


def decide(vouched: Granted, needs: Sequence[str]) -> Granted | Denied:
    """Whether the user may do what needs those scopes."""
    if needs and not scopes.covers(vouched.scopes, " ".join(needs)):
        return Denied(Reason.INSUFFICIENT_SCOPE, vouched)
    return vouched
