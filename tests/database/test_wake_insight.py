"""What is said of wakes: on their page, by the API, and by the simulator."""

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.models import Role
from hosting.lifecycle import operations
from hosting.metering import sleeping, wakes
from hosting.models import HostedModel, UsageMinute, Wake
from tests.api_operations import send
from tests.database.conftest import NOON
from tests.factories import make_key, make_member

pytestmark = pytest.mark.django_db

SECOND = timedelta(seconds=1)


def put_wake(model: HostedModel, *, asked=NOON, seconds: float = 4.0, **fields: Any) -> Wake:
    started = {
        "prepared_at": asked + SECOND,
        "started_at": asked + 2 * SECOND,
        "listening_at": asked + 3 * SECOND,
    }
    given = {"cause": "request", "outcome": "awake", "revision": model.revision, **started} | fields
    return Wake.objects.create(
        model=model,
        asked_at=asked,
        taken_at=asked + SECOND / 2,
        ended_at=asked + timedelta(seconds=seconds),
        **given,
    )


def browser(client: Client, model: HostedModel, *, role: str = Role.OWNER) -> Client:
    client.force_login(make_member(team=model.team, role=role).user)
    return client


def page(name: str, model: HostedModel) -> str:
    return reverse(name, kwargs={"subdomain": model.subdomain})


# --- who waited


def test_those_who_waited_are_the_cold_ones_between_asking_and_ending(model, usage_event):
    wake = put_wake(model)
    usage_event(model, at=NOON, cold=True, held_ms=4_050)
    usage_event(model, at=NOON + SECOND, cold=True, held_ms=3_020)
    usage_event(model, at=NOON + SECOND, cold=True, counted=False, route="info", held_ms=3_030)
    usage_event(model, at=NOON + 2 * SECOND, cold=False)
    usage_event(model, at=NOON - SECOND, cold=True)
    usage_event(model, at=NOON + timedelta(minutes=1), cold=True)

    said = wakes.waiting([wake])[wake.pk]

    assert (said.requests, said.counted) == (3, 2)
    assert said.first_in_at == NOON + timedelta(seconds=4.02)


def test_who_asks_for_the_next_wake_at_once_did_not_wait_for_this_one(model, usage_event):
    first = put_wake(model)
    second = put_wake(model, asked=NOON + timedelta(seconds=4.4))
    usage_event(model, cold=True, held_ms=4_050)
    usage_event(model, at=NOON + timedelta(seconds=4.5), cold=True, held_ms=4_000)

    said = wakes.waiting([first, second])

    assert [said[wake.pk].requests for wake in (first, second)] == [1, 1]


def test_who_was_refused_did_not_get_in(model, usage_event):
    wake = put_wake(model, outcome="failed")
    usage_event(model, cold=True, held_ms=500, outcome="wake_failed", status=503, counted=False)

    said = wakes.waiting([wake])[wake.pk]

    assert (said.requests, said.counted, said.first_in_at) == (1, 0, None)


def test_the_parts_of_a_wake_add_up_to_the_whole(model, usage_event):
    wake = put_wake(model)
    usage_event(model, cold=True, held_ms=4_100)

    parts = wakes.phases(wake, wakes.waiting([wake])[wake.pk])

    assert [part.name for part in parts] == [
        "taken", "prepared", "started", "listening", "ended", "let_in",
    ]  # fmt: skip
    assert sum(part.seconds for part in parts) == pytest.approx(4.1)


def test_all_wakes_of_a_page_are_read_at_once(model, django_assert_num_queries):
    found = [put_wake(model, asked=NOON + timedelta(hours=each)) for each in range(20)]

    with django_assert_num_queries(1):
        wakes.waiting(found)


def test_usual_parts_leave_out_what_was_resumed_or_failed(model):
    put_wake(model)
    put_wake(model, seconds=6)
    put_wake(model, seconds=0.01, resumed=True, prepared_at=None, started_at=None,
             listening_at=None)  # fmt: skip
    put_wake(model, seconds=100, outcome="failed")

    times = wakes.times(model, since=NOON - SECOND, until=NOON + timedelta(days=1))

    assert (times.woken, times.resumed, times.failed) == (3, 1, 1)
    assert [(each.name, each.median) for each in times.phases] == [
        ("taken", 0.5), ("prepared", 0.5), ("started", 1.0), ("listening", 1.0), ("ended", 2.0),
    ]  # fmt: skip


# --- the page


def test_a_model_that_never_woke_says_so(client, model):
    shown = browser(client, model).get(page("model-wakes", model)).text

    assert "Nobody yet" in shown
    assert "Not known yet" in shown
    assert "Nothing to go by yet" in shown


def test_the_page_tells_who_woke_it_what_took_how_long_and_what_was_billed(
    client, model, usage_event
):
    token = model.tokens.get()
    put_wake(model, token=token, route="query", method="POST", address="203.0.113.9")
    usage_event(model, cold=True, held_ms=4_100)
    usage_event(model, at=NOON + SECOND, cold=True, held_ms=3_100)

    shown = browser(client, model).get(page("model-wakes", model)).text

    for said in (token.label, "POST /v1/query", "203.0.113.9", "Container started", "$0.02"):
        assert said in shown


def test_a_wake_is_chosen_by_its_address_and_another_models_is_not(client, host_model):
    own, other = host_model(), host_model()
    first = put_wake(own, cause="ada@example.org")
    put_wake(own, asked=NOON + timedelta(hours=1), cause="bob@example.org")
    foreign = put_wake(other, cause="eve@example.org", outcome="failed", reason="Secret.")
    reader = browser(client, own)

    chosen = reader.get(f"{page('model-wakes', own)}?wake={first.pk}").text
    strange = reader.get(f"{page('model-wakes', own)}?wake={foreign.pk}").text

    assert "One wake" in chosen
    assert "The last wake" in strange
    assert "Secret." not in strange


def test_a_failed_wake_says_why(client, model):
    put_wake(model, outcome="failed", reason="Its container exited with code 3.")

    shown = browser(client, model).get(page("model-wakes", model)).text

    assert "failed after" in shown
    assert "exited with code 3" in shown


def test_a_timeout_of_the_simulator_is_used_by_one_button(client, model):
    answer = browser(client, model).post(
        page("model-use-timeout", model), {"idle_timeout_seconds": "900"}, follow=True
    )

    model.refresh_from_db()
    assert model.idle_timeout_seconds == 900
    assert "15 min of quiet" in answer.text


def test_never_sleeping_keeps_one_replica(client, model):
    browser(client, model).post(page("model-use-timeout", model), {"idle_timeout_seconds": "never"})

    model.refresh_from_db()
    assert model.min_replicas == 1


@pytest.mark.parametrize("value", ["", "-1", "0", "soon", "9" * 30, "٣"])
def test_a_timeout_that_is_none_is_refused_in_words(client, model, value):
    answer = browser(client, model).post(
        page("model-use-timeout", model), {"idle_timeout_seconds": value}, follow=True
    )

    model.refresh_from_db()
    assert model.idle_timeout_seconds == 300
    assert "Give 5 to 86,400 seconds" in answer.text


def test_a_viewer_sees_the_comparison_and_can_not_use_it(client, model, usage_event):
    usage_event(model, at=timezone.now() - timedelta(hours=1))
    viewer = browser(client, model, role=Role.VIEWER)

    shown = viewer.get(page("model-wakes", model)).text

    assert "Callers who waited" in shown
    assert "Use 15 min" not in shown
    assert viewer.post(page("model-use-timeout", model)).status_code == 403


# --- who may wake it


def test_rules_on_waking_are_saved_and_shown(client, model):
    writer = browser(client, model)

    answer = writer.post(
        page("change-waking", model), {"wake_routes": ["query"], "wake_methods": ["POST"]}
    )

    model.refresh_from_db()
    assert answer.status_code == 302
    assert (model.wake_routes, model.wake_methods) == (["query"], ["POST"])
    assert not model.wake_without_token
    assert (
        writer.get(page("model-settings", model)).text.count("checked") == 2 + 2
    )  # visibility and budget


def test_hours_that_are_none_are_refused_beside_their_field(client, model):
    answer = browser(client, model).post(
        page("change-warm-windows", model), {"warm_windows": "at night", "time_zone": "UTC"}
    )

    assert answer.status_code == 422
    assert "is not a window" in answer.text
    assert "at night" in answer.text  # what was typed is still there


def test_hours_are_saved(client, model):
    browser(client, model).post(
        page("change-warm-windows", model),
        {"warm_windows": "mon-fri 8:00-18:00\n\nsat 10:00-12:00", "time_zone": "Europe/Berlin"},
    )

    model.refresh_from_db()
    assert model.warm_windows == ["Mon-Fri 08:00-18:00", "Sat 10:00-12:00"]
    assert model.time_zone == "Europe/Berlin"


def test_a_token_is_kept_from_waking_by_its_switch(client, model):
    token = model.tokens.get()
    address = reverse("let-token-wake", kwargs={"subdomain": model.subdomain, "token_id": token.pk})
    before = model.generation

    browser(client, model).post(address, {"may_wake": "no"})

    token.refresh_from_db()
    model.refresh_from_db()
    assert not token.may_wake
    assert model.generation == before + 1  # routers hear of it


def test_a_token_may_be_issued_without_the_right_to_wake(client, model):
    browser(client, model).post(page("issue-token", model), {"label": "monitoring"})

    assert not model.tokens.get(label="monitoring").may_wake


# --- the API


def test_the_api_tells_the_same(client, model, usage_event):
    key = make_key(make_member(team=model.team))[1]
    put_wake(model, token=model.tokens.get(), route="query", method="POST")
    usage_event(model, cold=True, held_ms=4_100)

    (wake,) = send(client, "GET", f"/api/v1/models/{model}/wakes/", key=key).json()["results"]

    assert wake["token"]["label"] == model.tokens.get().label
    assert (wake["waited"], wake["billed"], wake["seconds"]) == (1, 1, 4.0)
    assert wake["phases"][0] == {"name": "taken", "seconds": 0.5}


def test_rules_and_hours_are_changed_by_patch(client, model):
    key = make_key(make_member(team=model.team))[1]
    body = {"wake_routes": ["query", "info"], "warm_windows": ["daily 8:00-9:00"],
            "time_zone": "Asia/Tokyo"}  # fmt: skip

    said = send(client, "PATCH", f"/api/v1/models/{model}/", body, key=key).json()

    assert said["wake_routes"] == ["info", "query"]
    assert said["warm_windows"] == ["daily 08:00-09:00"]
    assert said["time_zone"] == "Asia/Tokyo"


# --- the simulator


def test_the_models_own_calls_are_replayed_and_a_look_at_its_status_is_none(model, usage_event):
    now = NOON + timedelta(days=1)
    for minutes in (0, 10, 20):
        usage_event(model, at=NOON + timedelta(minutes=minutes), model_ms=1_000)
    usage_event(model, at=NOON + timedelta(hours=5), model_ms=0, counted=False, status=503)

    found = sleeping.simulate(model, now=now)

    by_timeout = {each.idle_timeout_seconds: each for each in found.outcomes}
    assert found.calls == 3
    assert found.chosen.idle_timeout_seconds == 300
    assert (by_timeout[300].cold_starts, by_timeout[300].resumes) == (1, 2)
    assert by_timeout[900].awake_seconds == 20 * 60 + 1 + 900
    assert by_timeout[None].awake_seconds == 86_400
    assert not found.measured


def test_of_many_calls_minutes_are_replayed(model, monkeypatch, usage_event):
    monkeypatch.setattr(sleeping, "MOST_CALLS", 2)
    for minutes in (0, 1, 2, 30):
        usage_event(model, at=NOON + timedelta(minutes=minutes))

    found = sleeping.simulate(model, now=NOON + timedelta(days=1))

    assert UsageMinute.objects.count() == 4
    assert (found.by_minute, found.calls) == (True, 4)
    assert found.chosen.cold_starts + found.chosen.resumes == 2


def test_a_model_that_never_sleeps_is_compared_with_never(model):
    operations.change_settings(model, min_replicas=1)

    assert sleeping.simulate(model, now=NOON + timedelta(days=1)).chosen.cold_starts == 0
