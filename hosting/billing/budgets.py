"""Budgets: tell people at 50, 80 and 100 %, and stop what they asked to be stopped.

Spending is read from the rollups, at most a minute behind: a stop takes hold that much later. What
must never be passed by a single unit is a quota (quotas.py).
"""

import logging
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from django.conf import settings
from django.core.mail import send_mail
from django.db import transaction
from django.db.models import F, Q

from accounts.models import Role, Team
from hosting import route_table
from hosting.billing import credits, plans, spending
from hosting.billing.models import BillingProfile, Budget, BudgetWarning
from hosting.billing.spending import Spending
from hosting.errors import InvalidValue
from hosting.models import EndpointToken, HostedModel

logger = logging.getLogger(__name__)

LEVELS = (50, 80, 100)


@dataclass(frozen=True, slots=True)
class Stopped:
    """What has to be paid for first."""

    team: bool = False
    models: set[int] = field(default_factory=set)
    tokens: set[int] = field(default_factory=set)


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
    if amount <= 0 or amount != amount.quantize(Decimal("0.01")) or amount >= 10**11:
        raise InvalidValue("Choose an amount above zero, in whole cents.", field="amount")
    with transaction.atomic():
        budget, _ = Budget.objects.update_or_create(
            team=team,
            model=model,
            token=token,
            defaults={"amount": amount, "stop": stop, "updated_at": now},
        )
    check(team, now=now)
    return budget


def remove_budget(budget: Budget, *, now: datetime) -> None:
    """Remove a budget; what it stopped answers again."""
    team = budget.team
    budget.delete()
    check(team, now=now)


def check_all(*, now: datetime) -> None:
    """Look after every team that has a budget or pays from credits."""
    watched = Q(budgets__isnull=False) | Q(billing_profile__prepaid=True)
    # And those with something stopped: their last budget may just have been removed.
    watched |= Q(hosted_models__payment_required=True)
    for team in Team.objects.filter(watched).distinct():
        check(team, now=now)


def check(team: Team, *, now: datetime) -> Stopped:
    """Settle, warn, stop and let go, as this month's spending says. Repeatable."""
    spent = spending.of_month(team, now=now)
    profile = plans.profile_of(team)
    budgets = list(Budget.objects.filter(team=team).select_related("model", "token", "team"))
    for budget in budgets:
        _warn(budget, spent_of(budget, spent), currency=spent.currency, profile=profile, now=now)
    full = [each for each in budgets if each.stop and spent_of(each, spent) >= each.amount]
    stopped = Stopped(
        team=_out_of_credits(team, profile, spent, now=now)
        or any(each.model_id is None and each.token_id is None for each in full),
        models={each.model_id for each in full if each.model_id is not None},
        tokens={each.token_id for each in full if each.token_id is not None},
    )
    _apply(team, stopped)
    return stopped


def spent_of(budget: Budget, spent: Spending) -> Decimal:
    """What has been spent of a budget."""
    if budget.model_id is not None:
        return spent.of_model(budget.model_id)
    if budget.token_id is not None:
        return spent.by_token.get(budget.token_id, Decimal(0))
    return spent.total


def _out_of_credits(team: Team, profile: BillingProfile, spent: Spending, *, now: datetime) -> bool:
    if not profile.prepaid:
        return False
    credits.settle(team, month=spent.start, cost=spent.total, now=now)
    return profile.stop_at_zero and credits.balance(team) <= 0


def _apply(team: Team, stopped: Stopped) -> None:
    """Write what is stopped where the route table reads it; only what changes is published."""
    with transaction.atomic():
        for model in HostedModel.objects.select_for_update().filter(team=team, deleted_at=None):
            wanted = stopped.team or model.pk in stopped.models
            tokens = EndpointToken.objects.filter(model=model, revoked_at=None)
            held = tokens.filter(pk__in=stopped.tokens, payment_required=False)
            let_go = tokens.exclude(pk__in=stopped.tokens).filter(payment_required=True)
            changed = held.update(payment_required=True) + let_go.update(payment_required=False)
            if changed or wanted != model.payment_required:
                HostedModel.objects.filter(pk=model.pk).update(
                    payment_required=wanted, generation=F("generation") + 1
                )
                route_table.publish_on_commit(model.pk)


def _warn(
    budget: Budget, spent: Decimal, *, currency: str, profile: BillingProfile, now: datetime
) -> None:
    """Tell people once a month per level; only of the highest when several are reached at once."""
    reached = [level for level in LEVELS if spent * 100 >= budget.amount * level]
    new = [
        level
        for level in reached
        if BudgetWarning.objects.get_or_create(
            budget=budget,
            month=now.date().replace(day=1),
            percent=level,
            defaults={"reached_at": now},
        )[1]
    ]
    if new and max(new) == max(reached):
        _tell(budget, spent, percent=max(new), currency=currency, profile=profile)


def _tell(
    budget: Budget, spent: Decimal, *, percent: int, currency: str, profile: BillingProfile
) -> None:
    subject, next_step = _name(budget), "Nothing stops."
    if budget.stop:
        next_step = (
            "Callers get 402 from now on, until the month ends or you raise it."
            if percent >= 100
            else "At 100 % callers get 402."
        )
    try:
        send_mail(
            f"{subject}: {percent} % of the budget is used",
            f"{subject} has cost {spent} of {budget.amount} {currency} this month. {next_step}\n"
            f"Look at it or change it: {settings.DASHBOARD_URL}/billing/\n",
            settings.DEFAULT_FROM_EMAIL,
            list(_recipients(budget.team, profile)),
        )
    except OSError as error:
        # The pages show the warning too; a mail server that is away must not stop the books.
        logger.warning("the budget warning for %s was not sent: %s", subject, error)


def _name(budget: Budget) -> str:
    if budget.model is not None:
        return budget.model.subdomain
    if budget.token is not None:
        return f"Token {budget.token.label}"
    return budget.team.name


def _recipients(team: Team, profile: BillingProfile) -> Iterable[str]:
    if profile.email:
        return [profile.email]
    owners = team.memberships.filter(role=Role.OWNER, user__is_active=True)
    return owners.values_list("user__email", flat=True)
