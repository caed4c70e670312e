"""A budget in the whole system: the caller who is one too many is told so, and nobody else."""

import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx

from hosting import nudges
from tests.e2e.stack import Hosted, Stack, eventually

CALLERS = 6


def ask(model: Hosted, times: int) -> list[httpx.Response]:
    """So many requests from several callers at once."""
    with ThreadPoolExecutor(CALLERS) as callers:
        return list(callers.map(lambda number: model.query(text=str(number)), range(times)))


def statuses(answers: list[httpx.Response]) -> Counter[int]:
    return Counter(answer.status_code for answer in answers)


def billed(model: Hosted) -> int:
    """What the books say once they are kept; each minute they would be anyway."""
    nudges.send((model.stack.state / "valkey" / "url").read_text(), nudges.BOOKS)
    time.sleep(1)
    window: dict[str, Any] = model.stack.admin.get(f"models/{model.subdomain}/statistics/").json()
    counted: int = window["total"]["counted"]
    return counted


def test_of_sixty_requests_under_a_budget_of_thirty_exactly_thirty_are_answered(stack: Stack):
    model = stack.host()
    model.set_budget("0.30")

    answers = ask(model, 60)

    assert statuses(answers) == {200: 30, 402: 30}
    refused = next(answer for answer in answers if answer.status_code == 402)
    assert refused.headers["content-type"] == "application/json"
    assert refused.json()["error"]["code"] == "payment_required"
    assert model.call("GET", "/v1/info").status_code == 200  # looking is free

    model.set_budget("0.35")

    found = statuses(ask(model, 10))
    while found[200] < 5:
        found += statuses(ask(model, 1))
    assert statuses(ask(model, 5)) == {402: 5}
    eventually(lambda: billed(model) == 35, seconds=90)


def test_a_team_without_credits_is_answered_402_until_it_tops_up(process_stack: Stack):
    stack = process_stack
    model = stack.host()
    paying = {"prepaid": True, "stop_at_zero": True}
    stack.admin.patch("billing/profile/", json=paying).raise_for_status()
    try:
        assert statuses(ask(model, 6)) == {402: 6}

        answer = stack.admin.post("billing/credits/", json={"amount": "25.00"}).raise_for_status()
        confirmed = stack.command_line("credits", "confirm", answer.json()["reference"])
        assert confirmed.returncode == 0, confirmed.stderr

        assert statuses(ask(model, 12)) == {200: 12}
    finally:
        stack.admin.patch("billing/profile/", json={"prepaid": False}).raise_for_status()
