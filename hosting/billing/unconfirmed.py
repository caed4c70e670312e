"""Requests whose end nobody knows: billed, listed, and settled one by one."""

from datetime import datetime
from decimal import ROUND_CEILING, Decimal
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet

from accounts.models import Team
from hosting.billing import budgets, credits, plans, rating, spending
from hosting.billing.models import EntryKind
from hosting.billing.rating import Item
from hosting.errors import InvalidValue
from hosting.models import UnconfirmedRequest


def of_team(team: Team) -> QuerySet[UnconfirmedRequest]:
    """A team's, the last first."""
    return UnconfirmedRequest.objects.filter(team_id=team.pk).select_related("kill__source")


def price_of(request: UnconfirmedRequest) -> Decimal:
    """What it costs by itself, tax included, in whole cents rounded up."""
    team = Team.objects.get(pk=request.team_id)
    prices = spending.list_prices(team, at=request.arrived_at)
    item = Item.REQUEST if request.counted else Item.PASS_THROUGH
    price = prices.of_requests(request.model_id, 1, item=item)
    with_tax = price * (1 + Decimal(plans.profile_of(team).tax_percent) / 100)
    return with_tax.quantize(rating.CENT, ROUND_CEILING)


def settle(request_id: UUID, *, refund: bool, now: datetime) -> UnconfirmedRequest:
    """Give its price back as credits, or let it stand. Once: InvalidValue the second time."""
    with transaction.atomic():
        found = UnconfirmedRequest.objects.select_for_update().filter(request_id=request_id).first()
        if found is None:
            raise InvalidValue(f"{request_id} is not unconfirmed.", field="request_id")
        if found.settled_at is not None:
            raise InvalidValue(f"{request_id} was settled already.", field="request_id")
        found.settled_at = now
        found.refunded = price_of(found) if refund else Decimal(0)
        found.save(update_fields=["settled_at", "refunded"])
        if found.refunded:
            _give_back(found, now=now)
    if found.refunded:
        budgets.renew(Team.objects.get(pk=found.team_id), now=now)
    return found


def _give_back(request: UnconfirmedRequest, *, now: datetime) -> None:
    credits.add(
        Team.objects.get(pk=request.team_id),
        request.refunded,
        kind=EntryKind.CORRECTION,
        key=f"unconfirmed:{request.request_id}",
        now=now,
        memo=f"Unconfirmed request {request.request_id}",
    )
