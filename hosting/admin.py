"""What operators of the installation may look at. State and history can't be edited here."""

from django.contrib import admin
from django.http import HttpRequest

from hosting.models import (
    Build,
    Decision,
    GoldenRequest,
    HostedModel,
    Replica,
    Revision,
    Target,
    TeamLimit,
    Transition,
)


class ReadOnlyAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """Rows that only operations write."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Nobody."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: object = None) -> bool:
        """Nobody."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: object = None) -> bool:
        """Nobody."""
        return False


@admin.register(HostedModel)
class HostedModelAdmin(ReadOnlyAdmin):
    """Every team's models, with what they are doing."""

    list_display = ["subdomain", "team", "state", "active", "public", "state_changed_at"]
    list_filter = ["state", "active", "public"]
    search_fields = ["subdomain", "team__name"]


admin.site.register(
    [Build, Decision, GoldenRequest, Replica, Revision, Target, Transition], ReadOnlyAdmin
)


@admin.register(TeamLimit)
class TeamLimitAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """What a team may hold at the same time; empty: the installation's default."""

    list_display = ["team", "memory_mb", "cpus", "gpus"]
