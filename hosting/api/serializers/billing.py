"""What a team pays. Amounts are text: no reader rounds them."""

from decimal import Decimal
from typing import Any

from rest_framework import serializers

from hosting.api.serializers.usage import WindowSerializer
from hosting.billing.models import Budget
from hosting.metering import statistics

LARGEST = Decimal("99999999999.99")


def amount_field(**more: Any) -> serializers.DecimalField:
    """Whole cents, as text."""
    return serializers.DecimalField(max_digits=14, decimal_places=2, **more)


class BudgetSerializer(serializers.ModelSerializer[Budget]):
    """What a team, one of its models or one of its tokens may cost in a calendar month (UTC)."""

    model = serializers.CharField(source="model.subdomain", default=None, allow_null=True)

    class Meta:
        model = Budget
        fields = ["id", "model", "token_id", "amount", "stop", "updated_at"]
        read_only_fields = fields


class NewBudgetSerializer(serializers.Serializer[Any]):
    """Neither a model nor a token: the whole team's. A second one for the same replaces it."""

    amount = amount_field(min_value=Decimal("0.01"), max_value=LARGEST)
    stop = serializers.BooleanField(
        default=False, help_text="Used up: callers get 402 until the month ends or you raise it."
    )
    model = serializers.CharField(required=False, max_length=40, help_text="Its subdomain.")
    token_id = serializers.IntegerField(
        required=False, min_value=1, max_value=2**63 - 1, help_text="Of this model; give both."
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """A token is found through its model."""
        if "token_id" in attrs and "model" not in attrs:
            raise serializers.ValidationError({"model": "Name the model the token opens."})
        return attrs


class ModelCostSerializer(serializers.Serializer[Any]):
    """One model's share of the month."""

    model_id = serializers.IntegerField()
    requests = serializers.IntegerField()
    amount = amount_field()


class MarkSerializer(serializers.Serializer[Any]):
    """The last comparison of spool, ledger, rollups and invoices."""

    at = serializers.DateTimeField()
    agrees = serializers.BooleanField()


class MonthSerializer(serializers.Serializer[Any]):
    """The running month so far, at most a minute behind."""

    start = serializers.DateTimeField()
    end = serializers.DateTimeField()
    currency = serializers.CharField()
    subtotal = amount_field()
    tax = amount_field()
    total = amount_field()
    expected = amount_field()
    credits = amount_field()
    plan = serializers.CharField()
    models = ModelCostSerializer(many=True)
    budgets = BudgetSerializer(many=True)
    reconciled = MarkSerializer(allow_null=True)


class InvoiceLineSerializer(serializers.Serializer[Any]):
    """One model's use of one price."""

    position = serializers.IntegerField()
    description = serializers.CharField()
    item = serializers.CharField()
    model = serializers.CharField()
    model_id = serializers.IntegerField()
    late = serializers.BooleanField(help_text="Of an earlier month, counted after it was closed.")
    quantity = serializers.IntegerField()
    unit = serializers.CharField()
    amount = amount_field()


class InvoiceSerializer(serializers.Serializer[Any]):
    """An invoice or a credit note. It never changes."""

    number = serializers.CharField()
    kind = serializers.ChoiceField(choices=["invoice", "credit_note"])
    status = serializers.ChoiceField(choices=["open", "overdue", "paid", "credit_note"])
    corrects = serializers.CharField(allow_null=True)
    reason = serializers.CharField()
    billed_to = serializers.CharField()
    period_start = serializers.DateTimeField()
    period_end = serializers.DateTimeField()
    issued_at = serializers.DateTimeField()
    due_at = serializers.DateTimeField()
    currency = serializers.CharField()
    lines = InvoiceLineSerializer(many=True)
    subtotal = amount_field()
    tax_name = serializers.CharField()
    tax_percent = serializers.DecimalField(max_digits=6, decimal_places=3)
    tax = amount_field()
    total = amount_field()
    from_credits = amount_field()
    due = amount_field()
    digest = serializers.CharField()


class HourQuerySerializer(serializers.Serializer[Any]):
    """Which hour's requests to list."""

    hour = serializers.DateTimeField(required=False, help_text="One of `hours`.")
    after = serializers.UUIDField(required=False, help_text="The last request id you have.")


class HourSerializer(serializers.Serializer[Any]):
    """What one hour adds to a line."""

    hour = serializers.DateTimeField()
    quantity = serializers.IntegerField()


class TrailSerializer(serializers.Serializer[Any]):
    """The hours of a line; with `hour`, up to 1,000 ids of the requests in it."""

    line = InvoiceLineSerializer()
    hours = HourSerializer(many=True)
    request_ids = serializers.ListField(child=serializers.UUIDField())


class StatisticsQuerySerializer(WindowSerializer):
    """A window and how to split it."""

    by = serializers.ChoiceField(choices=sorted(statistics.DIMENSIONS), default="status")


class TimesSerializer(serializers.Serializer[Any]):
    """Milliseconds; null where nothing was measured."""

    p50 = serializers.FloatField(allow_null=True)
    p95 = serializers.FloatField(allow_null=True)
    p99 = serializers.FloatField(allow_null=True)


class StatisticsRowSerializer(serializers.Serializer[Any]):
    """One kind of request; `key` is the status, or the id of the model, revision or token."""

    key = serializers.IntegerField()
    requests = serializers.IntegerField()
    counted = serializers.IntegerField()
    model_errors = serializers.IntegerField()
    refused = serializers.IntegerField()
    aborted = serializers.IntegerField()
    cold = serializers.IntegerField()
    bytes_in = serializers.IntegerField()
    bytes_out = serializers.IntegerField()
    model = TimesSerializer()
    held = TimesSerializer()


class WakesSerializer(serializers.Serializer[Any]):
    """How waking went: until the engine ran it, then until the model answered."""

    count = serializers.IntegerField()
    failed = serializers.IntegerField()
    start = TimesSerializer()
    ready = TimesSerializer()
    whole = TimesSerializer()


class StatisticsSerializer(serializers.Serializer[Any]):
    """What one model did in the window."""

    since = serializers.DateTimeField()
    until = serializers.DateTimeField()
    by = serializers.ChoiceField(choices=sorted(statistics.DIMENSIONS))
    total = StatisticsRowSerializer()
    rows = StatisticsRowSerializer(many=True)
    wakes = WakesSerializer()
