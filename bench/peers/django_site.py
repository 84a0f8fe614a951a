# pyright: basic
# pyright: reportMissingImports=false
# mypy: ignore-errors
# (it runs in an environment of its own, and what is in there has no types)
"""A Django site with django-rest-knox and djangorestframework-api-key, as their documentation has them, over SQLite.

The environment's PEERS_DB names the database's file. `application` is the site, for a WSGI server: `/knox` and
`/api-key` each answer 200, with nothing in it, where the Authorization header has one of its tokens.
"""

import os

import django
from django.conf import settings

settings.configure(
    DATABASES={
        "default": {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": os.environ["PEERS_DB"],
            "CONN_MAX_AGE": None,
            "OPTIONS": {
                "init_command": "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL"
            },
        }
    },
    INSTALLED_APPS=[
        "django.contrib.contenttypes",
        "django.contrib.auth",
        "rest_framework",
        "knox",
        "rest_framework_api_key",
    ],
    ALLOWED_HOSTS=["127.0.0.1"],
    DEFAULT_AUTO_FIELD="django.db.models.AutoField",
    MIDDLEWARE=[],
    REST_FRAMEWORK={
        "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
        "UNAUTHENTICATED_USER": None,
    },
    REST_KNOX={"AUTH_HEADER_PREFIX": "Bearer", "TOKEN_TTL": None},
    ROOT_URLCONF=__name__,
    SECRET_KEY="a secret that nobody needs, for a benchmark",
    USE_TZ=True,
)
django.setup()

from django.contrib.auth.models import User  # noqa: E402
from django.core.handlers.wsgi import WSGIHandler  # noqa: E402
from django.core.management import call_command  # noqa: E402
from django.db import transaction  # noqa: E402
from django.http import HttpResponse  # noqa: E402
from django.urls import path  # noqa: E402
from knox.auth import TokenAuthentication  # noqa: E402
from knox.models import AuthToken  # noqa: E402
from rest_framework.permissions import IsAuthenticated  # noqa: E402
from rest_framework.views import APIView  # noqa: E402
from rest_framework_api_key.models import APIKey  # noqa: E402
from rest_framework_api_key.permissions import HasAPIKey, KeyParser  # noqa: E402


class BearerParser(KeyParser):
    """Finds keys where the others' tokens are, too."""

    keyword = "Bearer"


class HasBearer(HasAPIKey):
    """Whether a request has a key."""

    key_parser = BearerParser()


class Empty(APIView):
    """Answers who is let in."""

    def get(self, _request: object) -> HttpResponse:
        """Nothing but 200."""
        return HttpResponse(headers={"Content-Length": "0"})


urlpatterns = [
    path(
        "knox",
        Empty.as_view(
            authentication_classes=[TokenAuthentication],
            permission_classes=[IsAuthenticated],
        ),
    ),
    path(
        "api-key",
        Empty.as_view(authentication_classes=[], permission_classes=[HasBearer]),
    ),
]
application = WSGIHandler()


def fill(count: int) -> dict[str, list[str]]:
    """A new database of so many tokens of each kind, each of a user of its own: what knox finds cheapest."""
    call_command("migrate", verbosity=0)
    with transaction.atomic():
        users = [User.objects.create(username=f"user-{n}") for n in range(count)]
        return {
            "knox": [AuthToken.objects.create(user)[1] for user in users],
            "api-key": [
                APIKey.objects.create_key(name=user.username)[1] for user in users
            ],
        }
