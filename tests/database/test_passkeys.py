"""A key that was used on a stranger's page opens nothing here."""

import json

import pytest
from allauth.mfa.models import Authenticator
from django.urls import reverse
from fido2.utils import websafe_encode

from accounts.passkeys import MfaAdapter
from tests.factories import make_user

pytestmark = pytest.mark.django_db
NOT_OURS = "used on a page that is not ours"


def credential(origin):
    said = {"type": "webauthn.get", "challenge": "eHg", "origin": origin, "crossOrigin": False}
    return {
        "id": "eHg",
        "rawId": "eHg",
        "type": "public-key",
        "response": {
            "clientDataJSON": websafe_encode(json.dumps(said).encode()),
            "authenticatorData": websafe_encode(bytes(37)),
            "signature": "eHg",
            "userHandle": "eHg",
        },
    }


def sign_in(client, given):
    form = {"credential": json.dumps(given)}
    return client.post(reverse("mfa_login_webauthn"), form, follow=True)


@pytest.mark.parametrize(
    "origin",
    [
        "http://owl.testserver",  # a model's page, below the dashboard's own name
        "https://testserver",
        "http://testserver:8001",
        "http://testserver.evil.example",
        "null",
    ],
)
def test_a_key_used_on_another_page_is_refused(client, origin):
    answer = sign_in(client, credential(origin))

    assert NOT_OURS in answer.text
    assert "_auth_user_id" not in client.session


@pytest.mark.parametrize("given", [[], {}, {"response": None}, {"response": {"clientDataJSON": 1}}])
def test_what_is_no_key_at_all_is_refused(client, given):
    answer = sign_in(client, given)

    assert answer.status_code == 200
    assert "_auth_user_id" not in client.session


def test_a_key_used_on_our_own_page_is_looked_at(client):
    answer = sign_in(client, credential("http://testserver"))

    assert NOT_OURS not in answer.text
    assert "That was not accepted." in answer.text


def test_keys_are_told_apart_by_name():
    user = make_user()
    first = MfaAdapter().generate_authenticator_name(user, Authenticator.Type.WEBAUTHN)
    Authenticator.objects.create(user=user, type=Authenticator.Type.WEBAUTHN, data={})

    second = MfaAdapter().generate_authenticator_name(user, Authenticator.Type.WEBAUTHN)

    assert (first, second) == ("Passkey", "Passkey 2")
