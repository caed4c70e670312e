"""What billing says of a team, for the routers."""

from django.db import models

from accounts.models import Team


class Standing(models.Model):
    """Whether a team's models may be called, and under which caps. Written by hosting.billing."""

    team = models.OneToOneField(Team, on_delete=models.CASCADE, related_name="standing")
    payment_required = models.BooleanField(default=False)
    caps = models.JSONField(default=list)  # keys of the team's own caps
    # What one query and one other request may cost at most, in millionths of the currency:
    # {"": [query, other]}, and by id for the models that differ.
    reserves = models.JSONField(default=dict)

    def __str__(self) -> str:
        return f"standing of {self.team}"

    def reserve_of(self, model_id: int) -> tuple[int, int]:
        """What a query and another request to this model may cost at most."""
        query, other = self.reserves.get(str(model_id)) or self.reserves.get("", (0, 0))
        return query, other
