"""Which prices a team pays, and how a new one comes into force."""

from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from typing import Any

from accounts.models import Team
from hosting.billing import rating
from hosting.billing.models import BillingProfile, Plan, PlanPrice, Subscription
from hosting.billing.rating import Item, Price, Tier
from hosting.errors import InvalidValue

DEFAULT_PLAN = "pay-as-you-go"


def plan_of(team: Team, *, at: datetime) -> Plan:
    """The plan a team is on at this moment."""
    found = (
        Subscription.objects.filter(team=team, valid_from__lte=at)
        .select_related("plan")
        .order_by("-valid_from")
        .first()
    )
    return found.plan if found else Plan.objects.get(slug=DEFAULT_PLAN)


def profile_of(team: Team) -> BillingProfile:
    """How a team pays; made with its first use."""
    return BillingProfile.objects.get_or_create(team=team)[0]


def set_profile(team: Team, **said: Any) -> BillingProfile:
    """Change how a team pays. What an operator decides (tax, days to pay) is not the team's."""
    unknown = said.keys() - {"billed_to", "email", "prepaid", "stop_at_zero"}
    if unknown:
        raise ValueError(f"not a team's to say: {unknown}")
    profile = profile_of(team)
    BillingProfile.objects.filter(pk=profile.pk).update(**said)
    return profile_of(team)


def prices_of(plan: Plan) -> list[Price]:
    """All prices of a plan, past and future ones too, as rating reads them."""
    return [_price(row) for row in PlanPrice.objects.filter(plan=plan).order_by("pk")]


def prices_beside(price_id: int) -> list[Price]:
    """All prices of the plan that has this one."""
    return prices_of(Plan.objects.get(prices=price_id))


def prices_by_id(ids: Iterable[int]) -> dict[int, Price]:
    """Prices by id, of any plan."""
    return {row.pk: _price(row) for row in PlanPrice.objects.filter(pk__in=set(ids))}


def subscribe(team: Team, *, plan: Plan, valid_from: datetime, now: datetime) -> Subscription:
    """Put a team on a plan from a moment on, never for what is past."""
    _not_past(valid_from, now=now)
    return Subscription.objects.create(team=team, plan=plan, valid_from=valid_from)


def set_price(
    plan: Plan,
    *,
    item: Item,
    tiers: Iterable[tuple[int | None, Decimal]],
    valid_from: datetime,
    now: datetime,
    model_id: int | None = None,
    per: int = 1,
    free_units: int = 0,
    successes_only: bool = False,
) -> PlanPrice:
    """Let a price come into force; usage of the past keeps the price it had."""
    _not_past(valid_from, now=now)
    steps = list(tiers)
    _check(steps)
    return PlanPrice.objects.create(
        plan=plan,
        item=item,
        model_id=model_id,
        valid_from=valid_from,
        per=per,
        free_units=free_units,
        successes_only=successes_only,
        tiers=[[up_to, str(unit_price)] for up_to, unit_price in steps],
    )


def _check(tiers: list[tuple[int | None, Decimal]]) -> None:
    bounds = [up_to for up_to, _ in tiers]
    rising = [up_to for up_to in bounds[:-1] if up_to is not None]
    if not tiers or bounds[-1] is not None or len(rising) != len(bounds) - 1:
        raise InvalidValue("The last tier, and only that one, has no upper bound.", field="tiers")
    if rising != sorted(set(rising)) or any(up_to <= 0 for up_to in rising):
        raise InvalidValue("Each tier ends above the one before.", field="tiers")
    if any(unit_price < 0 for _, unit_price in tiers):
        raise InvalidValue("A price is never negative.", field="tiers")


def _not_past(valid_from: datetime, *, now: datetime) -> None:
    if valid_from < now or (valid_from.minute, valid_from.second, valid_from.microsecond) != (
        0,
        0,
        0,
    ):
        raise InvalidValue(
            "Choose a full hour that is still to come: hours that began keep their price.",
            field="valid_from",
        )


def _price(row: PlanPrice) -> Price:
    return rating.Price(
        id=row.pk,
        item=Item(row.item),
        tiers=tuple(Tier(up_to, Decimal(unit_price)) for up_to, unit_price in row.tiers),
        valid_from=row.valid_from,
        model_id=row.model_id,
        per=row.per,
        free_units=row.free_units,
        successes_only=row.successes_only,
    )
