"""The HTTP contract of the Model SDK, as the examples' shared server keeps it. Real processes."""

import gzip
import http.client
import json
import socket

import pytest

from hosting import catalogue
from hosting.runtimes.base import Status
from tests import worlds
from tests.worlds import ask, eventually, ready, said, spec


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    world = worlds.process_world(tmp_path_factory.mktemp("server") / "state")
    world.runtime.build(catalogue.recipe(worlds.ECHO), progress=lambda *_: None)
    yield world
    world.clean()


@pytest.fixture(scope="module")
def echo(world):
    return ready(world.start(spec("contract")))


def raw(echo, method, path, *, body=None, headers=None):
    connection = http.client.HTTPConnection(echo.host, echo.port, timeout=10)
    try:
        connection.request(method, path, body=body, headers=headers or {})
        answer = connection.getresponse()
        return answer.status, answer.getheader("Content-Type"), answer.read()
    finally:
        connection.close()


def with_options(world, name, **options):
    environment = {**worlds.ENVIRONMENT, "RW_MODEL_OPTIONS": json.dumps(options)}
    return world.start(spec(name, environment=environment))


@pytest.mark.parametrize("body", [b"", b"not json", b"[1]", b'"text"', b"\xff"])
def test_a_body_that_is_no_json_object_is_refused(echo, body):
    status, content_type, answer = raw(echo, "POST", "/echo", body=body)

    assert (status, content_type) == (400, "application/json")
    assert json.loads(answer) == {"error": "The body of all POST requests must contain JSON"}


@pytest.mark.parametrize(
    ("inputs", "named"),
    [
        ({"text": 3}, "text"),
        ({"fail": "yes"}, "fail"),
        ({"delay_seconds": "long"}, "delay_seconds"),
    ],
)
def test_a_value_of_the_wrong_kind_is_refused_and_named(echo, inputs, named):
    status, answer = ask(echo, "/echo", inputs)

    assert status == 400
    assert named in answer["error"]


def test_an_exception_is_a_500_with_its_traceback(echo):
    status, answer = ask(echo, "/echo", {"fail": True})

    assert status == 500
    assert answer["error"] == "Error during inference: ValueError('kaboom')."
    assert any("kaboom" in line for line in answer["traceback"])


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/a/b", 404), ("GET", "/nothing", 404), ("POST", "/nothing", 404), ("PUT", "/", 405)],
)
def test_what_is_not_there_is_told_in_json(echo, method, path, status):
    answered, content_type, body = raw(echo, method, path, body=b"{}")

    assert (answered, content_type) == (status, "application/json")
    assert json.loads(body)["error"]


def test_get_of_a_command_describes_it_with_sorted_keys(echo):
    status, content_type, body = raw(echo, "GET", "/echo")

    assert (status, content_type) == (200, "application/json")
    spec = json.loads(body)
    assert body == json.dumps(spec, sort_keys=True, separators=(",", ":")).encode() + b"\n"
    assert spec["name"] == "echo"
    assert spec["inputs"][0] == {
        "default": "",
        "description": "What to say.",
        "minLength": 0,
        "name": "text",
        "type": "text",
    }


@pytest.mark.parametrize("path", ["/", "/meta"])
def test_meta_lists_options_and_commands(echo, path):
    _, answer = ask(echo, path)

    assert [command["name"] for command in answer["commands"]] == ["echo"]
    assert answer["options"][0]["oneOf"] == ["plain", "loud"]
    assert {"modelSDKVersion", "millisRunning", "millisSinceLastCommand", "GPU"} <= set(answer)


@pytest.mark.parametrize(
    "headers",
    [
        {"Content-Type": "application/x-www-form-urlencoded"},
        {"Content-Type": "application/json"},
        {},
    ],
)
def test_the_body_is_json_whatever_its_type_is_called(echo, headers):
    status, _, body = raw(echo, "POST", "/echo", body=b'{"text": "hi"}', headers=headers)

    assert status == 200
    assert json.loads(body)["text"] == "hi"


def test_a_packed_body_is_unpacked(echo):
    headers = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
    packed = gzip.compress(b'{"text": "small"}')

    status, _, body = raw(echo, "POST", "/echo", body=packed, headers=headers)

    assert status == 200
    assert json.loads(body)["text"] == "small"


def test_a_body_in_chunks_is_read_whole(echo):
    status, _, body = raw(echo, "POST", "/echo", body=iter([b'{"text": ', b'"in parts"}']))

    assert status == 200
    assert json.loads(body)["text"] == "in parts"


def test_health_is_answered_while_a_query_runs(echo):
    with socket.create_connection((echo.host, echo.port)) as busy:
        body = b'{"delay_seconds": 1}'
        busy.sendall(b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(body))
        busy.sendall(body)

        status, answer = ask(echo, "/healthcheck", timeout=0.9)

    assert (status, answer) == (200, {"status": "RUNNING"})


def test_options_reach_the_model(world):
    loud = ready(with_options(world, "loud", mood="loud"))

    assert ask(loud, "/echo", {"text": "hear me"})[1]["text"] == "HEAR ME"


def test_the_port_stays_closed_while_the_model_loads(world):
    slow = with_options(world, "slow", setup_seconds=30)

    with pytest.raises(ConnectionRefusedError):
        ask(slow, "/healthcheck")


@pytest.mark.parametrize(
    ("options", "reason"),
    [({"fail_setup": True}, "told to fail"), ({"mood": "sad"}, "plain, loud")],
)
def test_a_failed_set_up_ends_the_server_and_says_why(world, options, reason):
    name = f"failing-{len(options)}-{reason[0]}"
    with_options(world, name, **options)

    found = eventually(lambda: _exited(world, name))

    assert found.exit_code == 1
    assert reason in said(world.runtime, name)


def test_the_manifest_is_printed_without_loading(world):
    environment = {**worlds.ENVIRONMENT, "RW_META": "1", "RW_MODEL_OPTIONS": '{"fail_setup": true}'}
    world.start(spec("manifest", environment=environment))

    found = eventually(lambda: _exited(world, "manifest"))

    manifest = json.loads(said(world.runtime, "manifest"))
    assert found.exit_code == 0
    assert set(manifest) == {"options", "commands"}


def test_a_stream_arrives_in_parts(echo):
    status, content_type, body = raw(
        echo, "POST", "/stream", body=b'{"count": 3, "interval_seconds": 0}'
    )

    assert (status, content_type) == (200, "text/event-stream")
    assert body.count(b"data: ") == 3


def _exited(world, name):
    found = world.runtime.find(name)
    return found if found.status is Status.EXITED else None
