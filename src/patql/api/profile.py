"""`/profile` and `/profile/grants`: who a token's user is. Every tool's first call, to see whether a token is good."""

import msgspec

from patql.api.routes import Answer
from patql.authority.authority import Authority
from patql.authority.model import Granted, Role, User
from patql.kernel.errors import Code, PatqlError
from patql.kernel.http import Request


class Referrals(msgspec.Struct, frozen=True):
    """A part of Linode's profile that an authority has no use for: nobody was referred."""

    code: str = ""
    url: str = ""
    total: int = 0
    completed: int = 0
    pending: int = 0
    credit: int = 0


class View(msgspec.Struct, frozen=True):
    """A profile on the wire; what the authority doesn't know has the value of an account that never used it."""

    username: str
    uid: int
    email: str
    restricted: bool
    timezone: str = "UTC"
    email_notifications: bool = False
    ip_whitelist_enabled: bool = False
    lish_auth_method: str = "disabled"
    authorized_keys: list[str] | None = None
    authentication_type: str = "password"
    two_factor_auth: bool = False
    verified_phone_number: str | None = None
    referrals: Referrals = Referrals()


class GlobalGrants(msgspec.Struct, frozen=True):
    """What a restricted user may do beyond single objects: nothing."""

    account_access: str | None = None
    add_databases: bool = False
    add_domains: bool = False
    add_firewalls: bool = False
    add_images: bool = False
    add_linodes: bool = False
    add_longview: bool = False
    add_nodebalancers: bool = False
    add_stackscripts: bool = False
    add_volumes: bool = False
    add_vpcs: bool = False
    cancel_account: bool = False
    child_account_access: bool | None = None
    longview_subscription: bool = False


class Grants(msgspec.Struct, frozen=True, rename={"all": "global"}):
    """The grants of a restricted user: no object of any kind."""

    all: GlobalGrants = GlobalGrants()
    database: tuple[()] = ()
    domain: tuple[()] = ()
    firewall: tuple[()] = ()
    image: tuple[()] = ()
    linode: tuple[()] = ()
    longview: tuple[()] = ()
    nodebalancer: tuple[()] = ()
    stackscript: tuple[()] = ()
    volume: tuple[()] = ()
    vpc: tuple[()] = ()


_encode = msgspec.json.Encoder().encode


class Profile:
    """The operations on the user that a token belongs to."""

    def __init__(self, authority: Authority) -> None:
        self._authority = authority

    def view(self, granted: Granted, _request: Request, _item: str) -> Answer:
        """The user, at any scope."""
        user = self._user(granted)
        return Answer(
            _encode(View(user.username, user.uid, user.email, user.restricted))
        )

    def grants(self, granted: Granted, _request: Request, _item: str) -> Answer:
        """What a restricted user may do; 204 for one who may do everything."""
        if self._user(granted).restricted:
            return Answer(_encode(Grants()))
        return Answer(b"", 204)

    def _user(self, granted: Granted) -> User:
        user = self._authority.owner(granted)
        if (
            user is None and granted.token_id is None
        ):  # vouched for, and without a token
            return User(granted.uid, granted.user, "", restricted=False, role=Role.USER)
        if user is None:
            msg = f"token {granted.token_id} has no user"
            raise PatqlError(Code.INTERNAL, msg)
        return user
