"""Models may be paused: a new state, and how long they stay in it."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("hosting", "0001_initial")]

    operations = [
        migrations.RemoveConstraint(model_name="hostedmodel", name="hosted_model_state_known"),
        migrations.AddField(
            model_name="hostedmodel",
            name="deep_sleep_after_seconds",
            field=models.PositiveIntegerField(default=1800),
        ),
        migrations.AddConstraint(
            model_name="hostedmodel",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    state__in=["asleep", "awakening", "awake", "draining", "drowsy", "failed"]
                ),
                name="hosted_model_state_known",
            ),
        ),
    ]
