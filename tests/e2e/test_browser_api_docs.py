"""The page that describes the admin API, in a real browser, under our content policy."""

import pytest
from playwright.sync_api import Page, expect, sync_playwright

from tests.e2e.conftest import CHROMIUM
from tests.factories import make_key, make_member, make_model

pytestmark = pytest.mark.browser


@pytest.fixture
def key(transactional_db) -> str:
    """A key of a team with one model."""
    member = make_member()
    make_model(member.team, subdomain="owl")
    return make_key(member)[1]


@pytest.fixture
def page(key):
    # After the rows: while Playwright's event loop runs, Django would open a second connection
    # for this thread, and nobody would close it.
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"]
        )
        yield browser.new_page()
        browser.close()


def test_an_operation_can_be_tried_out_on_the_page(live_server, key, page: Page):
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))

    page.goto(f"{live_server.url}/api/v1/docs/")
    page.get_by_role("button", name="Authorize").first.click()
    page.get_by_role("textbox", name="auth-bearer-value").fill(key)
    page.get_by_role("button", name="Apply credentials").first.click()
    page.get_by_role("button", name="Close", exact=True).first.click()
    operation = page.locator("#operations-models-list_models")
    operation.click()
    operation.get_by_role("button", name="Try it out").click()
    operation.get_by_role("button", name="Execute").click()

    expect(operation.locator(".live-responses-table")).to_contain_text('"subdomain": "owl"')
    assert complaints == []
