"""`manage.py seed_demo`: a person, a team and two models to try things with, once."""

import json
import secrets
from typing import Any

from django.core.management.base import BaseCommand
from django.db import transaction

from accounts import operations as accounts
from accounts.models import Membership, Team, User
from hosting import catalogue
from hosting.lifecycle import operations

EMAIL = "demo@dormouse.localhost"
MODELS = [("tale-writer", "text-generator", False), ("little-echo", "echo", True)]


class Command(BaseCommand):
    """Prints the demo's addresses and secrets as JSON; nothing when it is there already."""

    help = "Create the demo: a person, a team, an API key and two models."

    def handle(self, **_: object) -> None:
        """Seed unless the demo's person exists."""
        if User.objects.filter(email=EMAIL).exists():
            return
        with transaction.atomic():
            password = secrets.token_urlsafe(9)
            owner = User.objects.create_user(EMAIL, password, first_name="Demo")
            team = accounts.found_team(owner, name="Demo team")
            membership = Membership.objects.get(team=team, user=owner)
            api_key = accounts.issue_api_key(membership, name="demo")[1]
            models = [
                self._host(team, owner, subdomain, slug, public=public)
                for subdomain, slug, public in MODELS
            ]
        self.stdout.write(
            json.dumps({"email": EMAIL, "password": password, "api_key": api_key, "models": models})
        )

    def _host(
        self, team: Team, owner: User, subdomain: str, slug: str, *, public: bool
    ) -> dict[str, Any]:
        revision = operations.catalogue_spec(slug)
        made = operations.create_model(
            team, subdomain=subdomain, revision=revision, public=public, created_by=owner
        )
        entry = catalogue.find(slug)
        return {
            "subdomain": subdomain,
            "url": made.model.endpoint,
            "token": made.secret,
            "visibility": "public" if public else "private",
            "protocol": revision.protocol,
            "sample": dict(entry.sample) if entry else {},
        }
