"""What callers see of the whole system, faults first."""

import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from tests.e2e.stack import AT_REST, Stack, eventually

PROMISED = 31.0  # seconds: a store may be away for thirty; leases and heartbeats end after ten


def test_a_worker_killed_while_a_model_wakes_costs_the_caller_time_only(stack: Stack):
    model = stack.host(revision={"options": {"setup_seconds": 3}})

    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(model.query, text="still here")
        eventually(lambda: model.state == "awakening")
        os.kill(stack.pid("--queues lifecycle"), signal.SIGKILL)
        answer = asked.result()

    assert (answer.status_code, answer.json()["text"]) == (200, "still here")


def test_a_killed_router_is_back_in_a_moment_and_knows_every_model(stack: Stack):
    model = stack.host()
    model.query(text="before").raise_for_status()

    os.kill(stack.pid("hosting.router"), signal.SIGKILL)

    eventually(lambda: _answers(stack))
    assert model.query(text="after").json()["text"] == "after"


@pytest.mark.parametrize("store", ["valkey", "bin/postgres -D"])
def test_awake_models_answer_and_count_while_a_store_hangs(process_stack: Stack, store: str):
    models = _, capped = process_stack.host(), process_stack.host()
    capped.set_budget("1000.00")  # a router holds a share of it
    for model in models:
        model.query(text="before").raise_for_status()
    statuses = []

    with process_stack.frozen(store):
        end = time.monotonic() + PROMISED
        while time.monotonic() < end:
            statuses.append([model.query(text="still here").status_code for model in models])
            time.sleep(0.05)

    assert {status for both in statuses for status in both} == {200}
    counted = [len(statuses) + 1] * 2
    eventually(lambda: [model.usage()["requests"] for model in models] == counted)


@pytest.mark.parametrize("store", ["valkey", "bin/postgres -D"])
def test_a_killed_store_is_started_again_and_nobody_who_calls_notices(
    process_stack: Stack, store: str
):
    awake, asleep = process_stack.host(), process_stack.host()
    awake.query(text="before").raise_for_status()
    killed = process_stack.pid(store)
    statuses = []

    os.kill(killed, signal.SIGKILL)
    with ThreadPoolExecutor(1) as pool:
        held = pool.submit(asleep.query, text="held")
        while not held.done():
            statuses.append(awake.query(text="still here").status_code)
            time.sleep(0.05)

    assert held.result().json()["text"] == "held"
    assert set(statuses) == {200}
    assert process_stack.pid(store) != killed
    eventually(lambda: awake.usage()["requests"] == len(statuses) + 1)


def test_fifty_callers_of_a_sleeping_model_start_one_replica_and_all_get_their_answer(
    stack: Stack,
):
    model = stack.host()

    with ThreadPoolExecutor(50) as pool:
        answers = list(pool.map(lambda number: model.query(text=str(number)), range(50)))

    assert [answer.status_code for answer in answers] == [200] * 50
    assert [answer.json()["text"] for answer in answers] == [str(number) for number in range(50)]
    assert len({answer.json()["pid"] for answer in answers}) == 1
    assert model.moves() == ["awakening", "awake"]


def test_a_model_put_to_sleep_wakes_for_the_next_query(stack: Stack):
    model = stack.host()
    model.query(text="one").raise_for_status()
    model.sleep()

    answer = model.query(text="two")

    assert (answer.status_code, answer.json()["text"]) == (200, "two")


def test_a_quiet_model_goes_to_sleep_by_itself(stack: Stack):
    model = stack.host(idle_timeout_seconds=5)
    model.query(text="good night").raise_for_status()

    eventually(lambda: model.state in AT_REST, seconds=40)

    assert model.moves()[:3] == ["awakening", "awake", "draining"]


def test_requests_and_errors_are_visible_within_seconds(stack: Stack):
    model = stack.host()
    model.query(text="fine").raise_for_status()
    model.query(fail=True)
    model.call("POST", "/v1/query", headers={"Authorization": "Bearer wrong"}, json={})

    eventually(lambda: (model.usage()["requests"], model.usage()["errors"]) == (2, 1), seconds=5)


def test_an_inactive_model_is_not_found_and_does_not_wake(stack: Stack):
    model = stack.host()
    stack.admin.post(f"models/{model.subdomain}/deactivate/").raise_for_status()

    eventually(lambda: model.query(text="hello").status_code == 404)

    assert model.state == "asleep"


def test_no_secret_of_ours_is_on_a_command_line(process_stack: Stack):
    secrets = {process_stack.demo["api_key"], process_stack.demo["password"]}
    secrets.add((process_stack.state / "valkey" / "url").read_text().split("@")[0][9:])
    secrets.add((process_stack.state / "postgres" / "password").read_text())

    lines = [each.read_text() for each in Path("/proc").glob("[0-9]*/cmdline") if each.exists()]

    assert not [line for line in lines for secret in secrets if secret in line]


def _answers(stack: Stack) -> bool:
    try:
        # On a connection of its own: what is open to a killed router may still get an answer.
        answer = httpx.get(stack.entry, headers={"Host": "localhost"})
        return answer.status_code < 500
    except httpx.TransportError:
        return False
