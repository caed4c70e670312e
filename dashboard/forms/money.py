"""What something may cost."""

from django import forms

from dashboard.forms.page import PageForm
from hosting.billing.models import Budget


class BudgetForm(PageForm):
    """A monthly budget: of the team, a model or a token."""

    amount = forms.DecimalField(
        label="Monthly budget, USD",
        max_digits=13,
        decimal_places=2,
        help_text="You get an email at 50, 80 and 100 %.",
        widget=forms.TextInput(attrs={"inputmode": "decimal", "class": "num"}),
    )
    stop = forms.TypedChoiceField(
        label="When the budget is used up",
        choices=[("no", "Keep answering"), ("yes", "Stop new requests")],
        coerce=lambda value: value == "yes",
        widget=forms.RadioSelect,
        initial="no",
        help_text="Stopped: callers get 402 until the next month or a higher budget.",
    )

    @staticmethod
    def of(budget: Budget | None) -> "BudgetForm":
        """The form as the budget is now."""
        if budget is None:
            return BudgetForm()
        return BudgetForm(initial={"amount": budget.amount, "stop": "yes" if budget.stop else "no"})
