"""Budgets: told once per level, stopped when asked to, let go when there is room again."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from accounts import operations as accounts
from hosting import route_table
from hosting.billing import budgets, credits, plans, spending
from hosting.billing.models import Budget, BudgetWarning, EntryKind
from hosting.errors import InvalidValue
from hosting.metering import ledger, rollups
from hosting.models import EndpointToken, HostedModel
from tests.database.conftest import NOON, make_event

pytestmark = pytest.mark.django_db
D = Decimal


@pytest.fixture(autouse=True)
def _redis(routes):
    """Publishing needs a Redis."""


@pytest.fixture
def ask():
    """Ask a model some times, as the rollups know it."""

    def put(model, times=1, *, at=NOON, **fields):
        ledger.record([make_event(model, at=at, **fields) for _ in range(times)])
        rollups.refresh()

    return put


def route(model):
    return route_table.build(HostedModel.objects.get(pk=model.pk))


def levels() -> list[int]:
    return list(BudgetWarning.objects.order_by("percent").values_list("percent", flat=True))


def test_each_level_is_told_once_a_month(model, ask, mailoutbox):
    budgets.set_budget(model.team, amount=D("0.10"), stop=False, now=NOON)
    plans.profile_of(model.team)
    told = []
    for times in (4, 1, 3, 2, 5):
        ask(model, times)
        budgets.check(model.team, now=NOON)
        budgets.check(model.team, now=NOON)
        told.append(levels())

    assert told == [[], [50], [50, 80], [50, 80, 100], [50, 80, 100]]


def test_a_warning_is_mailed_to_the_owners_or_whom_they_named(model, ask, mailoutbox):
    profile = plans.profile_of(model.team)
    profile.email = "billing@northlight.example"
    profile.save()
    budgets.set_budget(model.team, amount=D("0.02"), stop=True, now=NOON)

    ask(model, 2)
    budgets.check(model.team, now=NOON)

    (mail,) = mailoutbox
    assert mail.to == ["billing@northlight.example"]
    assert mail.subject == "Northlight: 100 % of the budget is used"
    assert "0.02 of 0.02 USD" in mail.body


def test_a_name_of_two_lines_is_one_line_of_a_mail(model, ask, mailoutbox):
    plans.set_profile(model.team, email="billing@northlight.example")
    accounts.rename_team(model.team, name="North\nlight")
    budgets.set_budget(model.team, amount=D("0.02"), stop=True, now=NOON)
    ask(model, 2)

    budgets.check_all(now=NOON)

    assert [mail.subject for mail in mailoutbox] == ["North light: 100 % of the budget is used"]


def test_a_budget_that_only_tells_stops_nothing(model, ask):
    budgets.set_budget(model.team, amount=D("0.01"), stop=False, now=NOON)

    ask(model)

    assert not budgets.check(model.team, now=NOON).stopped_team
    assert not route(model).payment_required


def test_a_used_up_budget_stops_the_team_s_models_until_it_is_raised(model, ask):
    budgets.set_budget(model.team, amount=D("0.01"), stop=True, now=NOON)
    before = route(model)
    ask(model)
    budgets.check(model.team, now=NOON)
    stopped = route(model)

    budgets.set_budget(model.team, amount=D("1.00"), stop=True, now=NOON)

    assert [before.payment_required, stopped.payment_required] == [False, True]
    assert stopped.generation > before.generation
    assert not route(model).payment_required


def test_a_new_month_lets_everything_answer_again(model, ask):
    budgets.set_budget(model.team, amount=D("0.01"), stop=True, now=NOON)
    ask(model)
    budgets.check_all(now=NOON)

    budgets.check_all(now=NOON + timedelta(days=30))

    assert not route(model).payment_required


def test_a_model_s_budget_stops_that_model_only(model, host_model, ask):
    other = host_model()
    budgets.set_budget(model.team, model=model, amount=D("0.01"), stop=True, now=NOON)

    ask(model)
    budgets.check_all(now=NOON)

    assert (route(model).payment_required, route(other).payment_required) == (True, False)


def test_a_token_s_budget_stops_that_token_only(model, ask):
    token = EndpointToken.objects.get(model=model)
    budgets.set_budget(model.team, token=token, amount=D("0.01"), stop=True, now=NOON)

    ask(model, token_id=token.pk)
    budgets.check_all(now=NOON)

    assert (route(model).payment_required, route(model).unpaid_tokens) == (False, (token.pk,))


def test_removing_a_budget_lets_go(model, ask):
    budget = budgets.set_budget(model.team, amount=D("0.01"), stop=True, now=NOON)
    ask(model)
    budgets.check_all(now=NOON)

    budgets.remove_budget(budget, now=NOON)

    assert not route(model).payment_required


def test_a_prepaid_team_stops_at_zero_and_answers_again_when_topped_up(model, ask):
    profile = plans.profile_of(model.team)
    profile.prepaid = profile.stop_at_zero = True
    profile.save()
    credits.add(model.team, D("0.03"), kind=EntryKind.GRANT, key="welcome", now=NOON)
    ask(model, 2)
    assert not budgets.check(model.team, now=NOON).stopped_team
    ask(model, 4)

    assert budgets.check(model.team, now=NOON).stopped_team
    assert credits.balance(model.team) == 0
    credits.add(model.team, D("1.00"), kind=EntryKind.PURCHASE, key="order", now=NOON)
    assert not budgets.check(model.team, now=NOON).stopped_team
    assert credits.balance(model.team) == D("0.97")  # what was still unpaid is taken from it


def test_the_last_seconds_of_a_month_are_paid_before_its_credits_are_spent_again(model, ask):
    plans.set_profile(model.team, prepaid=True, stop_at_zero=True)
    credits.add(model.team, D("0.02"), kind=EntryKind.GRANT, key="welcome", now=NOON)
    july = datetime(2026, 7, 1, tzinfo=UTC)
    ask(model, 2, at=july - timedelta(seconds=1))

    assert budgets.check(model.team, now=july + timedelta(seconds=30)).stopped_team
    assert credits.balance(model.team) == 0


def test_checking_again_publishes_nothing_new(model, ask):
    budgets.set_budget(model.team, amount=D("0.01"), stop=True, now=NOON)
    ask(model)
    budgets.check_all(now=NOON)
    generation = route(model).generation

    budgets.check_all(now=NOON)

    assert route(model).generation == generation


@pytest.mark.parametrize("amount", ["0", "-5", "0.005", "1e12"])
def test_a_strange_budget_is_refused(team, amount):
    with pytest.raises(InvalidValue, match="whole cents"):
        budgets.set_budget(team, amount=D(amount), stop=False, now=NOON)
    assert not Budget.objects.exists()


def test_the_parts_of_a_month_add_up_to_it(model, host_model, ask):
    other = host_model()
    token = EndpointToken.objects.get(model=model)
    for day in range(3):
        ask(model, 3, at=NOON + timedelta(days=day), token_id=token.pk)
        ask(other, day, at=NOON + timedelta(days=day))

    spent = spending.of_month(model.team, now=NOON + timedelta(days=3))

    assert spent.total == D("0.12")
    assert [each.amount for each in spent.models] == [D("0.09"), D("0.03")]
    assert sum(spent.by_token.values()) == spent.total
    assert sum(sum(models.values()) for models in spent.by_day.values()) == spent.total
    assert spending.expected(spent, now=NOON + timedelta(days=3)) > spent.total
