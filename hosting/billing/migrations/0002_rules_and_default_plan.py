"""What the database refuses about money, and the plan every team is on at first."""

from datetime import UTC, datetime

from django.db import migrations

APPEND_ONLY = (
    "billing_planprice",
    "billing_invoice",
    "billing_invoiceline",
    "billing_payment",
    "billing_creditentry",
    "billing_creditposting",
)

POSTINGS_ADD_UP_TO_ZERO = """
CREATE FUNCTION billing_postings_add_up() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    total numeric;
BEGIN
    SELECT sum(amount) INTO total FROM billing_creditposting WHERE entry_id = NEW.entry_id;
    IF total <> 0 THEN
        RAISE EXCEPTION 'the postings of entry % add up to %', NEW.entry_id, total
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER postings_add_up AFTER INSERT ON billing_creditposting
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION billing_postings_add_up();
"""


def add_default_plan(apps, schema_editor):
    plan, _ = apps.get_model("billing", "Plan").objects.get_or_create(
        slug="pay-as-you-go", defaults={"name": "Pay as you go", "currency": "USD"}
    )
    apps.get_model("billing", "PlanPrice").objects.create(
        plan=plan,
        item="request",
        valid_from=datetime(2000, 1, 1, tzinfo=UTC),
        tiers=[[None, "0.01"]],
    )


class Migration(migrations.Migration):
    dependencies = [("billing", "0001_initial")]

    operations = [
        *[
            migrations.RunSQL(
                f"CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON {table}"
                " FOR EACH ROW EXECUTE FUNCTION hosting_refuse_change()",
                f"DROP TRIGGER append_only ON {table}",
            )
            for table in APPEND_ONLY
        ],
        migrations.RunSQL(POSTINGS_ADD_UP_TO_ZERO, migrations.RunSQL.noop),
        migrations.RunPython(add_default_plan, migrations.RunPython.noop),
    ]
