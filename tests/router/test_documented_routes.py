"""The three documented routes, to the letter, as callers of `<subdomain>/v1` meet them."""

from collections.abc import Iterator

import pytest

from tests.router import model as models
from tests.router.conftest import OwnRedis
from tests.router.harness import TOKEN, ControlPlane, Router, digest, head, running_router
from tests.router.model import Model


@pytest.fixture(scope="module")
def control(own_redis: OwnRedis) -> Iterator[ControlPlane]:
    plane = ControlPlane(own_redis.url)
    yield plane
    plane.close()


@pytest.fixture(scope="module")
def router(
    tmp_path_factory: pytest.TempPathFactory, control: ControlPlane, form: str
) -> Iterator[Router]:
    """One router for this file: each test has a model of its own."""
    with running_router(tmp_path_factory.mktemp("router"), "--redis", control.url) as process:
        yield process


@pytest.fixture(autouse=True)
def awake(router: Router, control: ControlPlane, model: Model) -> Router:
    """A router that knows one awake model, `echo`, in its plainest form."""
    control.nudges.clear()
    route = control.awake(
        "echo", model.port, public=False, token_expiries={}, max_body_bytes=32 << 20
    )
    control.known_to_router(route)
    return router


@pytest.mark.parametrize("path", ["/v1/query", "/v1//query", "/v1/query/", "//v1///query//"])
def test_a_query_reaches_the_model_whatever_the_slashes(awake: Router, model: Model, path: str):
    answer = awake.request("POST", path, body=b'{"prompt": "a"}')

    assert answer.status == 200
    assert model.seen[0].line == "POST /run HTTP/1.1"
    assert model.seen[0].body == b'{"prompt": "a"}'


def test_the_documented_curl_line_is_read_as_json(awake: Router, model: Model):
    form = ("Content-Type: application/x-www-form-urlencoded",)

    awake.request("POST", "/v1/query", headers=form, body=b'{"prompt": "a"}')

    assert model.seen[0].headers["content-type"] == "application/json"


@pytest.mark.parametrize("path", ["/v1/info", "/v1//info", "/v1/info/"])
def test_info_comes_from_the_model(awake: Router, model: Model, path: str):
    answer = awake.request("GET", path)

    assert answer.json["line"] == "GET /run HTTP/1.1"


@pytest.mark.parametrize("path", ["/v1", "/v1/", "/v1//"])
def test_the_status_of_an_awake_model_is_running(awake: Router, model: Model, path: str):
    answer = awake.request("GET", path)

    assert answer.json == {
        "status": "running", "queryRoute": "/v1/query", "dataRoute": None, "errorRoute": None,
    }  # fmt: skip
    assert not model.seen


@pytest.mark.parametrize("path", ["/v1", "/v1/info", "/v1/query", "/nowhere"])
@pytest.mark.parametrize("token", [None, "wrong", TOKEN + "x", ""])
def test_a_private_model_wants_its_token(awake: Router, model: Model, path: str, token: str | None):
    answer = awake.request("GET", path, token=token)

    assert (answer.status, answer.code) == (401, "unauthorized")
    assert not model.seen


@pytest.mark.parametrize(
    ("authorization", "advice"),
    [
        (None, "The model is private. Send its token"),
        ("Bearer", "Write “Bearer”, a space, then the token"),
        (TOKEN, "Write “Bearer”, a space, then the token"),
        ("Bearer dmk_0123456789", "This is an API key"),
        ("Bearer dme_0123456789", "No token of this model is like the one sent"),
    ],
)
def test_who_is_refused_is_told_what_was_wrong(
    awake: Router, model: Model, authorization: str | None, advice: str
):
    headers = () if authorization is None else (f"Authorization: {authorization}",)

    answer = awake.request("POST", "/v1/query", token=None, headers=headers, body=b"{}")

    assert (answer.status, answer.code) == (401, "unauthorized")
    assert advice in answer.json["error"]["message"]


def test_a_public_model_wants_none_and_serves_a_needless_one(
    router: Router, control: ControlPlane, model: Model
):
    control.known_to_router(control.awake("echo", model.port, public=True))

    assert router.query(token=None).status == 200
    assert router.query(token="needless").status == 200


def test_a_token_that_expired_opens_nothing(router: Router, control: ControlPlane, model: Model):
    route = control.awake("echo", model.port, token_expiries={digest(): 1.0})
    control.known_to_router(route)

    assert router.query().status == 401


@pytest.mark.parametrize("path", ["/v1", "/v1/info", "/v1/query", "/"])
def test_an_unknown_name_is_404(awake: Router, path: str):
    answer = awake.request("GET", path, host="nobody.models.test")

    assert (answer.status, answer.code) == (404, "not_found")


@pytest.mark.parametrize("path", ["/v1", "/v1/info", "/v1/query"])
def test_an_inactive_model_is_404_and_cannot_be_woken(
    router: Router, control: ControlPlane, path: str
):
    control.publish("off", active=False, state="awakening")
    control.known_to_router(control.routes["off"])

    answer = router.request("GET", path, host="off.models.test")

    assert answer.status == 404
    assert not control.nudges


@pytest.mark.parametrize(
    ("method", "path", "allow"),
    [("POST", "/v1", "GET, OPTIONS"), ("POST", "/v1/", "GET, OPTIONS"),
     ("PUT", "/v1/info", "GET, OPTIONS"), ("GET", "/v1/query", "POST, OPTIONS"),
     ("DELETE", "/v1/query", "POST, OPTIONS")],
)  # fmt: skip
def test_the_wrong_method_names_the_right_one(awake: Router, method: str, path: str, allow: str):
    answer = awake.request(method, path)

    assert (answer.status, answer.headers["allow"]) == (405, allow)
    assert "/v1/query" in answer.json["error"]["message"]


@pytest.mark.parametrize("path", ["/", "/v2", "/v1x", "/v1/setup", "/healthcheck", "/v1/data"])
def test_no_other_path_reaches_the_container(awake: Router, model: Model, path: str):
    answer = awake.request("GET", path)

    assert answer.status == 404
    assert not model.seen


@pytest.mark.parametrize("path", ["/v1/../run", "/v1/%2e%2e/run", "/v1/.%2E/run", "/v1/./query"])
def test_dot_segments_are_refused_in_any_coding(awake: Router, model: Model, path: str):
    assert awake.request("POST", path, body=b"{}").status == 400
    assert not model.seen


def test_a_body_over_the_models_limit_is_413_before_it_is_read(
    router: Router, control: ControlPlane, model: Model
):
    control.known_to_router(control.awake("echo", model.port, max_body_bytes=100))

    answer = router.query(b"x" * 101)

    assert (answer.status, answer.code) == (413, "body_too_large")
    assert router.query(b"x" * 100).status == 200


def test_a_chunked_body_over_the_limit_is_413(router: Router, control: ControlPlane, model: Model):
    control.known_to_router(control.awake("echo", model.port, max_body_bytes=100))
    wire = router.wire()
    wire.send(head("POST", "/v1/query", headers=("Transfer-Encoding: chunked",)))

    wire.send(b"80\r\n" + b"x" * 128 + b"\r\n0\r\n\r\n")

    assert wire.read().code == "body_too_large"
    assert not model.seen


@pytest.mark.parametrize("host", ["echo.models.test", "nobody.models.test"])
@pytest.mark.parametrize("path", ["/v1/query", "/v1", "/anything"])
def test_preflight_needs_no_token_and_no_model(
    awake: Router, control: ControlPlane, host: str, path: str
):
    asked = ("Origin: https://a.test", "Access-Control-Request-Headers: authorization,content-type")

    answer = awake.request("OPTIONS", path, host=host, token=None, headers=asked)

    assert answer.status == 204
    assert answer.headers["access-control-allow-origin"] == "*"
    assert answer.headers["access-control-allow-headers"] == "authorization,content-type"
    assert int(answer.headers["access-control-max-age"]) > 0
    assert not control.nudges


@pytest.mark.parametrize(
    ("method", "path", "host", "token"),
    [("GET", "/v1", "echo", TOKEN), ("GET", "/v1/info", "echo", TOKEN),
     ("POST", "/v1/query", "echo", TOKEN), ("GET", "/v1/query", "echo", TOKEN),
     ("GET", "/v1", "echo", None), ("GET", "/v1", "nobody", TOKEN), ("GET", "/x", "echo", TOKEN)],
)  # fmt: skip
def test_every_answer_is_json_with_one_origin_header(
    awake: Router, model: Model, method: str, path: str, host: str, token: str | None
):
    model.handler = models.answer(
        headers=("Content-Type: application/json", "Access-Control-Allow-Origin: https://x.test")
    )

    answer = awake.request(method, path, host=f"{host}.models.test", token=token)

    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["access-control-allow-origin"] == "*"
    assert answer.json


@pytest.mark.parametrize("content_type", ["text/plain", "text/html; charset=utf-8", None])
@pytest.mark.parametrize("status", [200, 400, 404, 500])
def test_a_models_text_becomes_a_json_error_of_the_same_status(
    awake: Router, model: Model, content_type: str | None, status: int
):
    headers = (f"Content-Type: {content_type}",) if content_type else ()
    model.handler = models.answer(status, b"<p>oops</p>", headers=headers)

    answer = awake.query()

    assert answer.status == status
    assert answer.headers["content-type"] == "application/json"
    assert answer.json["error"]["message"] == "<p>oops</p>"


def test_json_under_another_name_is_called_json(awake: Router, model: Model):
    model.handler = models.answer(200, b'{"text": "a"}', headers=("Content-Type: text/html",))

    answer = awake.query()

    assert answer.json == {"text": "a"}
    assert answer.headers["content-type"] == "application/json"


@pytest.mark.parametrize("status", [429, 502])
@pytest.mark.parametrize("headers", [("Content-Type: application/json",), ()])
def test_what_the_client_would_repeat_for_ever_becomes_503(
    awake: Router, model: Model, status: int, headers: tuple[str, ...]
):
    model.handler = models.answer(status, b'{"error": "busy"}', headers=headers)

    answer = awake.query()

    assert (answer.status, answer.headers["retry-after"]) == (503, "1")
    assert answer.json == {"error": "busy"}


def test_a_models_own_json_error_passes_byte_for_byte(awake: Router, model: Model):
    body = b'{"error":  "kaboom", "traceback": []}'
    model.handler = models.answer(500, body)

    answer = awake.query()

    assert (answer.status, answer.body) == (500, body)


def test_a_crash_during_a_query_is_one_500_and_never_sent_again(awake: Router, model: Model):
    model.handler = lambda seen, connection: False

    answer = awake.query()

    assert (answer.status, answer.code) == (500, "model_died")
    assert len(model.seen) == 1


def test_info_without_a_path_is_answered_without_the_container(
    router: Router, control: ControlPlane
):
    route = control.publish("described", info_path=None, info='{"name": "generate"}')
    router.knows("described")

    answer = router.request("GET", "/v1/info", host="described.models.test")

    assert answer.json == {"name": "generate"}
    assert route.model_id not in [kwargs["model_id"] for _, kwargs in control.nudges]
