"""Tell people at 50, 80 and 100 % of a budget or of their credits, once each."""

import logging
from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal

from django.conf import settings
from django.core.mail import send_mail

from accounts.models import Role, Team
from hosting.billing import credits, plans
from hosting.billing.models import BillingProfile, Budget, BudgetWarning, CreditWarning

logger = logging.getLogger(__name__)

LEVELS = (50, 80, 100)


def of_budget(budget: Budget, spent: Decimal, *, currency: str, now: datetime) -> None:
    """Tell once a month per level; only of the highest when several are reached at once."""
    reached = _reached(spent, of=budget.amount)
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
    if not new or max(new) != max(reached):
        return
    name, percent, next_step = _name(budget), max(new), "Nothing stops."
    if budget.stop:
        next_step = (
            "Callers get 402 from now on, until the month ends or you raise it."
            if percent >= 100
            else "At 100 % callers get 402."
        )
    _mail(
        budget.team,
        f"{name}: {percent} % of the budget is used",
        f"{name} has cost {spent} of {budget.amount} {currency} this month. {next_step}\n"
        f"Look at it or change it: {settings.DASHBOARD_URL}{_page(budget)}\n",
    )


def of_credits(
    team: Team, profile: BillingProfile, *, month: datetime, currency: str, now: datetime
) -> None:
    """Tell how much of what the team had this month is used; after a top-up it counts anew."""
    left = credits.balance(team)
    had = left + credits.taken(team, month=month)
    reached = _reached(had - left, of=had) if had > 0 else []
    CreditWarning.objects.filter(team=team).exclude(percent__in=reached).delete()
    new = [
        level
        for level in reached
        if CreditWarning.objects.get_or_create(
            team=team, percent=level, defaults={"reached_at": now}
        )[1]
    ]
    if not new or max(new) != max(reached):
        return
    at_zero = "Callers get 402" if profile.stop_at_zero else "What is used goes onto an invoice"
    when = "now" if max(new) >= 100 else "when they are used up"
    _mail(
        team,
        f"{team.name}: {max(new)} % of the credits are used",
        f"{left} {currency} are left. {at_zero} {when}.\n"
        f"Add credits: {settings.DASHBOARD_URL}/billing/credits/\n",
    )


def _reached(spent: Decimal, *, of: Decimal) -> list[int]:
    return [level for level in LEVELS if spent * 100 >= of * level]


def _mail(team: Team, subject: str, text: str) -> None:
    to = list(_recipients(team, plans.profile_of(team)))
    subject = " ".join(subject.split())  # names may have line breaks, which no header has
    try:
        send_mail(subject, text, settings.DEFAULT_FROM_EMAIL, to)
    except OSError as error:
        # The pages show the warning too; a mail server that is away must not stop the books.
        logger.warning("“%s” was not sent: %s", subject, error)


def _name(budget: Budget) -> str:
    if budget.model is not None:
        return budget.model.subdomain
    if budget.token is not None:
        return f"Token {budget.token.label}"
    return budget.team.name


def _page(budget: Budget) -> str:
    """Where the budget is shown."""
    if budget.model is not None:
        return f"/models/{budget.model.subdomain}/settings/"
    if budget.token is not None:
        return f"/models/{budget.token.model.subdomain}/tokens/"
    return "/billing/"


def _recipients(team: Team, profile: BillingProfile) -> Iterable[str]:
    if profile.email:
        return [profile.email]
    owners = team.memberships.filter(role=Role.OWNER, user__is_active=True)
    return owners.values_list("user__email", flat=True)
