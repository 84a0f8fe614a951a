# pyright: basic
# pyright: reportMissingImports=false
# mypy: ignore-errors
# (it runs in an environment of its own, and what is in there has no types)
"""Verifications by django-rest-knox and djangorestframework-api-key in process, each through its own public call.

`python django_calls.py TOKENS` makes so many tokens of each kind and prints them as one line of JSON. For each line that
it then reads, `knox` or `api-key`, it verifies each of those once, and prints how many microseconds of CPU one took.
"""

import json
import sys
import time

from django_site import HasBearer, fill
from knox.auth import TokenAuthentication
from rest_framework.test import APIRequestFactory


def main() -> None:
    """Take turns."""
    made = fill(int(sys.argv[1]))
    print(json.dumps(made), flush=True)
    authenticate = TokenAuthentication().authenticate_credentials
    permits = HasBearer().has_permission
    asked = APIRequestFactory()
    tokens = [token.encode() for token in made["knox"]]
    requests = [
        asked.get("/", HTTP_AUTHORIZATION=f"Bearer {key}") for key in made["api-key"]
    ]
    for line in sys.stdin:
        knox = line == "knox\n"
        begun = time.thread_time()
        if knox:
            good = sum(authenticate(token)[0].is_authenticated for token in tokens)
        else:
            good = sum(permits(request, None) for request in requests)
        spent = time.thread_time() - begun
        if good != len(tokens):
            sys.exit(f"{good} of {len(tokens)} tokens were good")
        print(spent / good * 1e6, flush=True)


if __name__ == "__main__":
    main()
