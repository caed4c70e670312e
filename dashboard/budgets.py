"""A budget as pages show it: what was spent of it this month, and how far along that is."""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from django.db.models import Q

from accounts.models import Team
from hosting.billing import budgets
from hosting.billing.models import Budget
from hosting.billing.spending import Spending
from hosting.models import EndpointToken, HostedModel

_WHOLE = 1000  # the width of a meter


@dataclass(frozen=True, slots=True)
class BudgetView:
    """What a team, a model or a token may cost, and has cost this month."""

    budget: Budget | None
    spent: Decimal
    currency: str
    expected: Decimal | None = None  # by the end of the month

    @property
    def used(self) -> int:
        """How much of the meter is full."""
        return self._width(self.spent)

    @property
    def expected_width(self) -> int:
        """How much of it will be."""
        return self._width(self.expected or self.spent)

    @property
    def percent(self) -> int:
        """Of the budget."""
        return int(self.spent * 100 / self.budget.amount) if self.budget else 0

    @property
    def stopped(self) -> bool:
        """Whether requests are answered 402 because of it."""
        return bool(self.budget and self.budget.stop and self.spent >= self.budget.amount)

    def _width(self, amount: Decimal) -> int:
        return min(_WHOLE, int(amount * _WHOLE / self.budget.amount)) if self.budget else 0


def of_team(team: Team, spent: Spending, *, expected: Decimal) -> BudgetView:
    """The team's own."""
    return BudgetView(budgets.find(team), spent.total, spent.currency, expected)


def of_model(model: HostedModel, spent: Spending) -> BudgetView:
    """One model's."""
    found = budgets.find(model.team, model=model)
    return BudgetView(found, spent.of_model(model.pk), spent.currency)


def of_parts(team: Team, spent: Spending) -> list[tuple[Budget, BudgetView]]:
    """Those of models and tokens that are still there, the most used up first."""
    found = Budget.objects.filter(team=team).exclude(model=None, token=None)
    there = found.filter(
        Q(model__deleted_at=None, model__isnull=False)
        | Q(token__revoked_at=None, token__model__deleted_at=None, token__isnull=False)
    ).select_related("model", "token__model", "team")
    rows = [
        (each, BudgetView(each, budgets.spent_of(each, spent), spent.currency)) for each in there
    ]
    return sorted(rows, key=lambda row: -row[1].percent)


def of_tokens(
    tokens: Iterable[EndpointToken], spent: Spending
) -> list[tuple[EndpointToken, BudgetView]]:
    """Each token with its own."""
    wanted = list(tokens)
    found = {each.token_id: each for each in Budget.objects.filter(token__in=wanted)}
    return [
        (each, BudgetView(found.get(each.pk), spent.of_token(each.pk), spent.currency))
        for each in wanted
    ]
