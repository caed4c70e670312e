"""Rows for tests: people, teams, keys and models, made by the same operations the product uses."""

import itertools
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from django.utils import timezone

from accounts import operations as accounts
from accounts.models import ApiKey, Membership, Role, Team, User
from hosting import registries, secrets
from hosting.billing.models import Budget, Invoice, InvoiceKind, InvoiceLine, PlanPrice, Purchase
from hosting.lifecycle import golden_requests, operations
from hosting.lifecycle.golden_requests import Sample
from hosting.lifecycle.operations import Created
from hosting.lifecycle.specs import RevisionSpec
from hosting.models import GoldenRequest, HostedModel, Target

REGISTRY = "registry.example.org:5000"
_numbers = itertools.count(1)


def make_user(*, email: str = "", password: str | None = None) -> User:
    """A person; without a password (hashing one takes a while) only force_login lets them in."""
    return User.objects.create_user(email or f"person{next(_numbers)}@example.org", password)


def make_member(*, team: Team | None = None, role: str = Role.OWNER, email: str = "") -> Membership:
    """A new person in the team, or in a team of their own."""
    team = team or Team.objects.create(name=f"Team {next(_numbers)}")
    return Membership.objects.create(team=team, user=make_user(email=email), role=role)


def make_operator(*, team: Team | None = None) -> Membership:
    """Somebody who runs the installation, an owner in the team."""
    member = make_member(team=team)
    User.objects.filter(pk=member.user_id).update(is_staff=True, is_superuser=True)
    member.user.refresh_from_db()
    return member


def make_key(
    membership: Membership, *, name: str = "test", expires_at: datetime | None = None
) -> tuple[ApiKey, str]:
    """A key of this person in this team, and its secret."""
    return accounts.issue_api_key(membership, name=name, expires_at=expires_at)


def make_model(team: Team, *, subdomain: str = "", **settings: Any) -> Created:
    """A hosted model of an image that is never run; private unless said otherwise."""
    return operations.create_model(
        team,
        subdomain=subdomain or f"model-{next(_numbers)}",
        revision=settings.pop(
            "revision", RevisionSpec(image="example.org/echo:1", protocol="http")
        ),
        **settings,
    )


def make_canary(model: HostedModel) -> Target:
    """Revision 2 of the model, tried with a tenth of its queries."""
    spec = RevisionSpec(image="example.org/echo:2", protocol="http")
    revision = operations.deploy(model, revision=spec, created_by=None, canary_share=10)
    return Target.objects.get(revision=revision)


def make_golden_request(model: HostedModel) -> GoldenRequest:
    """A sample that any answer to will do."""
    return golden_requests.keep(model, Sample(name="any", input={}), created_by=None)


def make_invoice(team: Team, model: HostedModel) -> Invoice:
    """An invoice of four requests in May 2026, as it would be issued."""
    start, end = datetime(2026, 5, 1, tzinfo=UTC), datetime(2026, 6, 1, tzinfo=UTC)
    invoice = Invoice.objects.create(
        team=team,
        kind=InvoiceKind.INVOICE,
        number=f"DM-2026-{next(_numbers):04d}",
        period_start=start,
        period_end=end,
        currency="USD",
        subtotal=Decimal("0.04"),
        tax=Decimal("0.00"),
        total=Decimal("0.04"),
        issued_at=end,
        due_at=end,
        digest="0" * 64,
    )
    InvoiceLine.objects.create(
        invoice=invoice,
        position=1,
        price_id=PlanPrice.objects.order_by("pk").values_list("pk", flat=True)[0],
        item="request",
        model_id=model.pk,
        subdomain=model.subdomain,
        description=f"Requests to {model.subdomain}",
        quantity=4,
        amount=Decimal("0.04"),
    )
    return invoice


def make_purchase(team: Team) -> Purchase:
    """Credits for 25 dollars that were not paid yet."""
    return Purchase.objects.create(
        team=team,
        amount=Decimal("25.00"),
        currency="USD",
        provider="manual",
        reference=f"DM-{next(_numbers):08d}",
    )


def make_budget(team: Team) -> Budget:
    """A budget of the whole team that is far from used up."""
    return Budget.objects.create(team=team, amount=Decimal("50.00"))


def make_secret(model: HostedModel) -> str:
    """A secret of the model; its name."""
    secrets.put(
        model,
        "API_TOKEN",
        value="a planted secret",
        kind="variable",
        by=None,
        now=timezone.now(),
    )
    return "API_TOKEN"


def make_login(team: Team) -> str:
    """A login of the team, and one of the installation, to the same registry; its host."""
    for whose in (team, None):
        registries.log_in(
            REGISTRY, team=whose, username="ada", password="a planted password", now=timezone.now()
        )
    return REGISTRY
