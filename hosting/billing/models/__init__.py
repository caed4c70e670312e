"""The rows of billing, one file per concept."""

from hosting.billing.models.budgets import Budget, BudgetWarning, QuotaCap, QuotaLease
from hosting.billing.models.credits import (
    CreditBalance,
    CreditEntry,
    CreditLot,
    CreditPosting,
    CreditWarning,
    EntryKind,
)
from hosting.billing.models.invoices import (
    Invoice,
    InvoiceKind,
    InvoiceLine,
    InvoiceSeries,
    Payment,
)
from hosting.billing.models.prices import BillingProfile, Plan, PlanPrice, Subscription
from hosting.billing.models.purchases import Purchase, PurchaseStatus

__all__ = [
    "BillingProfile",
    "Budget",
    "BudgetWarning",
    "CreditBalance",
    "CreditEntry",
    "CreditLot",
    "CreditPosting",
    "CreditWarning",
    "EntryKind",
    "Invoice",
    "InvoiceKind",
    "InvoiceLine",
    "InvoiceSeries",
    "Payment",
    "Plan",
    "PlanPrice",
    "Purchase",
    "PurchaseStatus",
    "QuotaCap",
    "QuotaLease",
    "Subscription",
]
