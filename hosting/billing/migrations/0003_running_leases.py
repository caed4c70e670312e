import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    """A lease becomes a running account of one router process; nobody held one before."""

    dependencies = [
        ("billing", "0002_rules_and_default_plan"),
    ]

    operations = [
        migrations.DeleteModel(name="QuotaLease"),
        migrations.AddField(
            model_name="quotacap",
            name="exact",
            field=models.BooleanField(default=True),
        ),
        migrations.CreateModel(
            name="QuotaLease",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("router", models.CharField(max_length=120)),
                ("boot", models.PositiveBigIntegerField()),
                ("number", models.PositiveIntegerField()),
                ("sequence", models.PositiveBigIntegerField(default=0)),
                ("granted", models.PositiveBigIntegerField(default=0)),
                ("returned", models.PositiveBigIntegerField(default=0)),
                ("spent", models.PositiveBigIntegerField(default=0)),
                ("marked", models.PositiveBigIntegerField(default=0)),
                ("marked_at", models.DateTimeField()),
                ("shipped", models.PositiveBigIntegerField(default=0)),
                ("settled", models.PositiveBigIntegerField(default=0)),
                ("heard_at", models.DateTimeField()),
                ("ended_at", models.DateTimeField(null=True)),
                (
                    "cap",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="leases",
                        to="billing.quotacap",
                    ),
                ),
            ],
            options={
                "indexes": [
                    models.Index(
                        condition=models.Q(("ended_at", None)),
                        fields=["router"],
                        name="quota_lease_open",
                    )
                ],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("cap", "router", "boot", "number"), name="quota_lease_once"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("granted__gte", models.F("returned") + models.F("settled"))
                        ),
                        name="quota_lease_within_grant",
                    ),
                ],
            },
        ),
    ]
