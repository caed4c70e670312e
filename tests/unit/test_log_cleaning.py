"""What is shown of a line: no colours, no controls, no secrets."""

import base64
import time
from urllib.parse import quote

import pytest

from accounts.secrets import Kind, mint
from hosting.logs.cleaning import LONGEST_LINE, MASK, Secrets, clean

NONE = Secrets()


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("plain", "plain"),
        ("\x1b[32mINFO\x1b[0m ready", "INFO ready"),
        ("\x1b[38;5;208mwarm\x1b[m", "warm"),
        ("\x1b]0;a title\x07text", "text"),
        ("\x1b]8;;https://evil.example\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("\x1b]never ended", ""),
        ("half an escape \x1b", "half an escape "),
        ("10 %\r50 %\r100 %", "100 %"),
        ("windows\r", "windows"),
        ("tab\tstays", "tab\tstays"),
        ("a\x00b\x07c\x08d", "abcd"),
        ("safe\u202egnp.exe", "safegnp.exe"),
        ("<script>alert(1)</script>", "<script>alert(1)</script>"),  # the page escapes it
    ],
)
def test_a_line_is_shown_as_a_terminal_would_and_harmless(written, shown):
    assert clean(written, secrets=NONE) == shown


def test_a_secret_is_masked_in_every_form_it_is_usually_printed_in():
    secret = "p@ss/word+1"
    forms = [secret, quote(secret, safe=""), base64.b64encode(secret.encode()).decode()]

    shown = clean(" ".join(forms), secrets=Secrets([secret]))

    assert not any(form in shown for form in forms)
    assert shown.count(MASK) == 3


def test_colours_in_the_middle_of_a_secret_do_not_hide_it():
    assert clean("hun\x1b[1mter\x1b[0m22", secrets=Secrets(["hunter22"])) == MASK


def test_each_line_of_a_long_secret_is_masked_and_short_ones_hurt_nobody():
    secrets = Secrets(["-----BEGIN KEY-----\nabcdefgh\nx\n-----END KEY-----", "on"])

    assert clean("key: abcdefgh", secrets=secrets) == f"key: {MASK}"
    assert clean("x on", secrets=secrets) == "x on"


def test_of_two_secrets_where_one_holds_the_other_nothing_is_left():
    assert clean("swordfish1", secrets=Secrets(["sword", "swordfish1"])) == MASK


@pytest.mark.parametrize("kind", list(Kind))
def test_tokens_of_the_platform_are_masked_for_everybody(kind):
    assert clean(f"Bearer {mint(kind)}", secrets=NONE) == f"Bearer {MASK}"


def test_a_long_line_is_cut_and_says_so():
    shown = clean("x" * (LONGEST_LINE + 5), secrets=NONE)

    assert shown.endswith("x… (5 characters more)")


@pytest.mark.parametrize("piece", ["\x1b]", "\x1b[", "\x1b[0;", "\r", "dme_", "\x9b1"])
def test_a_hostile_line_is_cleaned_in_no_time(piece):
    begun = time.thread_time()

    clean(piece * (16 * 1024 // len(piece)), secrets=Secrets(["dme_dme_"]))

    assert time.thread_time() - begun < 0.25
