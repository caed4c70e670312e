"""The addresses of usage, billing and invoices."""

from django.urls import path, re_path

from dashboard.views import billing, credits, unconfirmed, usage

urlpatterns = [
    path("usage/", usage.usage, name="usage"),
    re_path(r"^usage/usage\.(?P<kind>csv|jsonl)$", usage.export, name="usage-export"),
    path("usage/unconfirmed/", unconfirmed.unconfirmed, name="unconfirmed"),
    path("billing/", billing.overview, name="billing"),
    path("billing/budget/", billing.save_budget, name="save-budget"),
    path("billing/budget/remove/", billing.remove_budget, name="remove-budget"),
    path("billing/credits/", credits.overview, name="credits"),
    path("billing/credits/buy/", credits.buy, name="buy-credits"),
    path("billing/credits/paying/", credits.save_paying, name="save-paying"),
    path("billing/<slug:number>/", billing.invoice, name="invoice"),
    path("billing/<slug:number>.<slug:kind>", billing.document, name="invoice-document"),
    path("billing/<slug:number>/<int:position>/", billing.line, name="invoice-line"),
]
