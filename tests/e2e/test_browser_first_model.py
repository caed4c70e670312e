"""The main job, in a real browser on the whole system: host a model, call it, see it counted."""

import subprocess
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect, sync_playwright

from tests.e2e.conftest import BROWSER_ARGUMENTS, CHROMIUM
from tests.e2e.stack import Stack

pytestmark = pytest.mark.browser


@pytest.fixture
def page(process_stack: Stack):
    with sync_playwright() as playwright:
        domain = process_stack.base_domain
        names = f"--host-resolver-rules=MAP *.{domain} 127.0.0.1"
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, args=[*BROWSER_ARGUMENTS, names]
        )
        context = browser.new_context(base_url=f"http://localhost:{process_stack.port}")
        context.grant_permissions(["clipboard-read", "clipboard-write"])
        page = context.new_page()
        page.goto("/")
        page.get_by_label("Email").fill(process_stack.demo["email"])
        page.get_by_label("Password").fill(process_stack.demo["password"])
        page.get_by_role("button", name="Sign in").click()
        yield page
        browser.close()


def test_a_model_is_hosted_its_snippet_runs_as_copied_and_the_call_is_counted(
    process_stack: Stack, page: Page, tmp_path: Path
):
    page.get_by_role("link", name="Host a model").click()
    page.get_by_role("link", name="Text generator").click()
    page.get_by_label("Address", exact=True).fill("bedtime-tales")
    expect(page.locator("#verdict")).to_contain_text("is free")
    page.get_by_role("button", name="Host this model").click()
    page.get_by_role("tabpanel").get_by_role("button", name="Copy").click()
    snippet = page.evaluate("navigator.clipboard.readText()")
    page.get_by_role("link", name="Open bedtime-tales").click()
    expect(page.locator("#model")).to_have_attribute("data-state", "asleep")

    said = run(snippet, stack=process_stack, home=tmp_path)

    assert '"generated_text"' in said
    expect(page.locator("#model")).to_have_attribute("data-state", "awake", timeout=5000)
    expect(page.locator("#model [data-requests]")).to_have_text("1", timeout=5000)
    page.get_by_role("button", name="Put to sleep").click()
    expect(page.locator("#model")).to_have_attribute("data-state", "asleep", timeout=15000)
    page.get_by_role("link", name="Models", exact=True).first.click()
    row = page.get_by_role("row", name="bedtime-tales")
    expect(row.locator("[data-requests]")).to_have_text("1")


def test_the_playground_makes_a_form_of_the_models_description_and_runs_it(
    process_stack: Stack, page: Page
):
    writer = next(each for each in process_stack.demo["models"] if each["token"])
    page.goto(f"/models/{writer['subdomain']}/playground/")
    page.get_by_label("Token").fill("dme_wrong")
    page.get_by_role("button", name="Show its inputs").click()
    expect(page.locator("[data-asking]")).to_contain_text("token")

    page.get_by_label("Token").fill(writer["token"])
    page.get_by_role("button", name="Show its inputs").click()
    page.get_by_label("prompt").fill("In the hazel wood", timeout=60_000)
    page.get_by_label("seed, slider").fill("9")
    page.get_by_role("button", name="Run", exact=True).click()

    expect(page.locator("[data-status]")).to_have_text("200", timeout=60_000)
    expect(page.locator("[data-result]")).to_contain_text("generated_text")
    expect(page.locator("[data-time]")).to_contain_text("Model")
    expect(page.locator("#model-head")).to_have_attribute("data-state", "awake")


def run(snippet: str, *, stack: Stack, home: Path) -> str:
    """Paste the command into a shell whose curl finds every name on this machine."""
    (home / ".curlrc").write_text(f'connect-to = "::127.0.0.1:{stack.port}"\nsilent\n')
    done = subprocess.run(
        ["bash", "-c", snippet],
        env={"PATH": "/usr/bin:/bin", "CURL_HOME": str(home)},
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    return done.stdout
