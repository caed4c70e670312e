"""What allauth asks us: whether signing up is open, and what a new person gets."""

from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from django.conf import settings
from django.http import HttpRequest

from accounts import operations
from accounts.models import User


class AccountAdapter(DefaultAccountAdapter):
    """Every new person gets a team of their own."""

    error_messages = {
        **DefaultAccountAdapter.error_messages,
        "email_password_mismatch": "This address and password don't belong together. Check both.",
        "email_taken": "This address has an account already. Sign in with it.",
        "duplicate_email": "This address is already one of yours.",
        "incorrect_password": "That is not your password.",
        "enter_current_password": "That is not your password.",
        "too_many_login_attempts": "Too many tries. Wait a few minutes, then try again.",
        "rate_limited": "Too many requests. Wait a few minutes, then try again.",
    }

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        """Whether strangers may sign up (DORMOUSE_REGISTRATION_OPEN)."""
        return bool(settings.REGISTRATION_OPEN)

    def save_user(self, request: HttpRequest, user: User, form: Any, commit: bool = True) -> User:
        """Save the person, then found their team."""
        saved: User = super().save_user(request, user, form, commit=commit)
        if commit:
            operations.found_team(saved, name=f"{saved.display_name}'s team")
        return saved
