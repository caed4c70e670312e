"""What a router does while Redis is away and the web process is not."""

import json
import threading
import time
from collections.abc import Iterator
from dataclasses import asdict
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from hosting.wire import INQUIRY_PATH, Route, inquiry_proof
from tests.router.conftest import OwnRedis
from tests.router.harness import ControlPlane, Router, free_port, running_router, wait_until
from tests.router.model import Model

KEY = "a key of this installation, long enough"


class Web:
    """The web process, as far as a router asks it: what it says of routes, and to whom."""

    def __init__(self) -> None:
        self.routes: dict[int, Route] = {}
        self.most = 100  # routes in one answer
        self.broken = False
        self.asked: list[str] = []  # the proofs shown
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.address = f"127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def says(self, route: Route, **changes: Any) -> None:
        """This is what the rows say from now on; Redis doesn't know."""
        values = {each: getattr(route, each) for each in Route.__slots__}
        self.routes[route.model_id] = Route(
            **{**values, "generation": route.generation + 1, **changes}
        )

    def _handler(web) -> type[BaseHTTPRequestHandler]:
        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                known = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                web.asked.append(self.headers["Authorization"])
                news = [
                    each for each in web.routes.values()
                    if known.get(str(each.model_id), -1) < each.generation
                    and (not each.removed or str(each.model_id) in known)
                ]  # fmt: skip
                whole = len(news) <= web.most
                said = {"routes": [asdict(each) for each in news[: web.most]], "whole": whole}
                self.send_response(500 if web.broken else 200 if self.path == INQUIRY_PATH else 404)
                self.end_headers()
                self.wfile.write(json.dumps(said).encode())

            def log_message(self, *_: object) -> None: ...

        return Handler

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def web() -> Iterator[Web]:
    web = Web()
    yield web
    web.close()


@pytest.fixture
def router(
    tmp_path: Path, control: ControlPlane, web: Web, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Router]:
    monkeypatch.setenv("DORMOUSE_SECRET_KEY", KEY)
    with running_router(tmp_path, "--redis", control.url, "--dashboard", web.address) as process:
        yield process


@pytest.fixture
def route(router: Router, control: ControlPlane, model: Model) -> Route:
    """Of the awake model `echo`, known to the router."""
    route = control.awake("echo", model.port)
    control.known_to_router(route)
    return route


@pytest.mark.parametrize("how", ["away", "hanging"])
def test_a_token_revoked_while_redis_is_away_opens_nothing(
    router: Router, route: Route, own_redis: OwnRedis, web: Web, how: str
):
    with getattr(own_redis, how)():
        web.says(route, token_digests={})
        revoked_at = time.monotonic()
        wait_until(lambda: router.query().status == 401)

        assert time.monotonic() - revoked_at < 2
        assert set(web.asked) == {f"Bearer {inquiry_proof(KEY)}"}


def test_what_the_web_process_told_outlives_a_redis_that_does_not_know_it(
    router: Router, route: Route, own_redis: OwnRedis, web: Web, control: ControlPlane, model: Model
):
    news = Route(
        model_id=900, subdomain="news", generation=1, state="awake", public=True,
        replicas=route.replicas, query_path="/run",
    )  # fmt: skip
    with own_redis.away():
        web.says(route, removed=True)
        web.says(news)
        wait_until(lambda: router.query(host="news.models.test").status == 200)
        assert router.query().status == 404

    heartbeat = wait_until(lambda: control.redis.zscore("dormouse:routers", "test-0"))
    wait_until(lambda: control.redis.zscore("dormouse:routers", "test-0") != heartbeat)

    assert router.query().status == 404
    assert router.query(host="news.models.test").status == 200


@pytest.mark.parametrize("trouble", ["broken", "closed"])
def test_awake_models_are_served_while_the_web_process_is_away_too(
    router: Router, route: Route, own_redis: OwnRedis, web: Web, trouble: str
):
    with own_redis.away():
        wait_until(lambda: web.asked)
        if trouble == "broken":
            web.broken = True
        else:
            web.close()
        asked_before = len(web.asked)
        end = time.monotonic() + 2.5
        statuses = []
        while time.monotonic() < end:
            statuses.append(router.query().status)
            time.sleep(0.05)

    assert set(statuses) == {200}
    assert (len(web.asked) > asked_before) == (trouble == "broken")


def test_the_web_process_is_left_alone_while_redis_answers(
    router: Router, route: Route, own_redis: OwnRedis, web: Web
):
    with own_redis.away():
        wait_until(lambda: web.asked)

    def left_alone() -> bool:
        asked = len(web.asked)
        time.sleep(1.5)
        return len(web.asked) == asked

    wait_until(left_alone)  # once it has found Redis again


def test_a_router_that_starts_without_redis_gets_its_table_piece_by_piece(
    tmp_path: Path, web: Web, model: Model, monkeypatch: pytest.MonkeyPatch
):
    for number in range(5):
        web.says(Route(model_id=number, subdomain=f"m{number}", generation=1, info="{}"))
    web.most = 2
    monkeypatch.setenv("DORMOUSE_SECRET_KEY", KEY)
    nowhere = f"redis://127.0.0.1:{free_port()}/0"

    with running_router(tmp_path, "--redis", nowhere, "--dashboard", web.address) as router:
        codes = [router.query(host=f"m{number}.models.test").code for number in range(5)]
        # Of names it doesn't know it says so only while it has just been told: wait for that.
        wait_until(lambda: router.query(host="m5.models.test").code == "not_found")

    assert codes == ["unauthorized"] * 5
