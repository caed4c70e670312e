"""The billing application."""

from django.apps import AppConfig


class BillingConfig(AppConfig):
    """Plans, invoices, credits and budgets."""

    name = "hosting.billing"
    label = "billing"
