"""The dashboard in a real browser: what axe finds, what a keyboard reaches, what a screen fits."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Literal

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import (
    Browser,
    BrowserContext,
    Page,
    Route,
    StorageState,
    expect,
)

from tests.e2e.seed_dashboard import EMAIL, LONG_NAME, PASSWORD

pytestmark = pytest.mark.browser

PAGES = [
    "/",
    "/?state=failed",
    "/host/",
    "/host/text-generator/",
    "/host/image/",
    "/models/owl/",
    "/models/badger/",
    "/models/owl/activity/",
    "/models/owl/logs/",
    "/models/badger/logs/",
    "/models/owl/wakes/",
    "/models/owl/playground/",
    "/models/owl/tokens/",
    "/models/owl/secrets/",
    "/models/owl/settings/",
    "/models/owl/revisions/",
    "/models/badger/revisions/",
    "/models/owl/deploy/",
    "/models/owl/delete/",
    "/models/owl/code/",
    "/usage/",
    "/usage/?by=token&window=12m",
    "/usage/unconfirmed/",
    "/models/owl/tokens/1/budget/",
    "/billing/",
    "/billing/credits/",
    f"/billing/DM-{datetime.now(UTC).year}-0001/",
    f"/billing/DM-{datetime.now(UTC).year}-0001/1/",
    "/api-keys/",
    "/capacity/",
    "/registries/",
    "/installation/capacity/",
    "/installation/capacity/1/",
    "/installation/registries/",
    "/members/",
    "/operator/",
    "/operator/hosting/hostedmodel/",
    "/docs/",
    "/nothing-here/",
    "/accounts/email/",
    "/accounts/password/change/",
    "/accounts/2fa/",
    "/accounts/2fa/webauthn/",
    "/accounts/2fa/webauthn/add/",
]
Theme = Literal["light", "dark"]
ENTRANCES = ["/accounts/login/", "/accounts/signup/", "/accounts/password/reset/"]


@pytest.fixture(scope="module")
def signed_in(browser: Browser, site: str) -> StorageState:
    """The cookies of somebody who has signed in: hashing a password takes its time."""
    context = browser.new_context(base_url=site)
    page = context.new_page()
    page.goto("/accounts/login/")
    page.get_by_label("Email").fill(EMAIL)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url("/")
    state = context.storage_state()
    context.close()
    return state


@pytest.fixture
def context(browser: Browser, site: str, signed_in: StorageState) -> Iterator[BrowserContext]:
    """A window of somebody who is signed in."""
    made = browser.new_context(base_url=site, storage_state=signed_in)
    made.grant_permissions(["clipboard-read", "clipboard-write"])
    made.new_page().goto("/")
    yield made
    made.close()


@pytest.fixture
def page(context: BrowserContext) -> Page:
    return context.pages[0]


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing_on_any_page(context: BrowserContext, theme: Theme):
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
def test_axe_finds_nothing_on_the_way_in(browser: Browser, site: str, theme: Theme):
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


def test_the_steps_of_a_wake_fit_into_the_smallest_screen(page: Page):
    page.set_viewport_size({"width": 320, "height": 640})
    page.goto("/models/owl/wakes/")
    steps = page.get_by_role("region", name="A usual wake, step by step")

    assert steps.evaluate("each => each.scrollWidth <= each.clientWidth")


def test_no_table_scrolls_sideways_on_a_phone(page: Page):
    page.set_viewport_size({"width": 390, "height": 844})

    wide = {}
    for path in [*PAGES, f"/models/{LONG_NAME}/tokens/"]:
        page.goto(path)
        tables = page.evaluate(
            """() => [...document.querySelectorAll('.scroll')]
              .filter((each) => each.scrollWidth > each.clientWidth)
              .map((each) => each.getAttribute('aria-label'))"""
        )
        if tables:
            wide[path] = tables

    assert wide == {}


def test_a_name_without_a_space_widens_no_page(page: Page):
    page.set_viewport_size({"width": 390, "height": 844})

    wide = []
    for path in (f"/models/{LONG_NAME}/", f"/models/{LONG_NAME}/delete/", "/members/"):
        page.goto(path)
        if page.evaluate("document.documentElement.scrollWidth > innerWidth"):
            wide.append(path)

    assert wide == []


def test_no_page_complains_in_the_console(page: Page):
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda said: complaints.append(f"{page.url}: {said.type}: {said.text}"))
    hints = "verbose:"  # what Chromium would do differently in a password form

    for path in PAGES:
        if path != "/nothing-here/":
            page.goto(path, wait_until="load")

    assert [each for each in complaints if hints not in each] == []


def test_a_chart_has_its_colours_where_less_motion_is_wanted(page: Page):
    page.emulate_media(color_scheme="light", reduced_motion="reduce")
    page.goto("/models/owl/")
    page.locator("[data-chart] canvas").wait_for()

    assert page.evaluate(
        """() => {
          const canvas = document.querySelector('[data-chart] canvas');
          const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
          return data.some((red, at) => at % 4 === 0 && data[at + 2] - red > 100);
        }"""
    )


def test_an_invoice_on_paper_has_nothing_to_press(page: Page):
    page.goto(f"/billing/DM-{datetime.now(UTC).year}-0001/")
    page.emulate_media(media="print")

    expect(page.get_by_role("link", name="Download PDF")).to_be_hidden()
    expect(page.get_by_role("complementary", name="Sidebar")).to_be_hidden()
    expect(page.get_by_role("heading", name="Lines")).to_be_visible()


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
    page.get_by_label("Address", exact=True).fill("owl")
    suggestion = page.locator("#verdict .suggest").first
    suggestion.wait_for()
    name = suggestion.inner_text()
    suggestion.click()

    expect(page.get_by_label("Address", exact=True)).to_have_value(name)
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


INFO = {
    "inputs": [
        {"name": "seed", "type": "number", "default": 7},
        {"name": "boxes", "type": "array"},
    ],
    "outputs": [{"name": "score", "type": "number"}, {"name": "faces", "type": "array"}],
}
Answers = dict[str, tuple[int, object]]


@pytest.fixture
def answers(page: Page) -> Answers:
    """What the model says, by route: changed by a test as it goes. Its playground is open."""
    said: Answers = {"info": (200, INFO)}

    def answer(route: Route) -> None:
        status, body = said[route.request.url.rpartition("/")[2]]
        allowed = {f"Access-Control-Allow-{what}": "*" for what in ("Origin", "Headers")}
        preflight = route.request.method == "OPTIONS"
        route.fulfill(status=200 if preflight else status, json=body, headers=allowed)

    page.route("**/v1/*", answer)
    page.goto("/models/owl/playground/")
    page.get_by_label("Token").fill("dme_played")
    return said


def test_the_playground_says_beside_a_field_what_is_wrong_with_it(page: Page, answers: Answers):
    answers["info"] = (401, {"error": {"message": "This is no token of the model."}})
    page.get_by_role("button", name="Show its inputs").click()
    expect(page.get_by_label("Token")).to_have_accessible_description(re.compile("no token of"))
    expect(page.get_by_label("Token")).to_be_focused()

    answers["info"] = (200, INFO)
    page.get_by_role("button", name="Show its inputs").click()
    page.get_by_label("boxes").fill("[1, 2")
    page.get_by_role("button", name="Run").click()
    expect(page.get_by_label("boxes")).to_have_accessible_description(re.compile("not JSON"))
    expect(page.get_by_label("boxes")).to_be_focused()

    answers["query"] = (422, {"error": {"message": "seed: a number up to 5", "param": "seed"}})
    page.get_by_label("boxes").fill("[1, 2]")
    page.get_by_role("button", name="Run").click()
    expect(page.get_by_label("seed")).to_have_accessible_description("seed: a number up to 5")
    expect(page.get_by_label("boxes")).to_have_accessible_description("As JSON.")
    assert Axe().run(page).violations_count == 0


def test_the_playground_shows_an_answer_and_keeps_the_focus(page: Page, answers: Answers):
    answers["query"] = (200, {"faces": [{"x": 1}], "score": 0.5, "row": [1, 2]})
    page.get_by_role("button", name="Show its inputs").click()
    page.get_by_label("seed").fill("9")
    page.get_by_role("button", name="Run").press("Enter")

    shown = page.locator("[data-result]")
    expect(shown.locator(".say")).to_have_text("0.5")
    expect(shown.locator(".log").first).to_contain_text('"x": 1')
    expect(shown.locator(".log").last).to_have_text("[1, 2]")
    expect(page.get_by_role("button", name="Run")).to_be_focused()
    page.get_by_role("button", name="Reset").click()
    expect(page.get_by_label("seed")).to_have_value("7")


def test_everything_works_without_script(browser: Browser, site: str):
    page = browser.new_context(base_url=site, java_script_enabled=False).new_page()
    page.goto("/accounts/login/")
    page.get_by_label("Email").fill(EMAIL)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("link", name="Host a model").click()
    page.get_by_role("link", name="Echo").click()
    page.get_by_label("Address", exact=True).fill("plain-owl")
    page.get_by_role("button", name="Host this model").click()
    token = page.locator("[data-secret]").inner_text()
    page.goto("/models/plain-owl/")
    page.get_by_role("button", name="Wake now").click()

    assert token.startswith("dme_")
    expect(page.get_by_text("plain-owl is being woken.")).to_be_visible()
