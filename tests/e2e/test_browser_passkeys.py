"""Passkeys in a real browser: added, used alone and as the second step, and missed."""

from collections.abc import Iterator

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.e2e.seed_dashboard import KEYHOLDER, PASSWORD

pytestmark = pytest.mark.browser
DEVICE = {
    "protocol": "ctap2",
    "transport": "internal",
    "hasResidentKey": True,
    "hasUserVerification": True,
    "isUserVerified": True,
    "automaticPresenceSimulation": True,
}


@pytest.fixture(scope="module")
def context(browser: Browser, site: str) -> Iterator[BrowserContext]:
    """A window on a machine with a fingerprint reader."""
    made = browser.new_context(base_url=site.replace("127.0.0.1", "localhost"))
    page = made.new_page()
    page.set_default_timeout(15_000)
    device = made.new_cdp_session(page)
    device.send("WebAuthn.enable")
    device.send("WebAuthn.addVirtualAuthenticator", {"options": DEVICE})
    yield made
    made.close()


@pytest.fixture
def page(context: BrowserContext) -> Page:
    """Nobody is signed in."""
    context.clear_cookies()
    page = context.pages[0]
    page.goto("/accounts/login/")
    return page


def test_who_has_no_passkey_yet_is_told_so(page: Page):
    page.get_by_role("button", name="Use a passkey").click()

    expect(page.get_by_role("alert")).to_contain_text("there is no passkey for this page here")


def test_a_passkey_is_added_and_then_opens_alone_or_after_the_password(
    page: Page, context: BrowserContext
):
    axe = Axe()
    complaints = {}
    enter_password(page)
    page.wait_for_url("/")

    page.goto("/accounts/2fa/webauthn/add/")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Go on").click()
    complaints["add"] = axe.run(page).violations_count
    page.get_by_label("Name").fill("Laptop")
    page.get_by_role("button", name="Add it").click()
    expect(page.get_by_text("The passkey is added.")).to_be_visible()
    expect(page.get_by_text("10 of 10 are left.")).to_be_visible()
    complaints["codes"] = axe.run(page).violations_count
    page.goto("/accounts/2fa/webauthn/")
    expect(page.get_by_role("heading", name="Laptop")).to_be_visible()
    expect(page.get_by_text("Opens alone")).to_be_visible()
    complaints["keys"] = axe.run(page).violations_count

    context.clear_cookies()
    page.goto("/accounts/login/")
    page.get_by_role("button", name="Use a passkey").click()
    page.wait_for_url("/")

    context.clear_cookies()
    page.goto("/accounts/login/")
    enter_password(page)
    expect(page.get_by_role("heading", name="Second step")).to_be_visible()
    complaints["second step"] = axe.run(page).violations_count
    page.goto("/")  # the password alone leads nowhere else
    expect(page.get_by_role("heading", name="Second step")).to_be_visible()
    page.get_by_role("button", name="Use a passkey").click()
    page.wait_for_url("/")

    assert {name for name, count in complaints.items() if count} == set()


def enter_password(page: Page) -> None:
    page.get_by_label("Email").fill(KEYHOLDER)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
