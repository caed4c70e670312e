"""Who we are to an image registry."""

from django.db import models
from django.db.models import Q

from accounts.models import Team


class RegistryLogin(models.Model):
    """A name and a sealed password for one host: a team's, or with no team the installation's."""

    team = models.ForeignKey(Team, on_delete=models.CASCADE, null=True, related_name="logins")
    host = models.CharField(max_length=255)  # as images name it: registry.example.org:5000
    username = models.CharField(max_length=200)
    sealed = models.TextField(editable=False)
    changed_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["team", "host"], name="registry_login_once_per_team"),
            models.UniqueConstraint(
                fields=["host"],
                condition=Q(team=None),
                name="registry_login_once_per_installation",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.username}@{self.host}"
