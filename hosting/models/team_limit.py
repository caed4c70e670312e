"""What an operator lets one team hold at the same time."""

from django.db import models

from accounts.models import Team


class TeamLimit(models.Model):
    """One team's limits; null: the installation's default."""

    team = models.OneToOneField(Team, on_delete=models.CASCADE, related_name="limit")
    memory_mb = models.PositiveIntegerField(null=True, blank=True)
    cpus = models.FloatField(null=True, blank=True)
    gpus = models.PositiveIntegerField(null=True, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(cpus=None) | models.Q(cpus__gte=0),
                name="team_limit_cpus_not_negative",
            )
        ]

    def __str__(self) -> str:
        return f"limit of {self.team}"
