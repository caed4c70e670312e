"""Credits, buying them, and how a team pays."""

from typing import Any

from rest_framework import serializers
from rest_framework.fields import EmailField

from hosting.api.serializers.billing import amount_field
from hosting.api.serializers.usage import WindowSerializer
from hosting.billing.models import BillingProfile, Purchase, PurchaseStatus
from hosting.metering import export, statistics


class PurchaseSerializer(serializers.ModelSerializer[Purchase]):
    """Credits on their way. `pay_url`: where to pay; empty: pay by `reference`."""

    id = serializers.UUIDField(source="key")
    status = serializers.ChoiceField(choices=PurchaseStatus.values)

    class Meta:
        model = Purchase
        fields = [
            "id", "amount", "currency", "provider", "reference", "pay_url", "status",
            "created_at", "paid_at",
        ]  # fmt: skip
        read_only_fields = fields


class NewPurchaseSerializer(serializers.Serializer[Any]):
    """How much to buy."""

    amount = amount_field(help_text="From 5.00 to 10,000.00.")


class EntrySerializer(serializers.Serializer[Any]):
    """One movement; an amount below zero left the team."""

    at = serializers.DateTimeField()
    kind = serializers.CharField()
    amount = amount_field()
    memo = serializers.CharField()


class CreditsSerializer(serializers.Serializer[Any]):
    """What the team has, its last movements and purchases."""

    balance = amount_field()
    currency = serializers.CharField()
    entries = EntrySerializer(many=True)
    purchases = PurchaseSerializer(many=True)


class ProfileSerializer(serializers.ModelSerializer[BillingProfile]):
    """How the team pays. Tax and days to pay are the operator's to say."""

    email = serializers.CharField(
        required=False,
        allow_blank=True,
        max_length=254,
        help_text="Who gets mails about billing; empty: the owners.",
    )

    class Meta:
        model = BillingProfile
        fields = [
            "billed_to", "email", "prepaid", "stop_at_zero", "tax_name", "tax_percent",
            "payment_days",
        ]  # fmt: skip
        read_only_fields = ["tax_name", "tax_percent", "payment_days"]

    def validate_email(self, value: str) -> str:
        """An address, or nothing."""
        return EmailField().run_validation(value) if value else ""


class ExportQuerySerializer(WindowSerializer):
    """What to put into the file: every request, or with `by` the figures of a split."""

    kind = serializers.ChoiceField(choices=list(export.FORMATS), default="csv")
    by = serializers.ChoiceField(choices=sorted(statistics.DIMENSIONS), required=False)


class DocumentQuerySerializer(serializers.Serializer[Any]):
    """Which form of the invoice."""

    kind = serializers.ChoiceField(choices=["pdf", "csv"], default="pdf")
