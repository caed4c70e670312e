"""Who sees which page, and what the list of models says."""

import re
from datetime import timedelta
from pathlib import Path

import pytest
from allauth.mfa.totp.internal.auth import TOTP, generate_totp_secret
from django.conf import settings
from django.test import Client
from django.urls import URLPattern, reverse
from django.utils import timezone

from accounts.models import Membership, Role
from dashboard.urls import urlpatterns
from hosting import tokens
from hosting.lifecycle.specs import catalogue_spec
from hosting.models import HostedModel, Revision, UsageMinute
from tests.factories import make_member, make_model

PATTERNS = {str(each.name): each for each in urlpatterns if isinstance(each, URLPattern)}
OF_A_MODEL = sorted(name for name in PATTERNS if "subdomain" in PATTERNS[name].pattern.converters)
TEAM_WRITES = ["issue-key", "set-login", "forget-login", "rename-team"]
PAGES = sorted(set(PATTERNS) - set(OF_A_MODEL) - {"live", "choose-team", *TEAM_WRITES})
WRITES = [
    "model-wake",
    "model-sleep",
    "model-activate",
    "model-deactivate",
    "model-use-timeout",
    "change-waking",
    "change-warm-windows",
    "issue-token",
    "let-token-wake",
    "set-secret",
    "remove-secret",
    "restart-model",
    "start-canary",
    "promote-canary",
    "abort-canary",
    "roll-back",
    "auto-rollback",
    "keep-golden",
    "forget-golden",
]
NEEDS_A_WRITER = [*WRITES, "change-settings", "model-deploy", "model-delete", "revoke-token"]


def address(name: str, subdomain: str = "tale-writer", number: int = 1) -> str:
    given = {
        "subdomain": subdomain,
        "token_id": number,
        "key_id": number,
        "golden_id": number,
        "number": number,
        "source": "text-generator",
        "slug": "text-generator",
        "name": "TOKEN",
        "host": "ghcr.io",
    }
    wanted = PATTERNS[name].pattern.converters
    return reverse(name, kwargs={part: given[part] for part in wanted})


@pytest.fixture
def owner(db: None) -> Membership:
    return make_member(email="ada@example.org")


@pytest.fixture
def tale_writer(owner: Membership) -> HostedModel:
    made = make_model(owner.team, subdomain="tale-writer", revision=catalogue_spec("echo"))
    return made.model


@pytest.fixture
def browser(client: Client, owner: Membership) -> Client:
    client.force_login(owner.user)
    return client


@pytest.mark.parametrize("name", sorted(set(PATTERNS) - {"live"}))
def test_a_stranger_is_asked_to_sign_in(client: Client, tale_writer: HostedModel, name: str):
    writes = name in (*WRITES, *TEAM_WRITES, "change-settings", "choose-team")

    answer = (client.post if writes else client.get)(address(name))

    assert answer.status_code == 302
    assert answer["Location"].startswith(reverse("account_login"))


@pytest.mark.parametrize("name", OF_A_MODEL)
@pytest.mark.parametrize("method", ["get", "post"])
def test_another_teams_model_is_as_absent_as_one_that_never_was(
    client: Client, tale_writer: HostedModel, name: str, method: str
):
    client.force_login(make_member().user)

    foreign = getattr(client, method)(address(name))
    unknown = getattr(client, method)(address(name, "wale-triter"))

    assert foreign.status_code == unknown.status_code
    assert foreign.status_code in (404, 405)
    assert without_nonces(foreign.text).replace("tale-writer", "wale-triter") == without_nonces(
        unknown.text
    )


@pytest.mark.parametrize("name", NEEDS_A_WRITER)
def test_a_viewer_learns_who_can(client: Client, tale_writer: HostedModel, name: str):
    viewer = make_member(team=tale_writer.team, role=Role.VIEWER)
    client.force_login(viewer.user)

    answer = client.post(address(name), {"label": "x", "typed": "tale-writer"})

    assert answer.status_code == 403
    assert "ada@example.org" in answer.text
    tale_writer.refresh_from_db()
    assert tale_writer.deleted_at is None


def test_a_viewer_is_not_offered_what_would_be_refused(client: Client, tale_writer: HostedModel):
    client.force_login(make_member(team=tale_writer.team, role=Role.VIEWER).user)

    shown = client.get("/").text + client.get(address("model")).text

    assert "tale-writer" in shown
    assert "Host a model" not in shown
    assert "Wake now" not in shown
    assert "Delete" not in shown


@pytest.mark.parametrize(
    "name",
    [
        *PAGES,
        "model",
        "model-activity",
        "model-wakes",
        "model-snippet",
        "model-tokens",
        "model-settings",
        "model-revisions",
        "model-deploy",
        "model-playground",
    ],
)
def test_a_page_has_one_heading_and_nothing_the_content_policy_would_stop(
    browser: Client, tale_writer: HostedModel, name: str
):
    if name in ("revoke-key", "picture", "check-subdomain"):
        pytest.skip("not a page, or not of this model")

    answer = browser.get(address(name))

    assert answer.status_code == 200
    assert answer.text.count("<h1") == 1
    assert not re.search(r"\sstyle=|\son[a-z]+=|<style", answer.text)
    scripts = re.findall(r"<script([^>]*)>", answer.text)
    assert all("src=" in tag or "application/json" in tag for tag in scripts)


def test_only_the_playground_may_talk_to_another_origin_and_only_to_its_own_model(
    browser: Client, tale_writer: HostedModel
):
    elsewhere = browser.get(address("model"))["Content-Security-Policy"]
    there = browser.get(address("model-playground"))["Content-Security-Policy"]

    origin = tale_writer.endpoint.removesuffix("/v1")
    assert "connect-src 'self';" in elsewhere + ";"
    assert f"connect-src 'self' {origin};" in there + ";"


def test_the_list_counts_requests_and_errors(browser: Client, tale_writer: HostedModel):
    minute = timezone.now().replace(second=0, microsecond=0) - timedelta(minutes=5)
    UsageMinute.objects.create(
        model_id=tale_writer.pk,
        team_id=tale_writer.team_id,
        minute=minute,
        requests=1234,
        errors=7,
        cold=1,
        model_ms=1,
        held_ms=1,
    )

    shown = browser.get("/").text

    assert "<b data-requests>1,234</b>" in shown
    assert re.search(r'data-errors class="bad">7<', shown)
    assert "99.43\N{NO-BREAK SPACE}%" in shown
    assert "Private" in shown


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("q=tale", True),
        ("q=echo", True),  # what runs
        ("q=nothing+like+it", False),
        ("state=asleep", True),
        ("state=awake", False),
        ("state=nonsense", True),
    ],
)
def test_the_list_is_searched_and_filtered(
    browser: Client, tale_writer: HostedModel, query: str, found: bool
):
    shown = browser.get(f"/?{query}").text

    assert (f'id="model-{tale_writer.pk}"' in shown) is found


def test_more_models_cost_no_more_queries(
    browser: Client, owner: Membership, django_assert_max_num_queries
):
    for _ in range(12):
        make_model(owner.team)

    with django_assert_max_num_queries(15):
        browser.get("/")


def test_htmx_gets_only_the_part_that_changes(browser: Client, tale_writer: HostedModel):
    listing = browser.get("/", headers={"HX-Request": "true"}).text
    page = browser.get(address("model"), headers={"HX-Request": "true"}).text

    assert "<html" not in listing + page
    assert 'id="models"' in listing
    assert 'id="model"' in page


def test_an_empty_team_is_told_how_to_begin(browser: Client):
    shown = browser.get("/").text

    assert "Nothing sleeps here yet" in shown
    assert "catalogue:text-generator" in shown


def test_somebody_in_two_teams_switches_between_them(
    browser: Client, owner: Membership, tale_writer: HostedModel
):
    other = make_member()
    Membership.objects.create(team=other.team, user=owner.user)

    browser.post("/team/", {"team": other.team_id})
    elsewhere = browser.get("/").text
    browser.post("/team/", {"team": owner.team_id})

    assert "tale-writer" not in elsewhere
    assert "tale-writer" in browser.get("/").text


@pytest.mark.parametrize("wanted", ["", "x", "²", "0", "9" * 40, "-1"])
def test_a_team_that_is_not_theirs_changes_nothing(browser: Client, owner: Membership, wanted: str):
    stranger = make_member()

    for team in (wanted, str(stranger.team_id)):
        browser.post("/team/", {"team": team})

    assert owner.team.name in browser.get("/").text


def test_a_failed_model_says_why_and_what_to_do(browser: Client, tale_writer: HostedModel):
    assert tale_writer.revision is not None
    tale_writer.replicas.create(
        revision=Revision.objects.get(),
        status="gone",
        runtime="docker",
        exit_code=137,
        out_of_memory=True,
        last_log_lines="Loading <weights>\nKilled",
    )
    HostedModel.objects.update(state="failed", failure_reason="It ran out of memory.")

    shown = browser.get(address("model")).text

    assert "It ran out of memory." in shown
    assert "137" in shown
    assert "Loading &lt;weights&gt;" in shown
    assert "Change what runs" in shown
    assert "Did not wake</span>" in shown


def test_a_chart_explains_no_band_that_it_does_not_have(browser: Client, tale_writer: HostedModel):
    assert "Did not wake</span>" not in browser.get(address("model")).text


@pytest.mark.parametrize("number", ["0", "9" * 18, "9" * 40])
def test_a_token_that_cannot_exist_is_not_found(
    browser: Client, tale_writer: HostedModel, number: str
):
    assert browser.get(f"/models/tale-writer/tokens/{number}/revoke/").status_code == 404
    assert browser.get(f"/api-keys/{number}/revoke/").status_code == 404


@pytest.mark.parametrize(
    "path", ["/nope/", "/models/../", "/models/a%00b/", "/host/no-such-entry/"]
)
def test_an_unknown_address_says_what_to_do(browser: Client, path: str):
    answer = browser.get(path)

    assert answer.status_code == 404
    assert "Nothing lives here" in answer.text


def test_an_out_of_date_form_changes_nothing_and_says_so(
    owner: Membership, tale_writer: HostedModel
):
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(owner.user)

    answer = strict.post(address("model-deactivate"))

    assert answer.status_code == 403
    assert "out of date" in answer.text
    tale_writer.refresh_from_db()
    assert tale_writer.active


def test_somebody_without_a_team_is_told(client: Client, owner: Membership):
    owner.delete()
    client.force_login(owner.user)

    answer = client.get("/")

    assert answer.status_code == 403
    assert "not in a team" in answer.text


def test_the_sign_in_page_of_a_demo_says_whom_to_be(client: Client, db: None, monkeypatch):
    monkeypatch.setattr(settings, "DEMO_EMAIL", "demo@dormouse.localhost")

    assert "demo@dormouse.localhost" in client.get(reverse("account_login")).text


@pytest.mark.parametrize(
    ("folder", "named"),
    [(settings.ROOT / "var", "<code>var/demo.json<"), (Path("/srv/x"), "<code>/srv/x/demo.json<")],
)
def test_the_sign_in_page_of_a_demo_names_the_file_with_its_password(
    client: Client, db: None, monkeypatch, folder: Path, named: str
):
    monkeypatch.setattr(settings, "DEMO_EMAIL", "demo@dormouse.localhost")
    monkeypatch.setattr(settings, "STATE_DIR", folder)

    assert named in client.get(reverse("account_login")).text


@pytest.mark.parametrize("name", ["account_login", "account_signup", "account_reset_password"])
def test_no_placeholder_says_a_label_again(client: Client, db: None, name: str):
    assert "placeholder=" not in client.get(reverse(name)).text


@pytest.mark.parametrize(
    "name", ["account_login", "account_signup", "account_reset_password", "account_logout"]
)
def test_account_pages_wear_our_look(client: Client, db: None, name: str):
    shown = client.get(reverse(name), follow=True).text

    assert "Dormouse" in shown
    assert "dashboard/tokens.css" in shown
    assert not re.search(r"\sstyle=|<style", shown)


@pytest.mark.parametrize(
    ("path", "title"),
    [
        ("email/", "Email addresses"),
        ("logout/", "Sign out?"),
        ("inactive/", "This account is switched off"),
        ("confirm-email/", "Look at your email"),
        ("confirm-email/unknown/", "This link no longer works"),
        ("password/reset/", "Reset your password"),
        ("password/reset/done/", "Look at your email"),
        ("password/reset/key/1-unknown/", "This link no longer works"),
        ("password/reset/key/done/", "Password changed"),
    ],
)
def test_account_pages_speak_like_all_others(browser: Client, path: str, title: str):
    shown = browser.get(f"/accounts/{path}").text

    assert f"<h1>{title}</h1>" in shown
    assert not re.search(r"<h[12]>\s*\w+ [A-Z]|</?button[^>]*>\s*\w+ [A-Z]", shown)


@pytest.mark.parametrize(("server", "says"), [("", True), ("mail.example.org", False)])
def test_a_mail_that_goes_to_the_log_is_not_said_to_be_on_its_way_alone(
    client: Client, db: None, monkeypatch, server: str, says: bool
):
    monkeypatch.setattr(settings, "EMAIL_HOST", server)

    asked = client.get("/accounts/password/reset/done/").text
    mine = {"email": "new@example.org", "password1": "Zq9!kk22xpp"}
    joined = client.post(reverse("account_signup"), mine, follow=True).text

    assert ("no mail server" in asked, "no mail server" in joined) == (says, says)


def test_a_page_that_is_not_there_offers_strangers_to_sign_in(client: Client, db: None):
    shown = client.get("/nowhere/").text

    assert "Sign in" in shown
    assert "Sign out" not in shown


def test_where_nobody_may_sign_up_the_page_says_who_can_help(client: Client, db: None, monkeypatch):
    monkeypatch.setattr(settings, "REGISTRATION_OPEN", False)

    assert "Whoever runs it can make one" in client.get(reverse("account_signup")).text


def test_a_link_from_an_email_leads_to_a_new_password(client: Client, db: None, mailoutbox):
    person = make_member().user
    client.post(reverse("account_reset_password"), {"email": person.email})
    link = re.search(r"/accounts/password/reset/key/\S+", mailoutbox[0].body)
    assert link is not None
    form = client.get(link[0], follow=True)

    assert "<h1>Choose a new password</h1>" in form.text
    new = {"password1": "a dormouse in May", "password2": "a dormouse in May"}
    assert (
        "<h1>Password changed</h1>"
        in client.post(form.redirect_chain[-1][0], new, follow=True).text
    )


def test_a_link_from_an_email_verifies_the_address(browser: Client, owner: Membership, mailoutbox):
    browser.post(reverse("account_email"), {"action_send": "", "email": owner.user.email})
    link = re.search(r"/accounts/confirm-email/\S+", mailoutbox[0].body)
    assert link is not None

    assert "<h1>Is this address yours?</h1>" in browser.get(link[0]).text
    assert "is verified." in browser.post(link[0], follow=True).text


def test_who_may_not_add_a_second_step_yet_hears_what_to_do_first(
    browser: Client, owner: Membership
):
    browser.get(reverse("account_email"))  # it knows the address then, as not verified

    assert (
        "Verify your email address first"
        in browser.get(reverse("mfa_activate_totp"), follow=True).text
    )


def test_the_second_step_asks_for_a_passkey_only_who_has_one(client: Client, owner: Membership):
    owner.user.set_password("correct horse battery")
    owner.user.save()
    TOTP.activate(owner.user, generate_totp_secret())
    given = {"login": owner.user.email, "password": "correct horse battery"}

    shown = client.post(reverse("account_login"), given, follow=True).text

    assert "<h1>Second step</h1>" in shown
    assert "Use a passkey" not in shown


def without_nonces(text: str) -> str:
    """Without what differs on each rendering."""
    return re.sub(r'name="csrfmiddlewaretoken" value="\w+"', "", text)


def test_a_model_that_answers_402_says_so_in_the_list(browser: Client, tale_writer: HostedModel):
    HostedModel.objects.update(payment_required=True)

    assert "answers 402" in browser.get("/").text


@pytest.mark.parametrize("tab", ["model", "model-head", "model-logs"])
def test_a_model_that_answers_402_says_so_on_its_own_pages(
    browser: Client, tale_writer: HostedModel, tab: str
):
    HostedModel.objects.update(payment_required=True)

    assert "Callers get 402." in browser.get(address(tab)).text


@pytest.fixture
def awakening(tale_writer: HostedModel) -> HostedModel:
    """It was asked for 3 s ago by a token; its container is being started; 10 s are usual."""
    now = timezone.now()
    token, _ = tokens.issue(tale_writer, label="website")
    asked_by = {"cause": "request", "token_id": token.pk, "asked_at": now.timestamp() - 3}
    HostedModel.objects.update(
        state="awakening", state_changed_at=now - timedelta(seconds=3), asked_by=asked_by
    )
    Revision.objects.update(wake_seconds=10)
    tale_writer.replicas.create(
        revision=Revision.objects.get(), status="starting", runtime="docker", created_at=now
    )
    return tale_writer


def test_a_wake_under_way_says_who_asked_how_far_it_is_and_how_long_it_takes(
    browser: Client, awakening: HostedModel
):
    shown = " ".join(browser.get(address("model")).text.split())

    assert "Token “website”" in shown
    assert "about 7 s to go" in shown
    assert '<tr aria-current="step"> <th scope="row">Start its container</th>' in shown
    assert '<tr class="pending"> <th scope="row">Wait until the model answers</th>' in shown


def test_a_wake_that_takes_longer_than_usual_says_so(browser: Client, awakening: HostedModel):
    Revision.objects.update(wake_seconds=1)

    assert "longer than the usual 1 s" in browser.get(address("model")).text


def test_a_model_that_waits_for_room_says_why_and_promises_no_time(
    browser: Client, awakening: HostedModel
):
    awakening.replicas.all().delete()
    HostedModel.objects.update(wait_reason="It needs 4 GiB; 1 GiB is free.")

    shown = browser.get(address("model")).text

    assert "It waits for room." in shown
    assert "It needs 4 GiB; 1 GiB is free." in shown
    assert "to go" not in shown
