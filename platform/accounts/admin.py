from django.contrib import admin

from accounts.models import ApiKey, Membership, Team, User

admin.site.register([User, Team, Membership])


@admin.register(ApiKey)
class ApiKeyAdmin(admin.ModelAdmin[ApiKey]):
    """Keys can be looked at here, never read or made."""

    list_display = ["name", "team", "user", "first_characters", "created_at", "revoked_at"]
    readonly_fields = ["team", "user", "digest"]

    def has_add_permission(self, request: object) -> bool:
        """Only operations issue keys."""
        return False
