"""What is revoked while Redis is away is revoked, and what is not goes on."""

import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.e2e.stack import Hosted, Stack

AT_MOST_SECONDS = 2.5  # a second to notice that Redis hangs, one to ask, and a busy machine


def test_what_is_taken_back_while_redis_hangs_stops_working_at_once(process_stack: Stack):
    revoked, switched_off, deleted, kept = models = [process_stack.host() for _ in range(4)]
    for model in models:
        model.query(text="before").raise_for_status()
    (token,) = process_stack.admin.get(f"models/{revoked.subdomain}/tokens/").json()["results"]
    ways = (
        (revoked, 401, "DELETE", f"models/{revoked.subdomain}/tokens/{token['id']}/"),
        (switched_off, 404, "POST", f"models/{switched_off.subdomain}/deactivate/"),
        (deleted, 404, "DELETE", f"models/{deleted.subdomain}/"),
    )

    with process_stack.frozen("valkey"), ThreadPoolExecutor(3) as pool:
        asked = [
            pool.submit(process_stack.admin.request, method, url) for _, _, method, url in ways
        ]
        ended = [answer.result() for answer in asked]
        answered_at = time.monotonic()
        for model, status, _, _ in ways:
            _until_answered(model, status)
        took = time.monotonic() - answered_at
        assert kept.query(text="still here").json()["text"] == "still here"

    assert [answer.is_success for answer in ended] == [True] * 3
    assert took < AT_MOST_SECONDS
    assert [model.query(text="after").status_code for model, *_ in ways] == [401, 404, 404]


def _until_answered(model: Hosted, status: int) -> None:
    end = time.monotonic() + 30
    while (seen := model.query(text="still here?").status_code) != status:
        if time.monotonic() > end:
            pytest.fail(f"{model.subdomain} still answers {seen}")
        time.sleep(0.05)
