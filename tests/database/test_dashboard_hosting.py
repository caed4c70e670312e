"""Hosting a model from the dashboard, managing it, and its secrets."""

import re
import time

import pytest
from django.conf import settings
from django.test import Client

from accounts import secrets
from accounts.models import ApiKey, Membership
from hosting.lifecycle.specs import catalogue_spec
from hosting.models import EndpointToken, HostedModel
from tests.factories import make_key, make_member, make_model

CHOSEN = {
    "subdomain": "tale-writer",
    "visibility": "private",
    "memory_mb": "256",
    "cpus": "1",
    "idle_timeout_seconds": "120",
}
OWN_IMAGE = CHOSEN | {
    "image": "registry.example.org/team/captioner:7",
    "protocol": "http",
    "port": "5000",
    "query_path": "/predict",
    "environment": "# how loud\nVOLUME=11\nGREETING=a=b c",
}


@pytest.fixture
def owner(db: None) -> Membership:
    return make_member(email="ada@example.org")


@pytest.fixture
def browser(client: Client, owner: Membership) -> Client:
    client.force_login(owner.user)
    return client


@pytest.fixture
def model(owner: Membership) -> HostedModel:
    return make_model(owner.team, subdomain="night-owl", revision=catalogue_spec("echo")).model


def test_a_private_model_is_hosted_and_its_token_shown_once(browser: Client):
    answer = browser.post("/host/echo/", CHOSEN | {"option-mood": "loud", "command": "echo"})

    model = HostedModel.objects.get(subdomain="tale-writer")
    secret = re.search(r"dme_\w{36}", answer.text)
    assert secret
    assert answer.status_code == 201
    assert answer["Cache-Control"] == "no-store"
    assert model.tokens.get().digest == secrets.digest(secret[0])
    assert secret[0] not in browser.get("/models/tale-writer/tokens/").text
    assert model.idle_timeout_seconds == 120
    assert model.revision is not None
    assert model.revision.options == {"mood": "loud"}


def test_a_public_model_needs_no_token(browser: Client):
    answer = browser.post("/host/echo/", CHOSEN | {"visibility": "public"})

    assert answer.status_code == 201
    assert "dme_" not in answer.text
    assert "Authorization" not in answer.text
    assert HostedModel.objects.get().public


def test_an_image_of_ones_own_is_hosted(browser: Client):
    browser.post("/host/image/", OWN_IMAGE)

    revision = HostedModel.objects.get().revision
    assert revision is not None
    assert (revision.image, revision.port, revision.query_path) == (
        "registry.example.org/team/captioner:7",
        5000,
        "/predict",
    )
    assert revision.environment == {"VOLUME": "11", "GREETING": "a=b c"}


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"subdomain": "night-owl"}, "is taken"),
        ({"subdomain": "admin"}, "is reserved"),
        ({"subdomain": "a"}, "3 to 40"),
        ({"image": "http://no"}, "an image reference"),
        ({"image": ""}, "required"),
        ({"environment": "no value"}, "has no value"),
        ({"environment": "small=1"}, "be a variable"),
        ({"protocol": "runway"}, "which command"),
        ({"port": "99999"}, "65535"),
        ({"query_path": "predict"}, "starts with"),
        ({"memory_mb": "1"}, "16"),
        ({"cpus": "many"}, "number"),
    ],
)
def test_a_wrong_value_is_refused_beside_its_field(
    browser: Client, model: HostedModel, changes: dict[str, str], complaint: str
):
    answer = browser.post("/host/image/", OWN_IMAGE | changes)

    assert answer.status_code == 422
    assert complaint in answer.text
    assert HostedModel.objects.count() == 1


@pytest.mark.parametrize("path", ["/host/image/", "/models/night-owl/deploy/?image"])
def test_what_is_wrong_is_listed_in_the_order_of_the_fields(
    browser: Client, model: HostedModel, path: str
):
    answer = browser.post(path, {"memory_mb": "1", "cpus": "many", "port": "0", "image": ""})

    listed = re.findall(r'<li>\s*<a href="#(\w+)">', answer.text)
    assert len(listed) >= 4
    assert listed == sorted(listed, key=lambda each: answer.text.index(f'id="{each}"'))


def test_what_was_typed_is_kept_when_a_value_is_refused(browser: Client, model: HostedModel):
    shown = browser.post("/host/image/", OWN_IMAGE | {"subdomain": "night-owl"}).text

    assert "GREETING=a=b c" in shown
    assert 'value="night-owl-' in shown  # suggestions


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("free-name", "is free"),
        ("night-owl", "is taken"),
        ("Night-Owl", "is taken"),
        ("www", "is reserved"),
        ("-", "3 to 40"),
        ("", ""),
        ("x" * 500, "3 to 40"),
        ("a\0b", "3 to 40"),
    ],
)
def test_a_name_is_checked_while_it_is_typed(
    browser: Client, model: HostedModel, name: str, says: str
):
    answer = browser.get("/subdomain/", {"subdomain": name})

    assert answer.status_code == 200
    assert says in answer.text
    assert answer.text.count('class="suggest"') == (3 if says and says != "is free" else 0)


def test_a_person_wakes_it_and_puts_it_to_sleep(browser: Client, model: HostedModel):
    browser.post("/models/night-owl/wake/")
    model.refresh_from_db()
    woken = model.state
    browser.post("/models/night-owl/sleep/")
    model.refresh_from_db()

    assert (woken, model.state) == ("awakening", "asleep")
    assert [move.cause for move in model.transitions.all()] == ["ada@example.org"] * 2


def test_switched_off_it_cannot_be_woken_and_says_so(browser: Client, model: HostedModel):
    browser.post("/models/night-owl/deactivate/", {"next": "/"})
    shown = browser.post("/models/night-owl/wake/", follow=True).text

    assert "Switch it on" in shown
    browser.post("/models/night-owl/activate/")
    model.refresh_from_db()
    assert model.active


@pytest.mark.parametrize(
    "wanted", ["https://evil.example/", "//evil.example", "javascript:1", "models", "nowhere"]
)
def test_going_back_never_leaves_the_dashboard(browser: Client, model: HostedModel, wanted: str):
    answer = browser.post("/models/night-owl/sleep/", {"next": wanted})

    assert answer["Location"] == "/models/night-owl/"


def test_settings_are_changed(browser: Client, model: HostedModel):
    form = {
        "visibility": "public",
        "description": "Sees in the dark",
        "idle_timeout_seconds": "60",
        "request_timeout_seconds": "90",
        "startup_timeout_seconds": "30",
        "rate_limit": "600 per minute",
        "max_body_mb": "64",
    }
    browser.post("/models/night-owl/settings/change/", form)
    refused = browser.post(
        "/models/night-owl/settings/change/", form | {"idle_timeout_seconds": "1"}
    )

    model.refresh_from_db()
    assert model.public
    assert (model.idle_timeout_seconds, model.request_timeout_seconds) == (60, 90)
    assert (model.rate_limit, model.max_body_mb) == ("600/minute", 64)
    assert refused.status_code == 422


def test_a_new_revision_takes_over_when_it_answers(browser: Client, model: HostedModel):
    answer = browser.post(
        "/models/night-owl/deploy/",
        {"memory_mb": "300", "cpus": "0.5", "option-mood": "loud", "command": "echo"},
        follow=True,
    )

    model.refresh_from_db()
    assert "It takes over when it answers" in answer.text
    assert model.revision is not None
    assert (model.revision.number, model.revision.memory_mb) == (2, 300)
    assert model.revision.image == "catalogue:echo"


def test_a_catalogue_model_can_move_to_an_image(browser: Client, model: HostedModel):
    answer = browser.post("/models/night-owl/deploy/?image", OWN_IMAGE, follow=True)

    model.refresh_from_db()
    assert answer.status_code == 200
    assert model.revision is not None
    assert model.revision.image == OWN_IMAGE["image"]


def sign_in_again(browser: Client) -> None:
    """As if the password had just been typed."""
    session = browser.session
    session["account_authentication_methods"] = [{"method": "password", "at": time.time()}]
    session.save()


def test_deleting_asks_for_the_password_when_it_was_typed_long_ago(
    browser: Client, owner: Membership, model: HostedModel
):
    owner.user.set_password("correct horse battery")
    owner.user.save()
    browser.force_login(owner.user)

    answer = browser.post("/models/night-owl/delete/", {"typed": "night-owl"})

    assert answer.status_code == 302
    assert answer["Location"].startswith("/accounts/reauthenticate/")
    assert HostedModel.objects.filter(deleted_at=None).exists()


def test_only_the_typed_name_deletes(browser: Client, model: HostedModel):
    sign_in_again(browser)
    refused = browser.post("/models/night-owl/delete/", {"typed": "nightowl"})
    kept = HostedModel.objects.filter(deleted_at=None).count()
    browser.post("/models/night-owl/delete/", {"typed": "night-owl"})

    assert (refused.status_code, kept) == (422, 1)
    assert not HostedModel.objects.filter(deleted_at=None).exists()
    assert browser.get("/models/night-owl/").status_code == 404


def test_a_token_is_issued_and_revoked(browser: Client, model: HostedModel):
    issued = browser.post(
        "/models/night-owl/tokens/issue/", {"label": "website", "rate_limit": "5/s"}
    )
    token = EndpointToken.objects.get(label="website")
    asked = browser.get(f"/models/night-owl/tokens/{token.pk}/revoke/")
    browser.post(f"/models/night-owl/tokens/{token.pk}/revoke/")

    token.refresh_from_db()
    assert issued.status_code == 201
    assert "dme_" in issued.text
    assert "at most 5/second" in issued.text
    assert "Revoke token" in asked.text
    assert token.revoked_at is not None


def test_a_limit_nobody_can_read_is_refused_beside_its_field(browser: Client, model: HostedModel):
    answer = browser.post(
        "/models/night-owl/tokens/issue/", {"label": "website", "rate_limit": "often"}
    )

    assert answer.status_code == 422
    assert "10/second" in answer.text
    assert not EndpointToken.objects.filter(label="website").exists()


def test_a_token_of_another_model_is_not_found(
    browser: Client, owner: Membership, model: HostedModel
):
    other = make_model(owner.team).token

    assert other is not None
    answer = browser.post(f"/models/night-owl/tokens/{other.pk}/revoke/")
    assert answer.status_code == 404


def test_an_api_key_is_issued_for_this_person_and_revoked(browser: Client, owner: Membership):
    issued = browser.post("/api-keys/issue/", {"name": "deploy script"})
    key = ApiKey.objects.get()
    browser.post(f"/api-keys/{key.pk}/revoke/")

    key.refresh_from_db()
    assert re.search(r"dmk_\w{36}", issued.text)
    assert issued["Cache-Control"] == "no-store"
    assert key.user == owner.user
    assert key.revoked_at is not None


def test_another_teams_api_key_is_neither_shown_nor_revoked(browser: Client):
    foreign, _ = make_key(make_member(), name="not yours")

    shown = browser.get("/api-keys/").text
    answer = browser.post(f"/api-keys/{foreign.pk}/revoke/")

    foreign.refresh_from_db()
    assert "not yours" not in shown
    assert answer.status_code == 404
    assert foreign.revoked_at is None


def test_the_environments_values_are_for_those_who_may_change_them(
    browser: Client, model: HostedModel
):
    assert model.revision is not None
    type(model.revision).objects.update(environment={"API_PASSWORD": "hunter2"})

    pages = ["", "settings/", "activity/", "tokens/", "code/"]
    shown = "".join(browser.get(f"/models/night-owl/{page}").text for page in pages)

    assert "hunter2" not in shown


def test_closed_registration_offers_no_account(client: Client, db: None, monkeypatch):
    monkeypatch.setattr(settings, "REGISTRATION_OPEN", False)

    assert "Create an account" not in client.get("/accounts/login/").text
