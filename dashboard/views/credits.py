"""Credits: what the team has, buying more, and how it pays."""

from typing import Any

from django import forms
from django.conf import settings
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_GET, require_POST

from dashboard.forms.page import PageForm
from dashboard.teams import TeamRequest, member_page, writer_page
from hosting.billing import budgets, credits, plans, providers, purchases
from hosting.errors import HostingError

_USUAL = ["10", "25", "50", "100", "250"]


class PurchaseForm(PageForm):
    """How much to buy."""

    amount = forms.DecimalField(
        label="Amount, USD",
        max_digits=13,
        decimal_places=2,
        help_text=f"From {purchases.LEAST} to {purchases.MOST:,}.",
        widget=forms.TextInput(
            attrs={"inputmode": "decimal", "class": "num", "list": "usual-amounts"}
        ),
        initial="25.00",
    )


class PayingForm(PageForm):
    """How the team pays."""

    prepaid = forms.TypedChoiceField(
        label="Usage is paid",
        choices=[("no", "By invoice"), ("yes", "From credits")],
        coerce=lambda value: value == "yes",
        widget=forms.RadioSelect,
    )
    stop_at_zero = forms.TypedChoiceField(
        label="When the credits are used up",
        choices=[("no", "Keep answering"), ("yes", "Stop new requests")],
        coerce=lambda value: value == "yes",
        widget=forms.RadioSelect,
        help_text="Kept: the rest goes onto the month's invoice. Stopped: callers get 402, and no"
        " request passes zero. You get an email at 50, 80 and 100 %.",
    )
    billed_to = forms.CharField(
        label="Billed to",
        required=False,
        max_length=1000,
        widget=forms.Textarea(attrs={"rows": 4}),
        help_text="Name and address, as on the invoice.",
    )
    email = forms.EmailField(
        label="Email for billing",
        required=False,
        help_text="Where warnings go. Empty: to the owners.",
    )


@require_GET
@member_page
def overview(request: TeamRequest) -> HttpResponse:
    """Show the balance, the purchases and the movements."""
    return _page(request, PurchaseForm(), _paying(request))


@require_POST
@writer_page
def buy(request: TeamRequest) -> HttpResponse:
    """Begin a purchase; with a card it goes on at the provider's page."""
    form = PurchaseForm(request.POST)
    if form.is_valid():
        try:
            purchase = purchases.begin(
                request.team,
                amount=form.cleaned_data["amount"],
                by=request.membership.user,
                back_url=request.build_absolute_uri(reverse("credits")),
                now=timezone.now(),
            )
        except HostingError as error:
            form.refuse(error)
        else:
            if purchase.pay_url:
                return redirect(purchase.pay_url)
            messages.success(request, f"Write {purchase.reference} on the transfer.")
            return redirect("credits")
    return _page(request, form, _paying(request))


@require_POST
@writer_page
def save_paying(request: TeamRequest) -> HttpResponse:
    """Change how the team pays."""
    form = PayingForm(request.POST)
    if not form.is_valid():
        return _page(request, PurchaseForm(), form)
    plans.set_profile(request.team, **form.cleaned_data)
    budgets.renew(request.team, now=timezone.now())
    messages.success(request, "Saved. It holds from now on.")
    return redirect("credits")


def _paying(request: TeamRequest) -> PayingForm:
    profile = plans.profile_of(request.team)
    said: dict[str, Any] = {"billed_to": profile.billed_to, "email": profile.email}
    for name in ("prepaid", "stop_at_zero"):
        said[name] = "yes" if getattr(profile, name) else "no"
    return PayingForm(initial=said)


def _page(request: TeamRequest, form: PurchaseForm, paying: PayingForm) -> HttpResponse:
    now = timezone.now()
    found = purchases.recent(request.team)
    return render(
        request,
        "dashboard/billing/credits.html",
        {
            "section": "billing",
            "balance": credits.balance(request.team),
            "currency": plans.plan_of(request.team, at=now).currency,
            "profile": plans.profile_of(request.team),
            "entries": credits.entries(request.team),
            "waiting": [each for each in found if each.status == "open"],
            "by_card": providers.chosen().name != "manual",
            "instructions": settings.PAYMENT_INSTRUCTIONS,
            "form": form,
            "paying": paying,
            "usual": _USUAL,
        },
    )
