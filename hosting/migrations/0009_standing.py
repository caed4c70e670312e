import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ("accounts", "0001_initial"),
        ("hosting", "0008_logs"),
    ]

    operations = [
        migrations.AddField(
            model_name="hostedmodel",
            name="capped",
            field=models.BooleanField(default=False, editable=False),
        ),
        migrations.AddField(
            model_name="endpointtoken",
            name="capped",
            field=models.BooleanField(default=False, editable=False),
        ),
        migrations.CreateModel(
            name="Standing",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("payment_required", models.BooleanField(default=False)),
                ("caps", models.JSONField(default=list)),
                ("reserves", models.JSONField(default=dict)),
                (
                    "team",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="standing",
                        to="accounts.team",
                    ),
                ),
            ],
        ),
    ]
