"""A product whose users make tokens for its API: `pip install fastapi`, then `uvicorn --app-dir examples product:app`.

Its login is a stub that believes everyone. Once logged in at /login, POST /api/v4/profile/tokens makes a token.
"""

import secrets
from typing import Annotated

from fastapi import Depends, FastAPI, HTTPException, Response
from starlette.requests import HTTPConnection
from starlette.types import Scope

import patql

NOTES = {"ada": ["Call Charles"], "grace": ["Find the moth"]}

app = FastAPI()
logins: dict[str, str] = {}  # who has which cookie


@app.post("/login")
def login(user: str, response: Response) -> None:
    """Give a user a cookie; a product would ask for a password."""
    if user not in NOTES:
        raise HTTPException(401, "Nobody has that name")
    cookie = secrets.token_urlsafe()
    logins[cookie] = user
    response.set_cookie("login", cookie, httponly=True, samesite="lax")


def identify(scope: Scope) -> tuple[str, str] | None:
    """Whose cookie it is; in their own name they may do everything."""
    user = logins.get(HTTPConnection(scope).cookies.get("login", ""))
    return (user, "*") if user else None


policy = patql.Policy(prefix="acme_", categories=("notes",))
authority = patql.Authority("tokens.db", policy=policy)

app.mount("/api", patql.asgi(authority, identify))  # tokens, made behind your login
app.add_middleware(patql.TokenMiddleware, authority=authority)  # … and looked at
reads = patql.requires("notes:read_only")  # … and required


@app.get("/notes")
def notes(token: Annotated[patql.Granted, Depends(reads)]) -> list[str]:
    """The notes of whoever has a token for them."""
    return NOTES[token.user]
