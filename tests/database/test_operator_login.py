"""The way into the operators' pages is the dashboard's own: password, then the second factor."""

import pytest
from allauth.mfa.totp.internal.auth import (
    TOTP,
    format_hotp_value,
    generate_totp_secret,
    hotp_value,
    yield_hotp_counters_from_time,
)
from django.urls import reverse

from accounts.models import User

pytestmark = pytest.mark.django_db
EMAIL, PASSWORD = "operator@example.org", "correct horse battery"


@pytest.fixture
def secret():
    """Of an operator whose sign-in needs a code."""
    operator = User.objects.create_superuser(EMAIL, PASSWORD)
    secret = generate_totp_secret()
    TOTP.activate(operator, secret)
    return secret


def test_the_operators_pages_know_no_login_of_their_own(client, secret):
    form = {"username": EMAIL, "password": PASSWORD}

    shown = client.get("/operator/", follow=True)
    sent = client.post("/operator/login/?next=/operator/", form)

    assert shown.redirect_chain[-1][0].startswith(reverse("account_login"))
    assert sent["Location"].startswith(reverse("account_login"))
    assert "_auth_user_id" not in client.session


def test_a_password_alone_opens_nothing_for_who_has_a_second_factor(client, secret):
    entered = client.post(reverse("account_login"), {"login": EMAIL, "password": PASSWORD})
    assert entered["Location"] == reverse("mfa_authenticate")
    assert client.get("/operator/").status_code == 302
    assert client.get(reverse("models")).status_code == 302

    client.post(reverse("mfa_authenticate"), {"code": code(secret)})

    assert client.get("/operator/").status_code == 200


def test_who_is_signed_in_and_no_operator_is_refused(client):
    client.force_login(User.objects.create_user("ada@example.org", PASSWORD))

    answer = client.get("/operator/", follow=True)

    assert answer.status_code == 403


def code(secret):
    return format_hotp_value(hotp_value(secret, next(yield_hotp_counters_from_time())))


def test_the_operators_pages_wear_the_look_of_the_dashboard(client):
    client.force_login(User.objects.create_superuser(EMAIL, PASSWORD))

    shown = client.get("/operator/").text

    assert "Dormouse for operators" in shown
    assert "dashboard/operator.css" in shown
    assert "Django" not in shown
