"""Passkeys and security keys: what allauth asks us, and that only our own pages use them."""

import json
from typing import Any

from allauth.core import context
from allauth.mfa.adapter import DefaultMFAAdapter
from allauth.mfa.models import Authenticator
from allauth.mfa.webauthn.forms import (
    AddWebAuthnForm,
    AuthenticateWebAuthnForm,
    LoginWebAuthnForm,
    ReauthenticateWebAuthnForm,
)
from django.core.exceptions import ValidationError
from fido2.utils import websafe_decode

from accounts.models import User

_NAME = "Dormouse"
_REFUSAL = "That key was used on a page that is not ours. Open the dashboard itself and try again."


class MfaAdapter(DefaultMFAAdapter):
    """Our names for things, and our words."""

    error_messages = {
        **DefaultMFAAdapter.error_messages,
        # Said of passkeys, too.
        "incorrect_code": "That was not accepted. Enter the code shown now, which is valid once,"
        " or use your passkey again.",
        "unverified_email": "Verify your email address first: the page of your email addresses"
        " sends you the link for it.",
    }

    def _get_site_name(self) -> str:
        return _NAME

    def generate_authenticator_name(self, user: User, type: Authenticator.Type) -> str:
        """Name the next key of a person."""
        there = Authenticator.objects.filter(user=user, type=type).count()
        return f"Passkey {there + 1}" if there else "Passkey"


class _OwnPagesOnly:
    """Refuses what was signed for another page.

    Browsers let a page use the keys of any domain above its own. Where models live below the
    dashboard's domain, one could have its visitors sign what signs somebody else in.
    """

    cleaned_data: dict[str, Any]

    def clean_credential(self) -> Any:
        """Check the origin, which the key has signed; then whatever the form checks."""
        request = context.request
        if _origin(self.cleaned_data["credential"]) != f"{request.scheme}://{request.get_host()}":
            raise ValidationError(_REFUSAL)
        checks = getattr(super(), "clean_credential", lambda: self.cleaned_data["credential"])
        return checks()


class AddForm(_OwnPagesOnly, AddWebAuthnForm):
    """Adds a key: a passkey, unless somebody wants it as a second factor only."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["passwordless"].initial = True


class AuthenticateForm(_OwnPagesOnly, AuthenticateWebAuthnForm):
    """Takes a key as second factor."""


class LoginForm(_OwnPagesOnly, LoginWebAuthnForm):
    """Takes a passkey instead of a password."""


class ReauthenticateForm(_OwnPagesOnly, ReauthenticateWebAuthnForm):
    """Takes a key again, before something delicate."""


def _origin(credential: Any) -> str | None:
    """The page on which a key was used, as its browser says; None: it says nothing sensible."""
    try:
        said = json.loads(websafe_decode(credential["response"]["clientDataJSON"]))
        return str(said["origin"])
    except (KeyError, TypeError, ValueError):
        return None
