"""The addresses of usage, billing and invoices."""

from django.urls import path, re_path

from dashboard.views import billing, budgets, credits, unconfirmed, usage

urlpatterns = [
    path("usage/", usage.usage, name="usage"),
    re_path(r"^usage/usage\.(?P<kind>csv|jsonl)$", usage.export, name="usage-export"),
    path("usage/unconfirmed/", unconfirmed.unconfirmed, name="unconfirmed"),
    path("billing/", billing.overview, name="billing"),
    path("billing/budget/", budgets.save_of_team, name="save-budget"),
    path("billing/budget/remove/", budgets.remove_of_team, name="remove-budget"),
    path("models/<slug:subdomain>/budget/", budgets.save_of_model, name="save-model-budget"),
    path(
        "models/<slug:subdomain>/budget/remove/",
        budgets.remove_of_model,
        name="remove-model-budget",
    ),
    path(
        "models/<slug:subdomain>/tokens/<int:token_id>/budget/",
        budgets.of_token,
        name="token-budget",
    ),
    path(
        "models/<slug:subdomain>/tokens/<int:token_id>/budget/remove/",
        budgets.remove_of_token,
        name="remove-token-budget",
    ),
    path("billing/credits/", credits.overview, name="credits"),
    path("billing/credits/buy/", credits.buy, name="buy-credits"),
    path("billing/credits/paying/", credits.save_paying, name="save-paying"),
    path("billing/<slug:number>/", billing.invoice, name="invoice"),
    path("billing/<slug:number>.<slug:kind>", billing.document, name="invoice-document"),
    path("billing/<slug:number>/<int:position>/", billing.line, name="invoice-line"),
]
