"""What allauth asks us: whether signing up is open, and what a new person gets."""

from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from django.conf import settings
from django.http import HttpRequest

from accounts import operations
from accounts.models import User


class AccountAdapter(DefaultAccountAdapter):
    """Every new person gets a team of their own."""

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        """Whether strangers may sign up (DORMOUSE_REGISTRATION_OPEN)."""
        return bool(settings.REGISTRATION_OPEN)

    def save_user(self, request: HttpRequest, user: User, form: Any, commit: bool = True) -> User:
        """Save the person, then found their team."""
        saved: User = super().save_user(request, user, form, commit=commit)
        if commit:
            operations.found_team(saved, name=f"{saved.display_name}'s team")
        return saved
