"""Budgets: tell people at 50, 80 and 100 %, and stop what they asked to be stopped.

Spending is read from the rollups, at most a minute behind. A budget that stops is also a cap, as
are prepaid credits: under it routers spend what they have leased only (quotas.py), so that not a
single request passes it meanwhile.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal

from django.db import transaction
from django.db.models import F, Q, QuerySet

from accounts.models import Team
from hosting import route_table
from hosting.billing import credits, plans, quotas, rating, reserves, spending, warnings
from hosting.billing.models import BillingProfile, Budget
from hosting.billing.reserves import micro
from hosting.billing.spending import Spending
from hosting.errors import InvalidValue
from hosting.metering import rollups
from hosting.metering.partitions import month_of
from hosting.models import EndpointToken, HostedModel, Standing


@dataclass(frozen=True, slots=True)
class Verdict:
    """What has to be paid for first, and what is under a cap."""

    stopped_team: bool
    stopped_models: set[int] = field(default_factory=set)
    stopped_tokens: set[int] = field(default_factory=set)
    capped_models: set[int] = field(default_factory=set)
    capped_tokens: set[int] = field(default_factory=set)
    team_caps: list[str] = field(default_factory=list)


def set_budget(
    team: Team,
    *,
    amount: Decimal,
    stop: bool,
    now: datetime,
    model: HostedModel | None = None,
    token: EndpointToken | None = None,
) -> Budget:
    """Set what a team, a model or a token may cost a month. Takes hold at once."""
    if not rating.payable(amount) or amount >= 10**11:
        raise InvalidValue("Choose an amount above zero, in whole cents.", field="amount")
    with transaction.atomic():
        budget, _ = Budget.objects.update_or_create(
            team=team,
            model=model,
            token=token,
            defaults={"amount": amount, "stop": stop, "updated_at": now},
        )
    renew(team, now=now)
    return budget


def find(
    team: Team, *, model: HostedModel | None = None, token: EndpointToken | None = None
) -> Budget | None:
    """The budget of a model or a token; of neither: the team's own."""
    return Budget.objects.filter(team=team, model=model, token=token).first()


def remove_budget(budget: Budget, *, now: datetime) -> None:
    """Remove a budget; what it stopped answers again."""
    team = budget.team
    budget.delete()
    renew(team, now=now)


def renew(team: Team, *, now: datetime) -> None:
    """Look after a team at once: it was paid, or a budget changed."""
    shipped = quotas.shipped(now=now)
    rollups.refresh()
    check(team, now=now, shipped=shipped)


def check_all(*, now: datetime, shipped: Mapping[int, int] | None = None) -> None:
    """Look after every team that has a budget or pays from credits.

    `shipped`: `quotas.shipped()` from before the rollups were refreshed.
    """
    watched = Q(budgets__isnull=False) | Q(billing_profile__prepaid=True)
    # And those with something stopped: their last budget may just have been removed.
    watched |= Q(hosted_models__payment_required=True) | Q(standing__isnull=False)
    for team in Team.objects.filter(watched).distinct():
        check(team, now=now, shipped=shipped)


def check(team: Team, *, now: datetime, shipped: Mapping[int, int] | None = None) -> Verdict:
    """Settle, warn, cap, stop and let go, as this month's spending says. Repeatable."""
    spent = spending.of_month(team, now=now)
    profile = plans.profile_of(team)
    budgets = list(Budget.objects.filter(team=team).select_related("model", "token__model", "team"))
    for budget in budgets:
        warnings.of_budget(budget, spent_of(budget, spent), currency=spent.currency, now=now)
    prices = plans.prices_of(plans.plan_of(team, at=now))
    exact = reserves.exact(prices, tax_percent=profile.tax_percent)
    left = _left(team, profile, budgets, spent, now=now)
    for cap, amount in left.items():
        units = max(0, micro(amount))
        quotas.allow(cap, left=units, exact=exact, shipped=shipped or {}, now=now)
    verdict = _verdict(team, left)
    caps = reserves.of_team(team, prices, tax_percent=profile.tax_percent, now=now)
    _apply(team, verdict, caps if left else {})
    return verdict


def _left(
    team: Team,
    profile: BillingProfile,
    budgets: list[Budget],
    spent: Spending,
    *,
    now: datetime,
) -> dict[str, Decimal]:
    """What may still be spent under each cap."""
    left = {_cap(each): each.amount - spent_of(each, spent) for each in budgets if each.stop}
    if profile.prepaid:
        _settle(team, spent, now=now)
        warnings.of_credits(team, profile, month=spent.start, currency=spent.currency, now=now)
        if profile.stop_at_zero:
            left[f"credits:{team.pk}"] = credits.balance(team)
    return left


def _settle(team: Team, spent: Spending, *, now: datetime) -> None:
    """Take what usage has come to.

    The last minutes of a month come in when it is over: until its invoice is written they are taken
    here, or the credits they used would be spent once more.
    """
    last = month_of(spent.start - timedelta(days=1))
    if not credits.invoiced(team, month=last):
        cost = spending.of_month(team, now=last).total
        credits.settle(team, month=last, cost=cost, now=now)
    credits.settle(team, month=spent.start, cost=spent.total, now=now)


def _cap(budget: Budget) -> str:
    if budget.model_id is not None:
        return f"model:{budget.model_id}"
    return f"token:{budget.token_id}" if budget.token_id else f"team:{budget.team_id}"


def _verdict(team: Team, left: Mapping[str, Decimal]) -> Verdict:
    def ids(kind: str, *, used_up: bool) -> set[int]:
        found = (cap.partition(":") for cap in left if not used_up or left[cap] <= 0)
        return {int(number) for name, _, number in found if name == kind}

    return Verdict(
        stopped_team=bool(ids("team", used_up=True) | ids("credits", used_up=True)),
        stopped_models=ids("model", used_up=True),
        stopped_tokens=ids("token", used_up=True),
        capped_models=ids("model", used_up=False),
        capped_tokens=ids("token", used_up=False),
        team_caps=[cap for cap in left if cap in (f"team:{team.pk}", f"credits:{team.pk}")],
    )


def spent_of(budget: Budget, spent: Spending) -> Decimal:
    """What has been spent of a budget."""
    if budget.model_id is not None:
        return spent.of_model(budget.model_id)
    if budget.token_id is not None:
        return spent.of_token(budget.token_id)
    return spent.total


def _apply(team: Team, verdict: Verdict, caps: dict[str, list[int]]) -> None:
    """Write it where the route table reads it; only what changes is published."""
    with transaction.atomic():
        all_change = _write_standing(team, verdict, caps)
        for model in HostedModel.objects.select_for_update().filter(team=team, deleted_at=None):
            said = {
                "payment_required": verdict.stopped_team or model.pk in verdict.stopped_models,
                "capped": model.pk in verdict.capped_models,
            }
            changed = any(getattr(model, name) != value for name, value in said.items())
            tokens = EndpointToken.objects.filter(model=model, revoked_at=None)
            changed |= _write_tokens(tokens, "payment_required", verdict.stopped_tokens)
            changed |= _write_tokens(tokens, "capped", verdict.capped_tokens)
            if changed or all_change:
                HostedModel.objects.filter(pk=model.pk).update(
                    **said, generation=F("generation") + 1
                )
                route_table.publish_on_commit(model.pk)


def _write_standing(team: Team, verdict: Verdict, caps: dict[str, list[int]]) -> bool:
    said = {
        "payment_required": verdict.stopped_team,
        "caps": verdict.team_caps,
        "reserves": caps,
    }
    standing, is_new = Standing.objects.get_or_create(team=team, defaults=said)
    changed = is_new or any(getattr(standing, name) != value for name, value in said.items())
    Standing.objects.filter(pk=standing.pk).update(**said)
    return changed and (bool(caps) or not is_new)


def _write_tokens(tokens: QuerySet[EndpointToken], name: str, wanted: set[int]) -> bool:
    """Set a flag on these tokens and on no others; whether any changed."""
    held = tokens.filter(**{"pk__in": wanted, name: False}).update(**{name: True})
    let_go = tokens.exclude(pk__in=wanted).filter(**{name: True}).update(**{name: False})
    return bool(held + let_go)
