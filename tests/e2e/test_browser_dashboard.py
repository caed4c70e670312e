"""The dashboard in a real browser: what axe finds, what a keyboard reaches, what a screen fits."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.db import connection
from django.utils import timezone
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from hosting.lifecycle.specs import catalogue_spec
from hosting.models import HostedModel, UsageMinute
from tests.factories import make_member, make_model, make_user

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

ROOT = Path(__file__).resolve().parents[2]
EMAIL, PASSWORD = "ada@example.org", "correct horse battery"
ARGUMENTS = """--headless --no-sandbox --disable-gpu --disable-quic --no-first-run
    --disable-background-networking --disable-component-update --disable-sync""".split()
PAGES = [
    "/",
    "/?state=failed",
    "/host/",
    "/host/text-generator/",
    "/host/image/",
    "/models/owl/",
    "/models/badger/",
    "/models/owl/activity/",
    "/models/owl/tokens/",
    "/models/owl/settings/",
    "/models/owl/deploy/",
    "/models/owl/delete/",
    "/models/owl/code/",
    "/api-keys/",
    "/members/",
    "/docs/",
    "/nothing-here/",
    "/accounts/email/",
    "/accounts/password/change/",
    "/accounts/2fa/",
]
ENTRANCES = ["/accounts/login/", "/accounts/signup/", "/accounts/password/reset/"]


@pytest.fixture
def site(transactional_db: None) -> Iterator[str]:
    """The web process on the test's database, with two models of one team."""
    _seed()
    with closing(socket.socket()) as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(100)
        port = listener.getsockname()[1]
        web = subprocess.Popen(
            [sys.executable, "-m", "uvicorn", "config.asgi:application"]
            + ["--fd", str(listener.fileno()), "--log-level", "error"],
            env={**os.environ, "DATABASE_URL": _database_url()}
            | {"PYTHONPATH": f"{ROOT}:{ROOT / 'platform'}"},
            cwd=ROOT,
            pass_fds=[listener.fileno()],
        )
        yield f"http://127.0.0.1:{port}"
        web.terminate()
        web.wait(20)


@pytest.fixture
def browser(site: str) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=ARGUMENTS)
        yield found
        found.close()


@pytest.fixture
def context(browser: Browser, site: str) -> BrowserContext:
    """A window of somebody who is signed in."""
    made = browser.new_context(base_url=site)
    made.grant_permissions(["clipboard-read", "clipboard-write"])
    page = made.new_page()
    page.goto("/accounts/login/")
    page.get_by_label("Email").fill(EMAIL)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url("/")
    return made


@pytest.fixture
def page(context: BrowserContext) -> Page:
    return context.pages[0]


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing_on_any_page(context: BrowserContext, theme: str):
    page = context.pages[0]
    page.emulate_media(color_scheme=theme, reduced_motion="reduce")
    axe = Axe()

    found = {}
    for path in PAGES:
        page.goto(path)
        report = axe.run(page)
        if report.violations_count:
            found[path] = report.generate_report()

    assert found == {}


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing_on_the_way_in(browser: Browser, site: str, theme: str):
    page = browser.new_page(base_url=site, color_scheme=theme)
    axe = Axe()

    found = {}
    for path in ENTRANCES:
        page.goto(path)
        report = axe.run(page)
        if report.violations_count:
            found[path] = report.generate_report()

    assert found == {}


def test_no_page_scrolls_sideways_on_the_smallest_screen(page: Page):
    page.set_viewport_size({"width": 320, "height": 640})

    wide = []
    for path in PAGES:
        page.goto(path)
        if page.evaluate("document.documentElement.scrollWidth > innerWidth"):
            wide.append(path)

    assert wide == []


def test_no_page_complains_in_the_console(page: Page):
    complaints = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on(
        "console",
        lambda said: said.type == "error" and complaints.append(f"{page.url}: {said.text}"),
    )

    for path in PAGES:
        if path != "/nothing-here/":
            page.goto(path, wait_until="load")

    assert complaints == []


def test_the_example_code_opens_in_a_dialog_and_escape_gives_the_focus_back(page: Page):
    button = page.get_by_label("Example code for owl")
    button.focus()
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog")
    expect(dialog).to_be_visible()
    dialog.get_by_role("tab", name="curl").focus()
    page.keyboard.press("ArrowRight")

    expect(dialog.get_by_role("tab", name="Python")).to_be_focused()
    expect(dialog.get_by_role("tabpanel")).to_contain_text("import json")
    assert Axe().run(page).violations_count == 0
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    expect(button).to_be_focused()


def test_a_copied_snippet_is_in_the_clipboard_and_said_to_be(page: Page):
    page.goto("/models/owl/")
    shown = page.locator("#code-model-curl").text_content()
    page.get_by_role("tabpanel").get_by_role("button", name="Copy").click()

    expect(page.get_by_role("status").filter(has_text="Copied")).to_have_count(1)
    assert page.evaluate("navigator.clipboard.readText()") == shown


def test_a_menu_opens_and_closes_by_keyboard(page: Page):
    opener = page.get_by_label("More actions for owl")
    opener.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Wake now")).to_be_visible()
    page.keyboard.press("Escape")

    expect(page.get_by_role("button", name="Wake now")).to_be_hidden()
    expect(opener).to_be_focused()


def test_the_first_tab_stop_skips_to_the_content(page: Page):
    page.goto("/docs/")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to content")).to_be_focused()
    page.keyboard.press("Enter")

    expect(page.locator("#main")).to_be_focused()


def test_a_suggested_name_is_one_press_away(page: Page):
    page.goto("/host/echo/")
    page.get_by_label("Address").fill("owl")
    suggestion = page.locator("#verdict .suggest").first
    suggestion.wait_for()
    name = suggestion.inner_text()
    suggestion.click()

    expect(page.get_by_label("Address")).to_have_value(name)
    expect(page.locator("#verdict")).to_contain_text("is free")


def test_the_theme_is_kept(page: Page):
    page.emulate_media(color_scheme="light")
    page.goto("/docs/")
    page.get_by_label("Switch theme").locator("visible=true").click()
    page.goto("/members/")

    assert page.evaluate("document.documentElement.dataset.theme") == "dark"


def test_a_change_elsewhere_shows_by_itself(page: Page, context: BrowserContext):
    page.goto("/models/owl/")
    page.wait_for_timeout(300)  # the stream opens
    other = context.new_page()
    other.goto("/models/owl/")
    other.get_by_role("button", name="Wake now").click()

    expect(page.locator("#model")).to_have_attribute("data-state", "awakening", timeout=5000)
    expect(page.get_by_role("heading", name="Awakening")).to_be_visible()


def test_a_lost_stream_is_said_and_comes_back(page: Page):
    page.route("**/live/", lambda route: route.abort())
    page.goto("/")
    expect(page.get_by_text("Live updates paused")).to_be_visible(timeout=10000)
    page.unroute("**/live/")

    expect(page.get_by_text("Live updates paused")).to_be_hidden(timeout=15000)


def test_everything_works_without_script(browser: Browser, site: str):
    page = browser.new_context(base_url=site, java_script_enabled=False).new_page()
    page.goto("/accounts/login/")
    page.get_by_label("Email").fill(EMAIL)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("link", name="Host a model").click()
    page.get_by_role("link", name="Echo").click()
    page.get_by_label("Address").fill("plain-owl")
    page.get_by_role("button", name="Host this model").click()
    token = page.locator("[data-secret]").inner_text()
    page.goto("/models/plain-owl/")
    page.get_by_role("button", name="Wake now").click()

    assert token.startswith("dme_")
    expect(page.get_by_text("plain-owl is being woken.")).to_be_visible()


def _seed() -> None:
    member = make_member(email=EMAIL)
    member.user.set_password(PASSWORD)
    member.user.save()
    make_member(team=member.team, role="viewer")
    make_user()
    owl = make_model(member.team, subdomain="owl", revision=catalogue_spec("echo")).model
    badger = make_model(member.team, subdomain="badger", public=True).model
    HostedModel.objects.filter(pk=badger.pk).update(
        state="failed", failure_reason="Its container exited with code 1.", failure_count=1
    )
    badger.replicas.create(
        revision=badger.revision,
        status="gone",
        runtime="docker",
        exit_code=1,
        last_log_lines="ModuleNotFoundError: No module named 'torch'\n" * 40,
    )
    minute = timezone.now().replace(second=0, microsecond=0)
    for ago in range(1, 300, 7):
        UsageMinute.objects.create(
            model_id=owl.pk,
            team_id=owl.team_id,
            minute=minute - timedelta(minutes=ago),
            requests=ago % 11,
            errors=ago % 3 == 0,
            cold=0,
            model_ms=10,
            held_ms=0,
        )


def _database_url() -> str:
    given = connection.settings_dict
    port = f"&port={given['PORT']}" if given["PORT"] else ""
    return (
        f"postgresql://{given['USER']}:{given['PASSWORD']}@/{given['NAME']}"
        f"?host={given['HOST']}{port}"
    )
