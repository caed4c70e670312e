"""The pure parts of the dashboard: words for times, ribbons, bars, snippets, option fields."""

import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest
from django import forms

from dashboard import option_fields, ribbon, sparkline, times
from dashboard.forms.page import JsonField
from dashboard.forms.running import PROTOCOL_CHOICES
from dashboard.snippets import snippets
from hosting.metering.queries import Point
from hosting.protocols import PROTOCOLS
from hosting.queries import Span

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
AWKWARD = {"prompt": "It's “late”; $HOME `ls` \\ \n <b>", "seed": 7, "loud": True, "image": None}


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0 s"),
        (0.34, "340 ms"),
        (1.25, "1.2 s"),
        (18, "18 s"),
        (90, "1 min 30 s"),
        (720, "12 min"),
        (24000, "6 h 40 min"),
        (7200, "2 h"),
        (300000, "3 days"),
    ],
)
def test_durations_read_as_people_say_them(seconds: float, words: str):
    assert times.lasting(seconds) == words


@pytest.mark.parametrize(
    ("passed", "words"),
    [
        (timedelta(seconds=2), "just now"),
        (timedelta(minutes=12), "12 min ago"),
        (timedelta(hours=7), "7 h ago"),
        (timedelta(days=3), "29 May"),
        (timedelta(days=400), "27 Apr 2025"),
    ],
)
def test_moments_read_as_people_say_them(passed: timedelta, words: str):
    assert times.ago(NOON - passed, now=NOON) == words


def test_a_ribbon_fills_the_day_and_says_the_same_in_words():
    spans = [
        Span("asleep", NOON - timedelta(hours=24), NOON - timedelta(hours=6)),
        Span("awake", NOON - timedelta(hours=6), NOON),
    ]

    drawn = ribbon.build(spans, since=NOON - timedelta(hours=24), until=NOON)

    assert [(band.css, band.x, band.width) for band in drawn.bands] == [
        ("asleep", 0, 750),
        ("awake", 750, 250),
    ]
    assert drawn.label == "Asleep from 12:00, awake from 06:00 UTC"
    assert drawn.asleep == "18 h"


def test_the_time_a_model_was_paused_is_said_where_there_was_any():
    since = NOON - timedelta(hours=24)
    paused = ribbon.build([Span("drowsy", since, NOON)], since=since, until=NOON)
    asleep = ribbon.build([Span("asleep", since, NOON)], since=since, until=NOON)

    assert (paused.drowsy, asleep.drowsy) == ("24 h", "")


def test_a_wake_of_a_second_stays_visible_inside_the_ribbon():
    wake = Span("awakening", NOON - timedelta(seconds=1), NOON)

    band = ribbon.build([wake], since=NOON - timedelta(hours=24), until=NOON).bands[0]

    assert band.width >= 2
    assert band.x + band.width <= 1000


def test_errors_are_the_foot_of_their_bar():
    bars = sparkline.bars([Point(NOON, 0, 0), Point(NOON, 10, 5)])

    assert [bar.css for bar in bars] == ["b", "e"]
    assert bars[0].height > bars[1].height
    assert bars[0].y + bars[0].height == bars[1].y + bars[1].height


def test_a_day_without_requests_draws_nothing():
    assert sparkline.bars([Point(NOON, 0, 0)]) == []


def code(
    language: str,
    *,
    endpoint: str = "https://owl.models.example/v1",
    public: bool = True,
    token: str | None = None,
) -> str:
    found = snippets(endpoint, sample=AWKWARD, public=public, token=token)
    return next(each.code for each in found if each.slug == language)


def test_curl_sends_the_sample_whatever_is_in_it():
    pasted = code("curl").replace("curl", "printf '%s\\n'", 1)

    said = subprocess.run(["bash", "-c", pasted], capture_output=True, text=True, check=True)

    body = said.stdout.split("-d\n", 1)[1]
    assert json.loads(body) == AWKWARD


def test_the_python_snippet_builds_the_same_request():
    asked = code("python").split("with urllib")[0]

    said = subprocess.run(
        [sys.executable, "-c", f"{asked}print(request.data.decode())"],
        capture_output=True,
        text=True,
        check=True,
    )

    assert json.loads(said.stdout) == AWKWARD


@pytest.mark.parametrize("language", ["curl", "python", "javascript"])
def test_a_private_models_token_comes_from_a_variable_unless_given(language: str):
    assert "MODEL_TOKEN" in code(language, public=False)
    assert "dme_x" in code(language, public=False, token="dme_x")
    assert "MODEL_TOKEN" not in code(language, public=False, token="dme_x")
    assert "Bearer" not in code(language)


def test_names_under_localhost_are_reached_where_nothing_resolves_them():
    shown = code("python", endpoint="http://owl.localhost:8000/v1")

    assert "http://127.0.0.1:8000/v1/query" in shown
    assert '"Host": "owl.localhost:8000"' in shown


@pytest.mark.parametrize(
    ("spec", "kind"),
    [
        ({"type": "number", "default": 3, "min": 1, "max": 9, "step": 1}, forms.IntegerField),
        ({"type": "number", "default": 0.5, "step": 0.1}, forms.FloatField),
        ({"type": "boolean", "default": True}, forms.BooleanField),
        ({"type": "category", "oneOf": ["a", "b"], "default": "a"}, forms.ChoiceField),
        ({"type": "text", "default": ""}, forms.CharField),
        ({"type": "vector", "length": 4}, JsonField),
        ({"type": "of-tomorrow"}, JsonField),
        ({"type": [{"type": "text"}]}, JsonField),
        ({}, JsonField),
    ],
)
def test_any_field_spec_becomes_a_field(spec: dict[str, object], kind: type[forms.Field]):
    assert type(option_fields.field({"name": "x", **spec})) is kind


def test_options_left_empty_are_left_to_the_model():
    chosen = {"option-mood": "loud", "option-seed": None, "option-text": "", "option-ok": False}

    assert option_fields.values(chosen) == {"mood": "loud", "ok": False}


def test_every_protocol_can_be_chosen():
    assert {name for name, _ in PROTOCOL_CHOICES} == PROTOCOLS.keys()
