"""What each protocol says of a container."""

import json

import pytest

from hosting import protocols
from hosting.errors import InvalidValue
from hosting.protocols import Readiness, Settings

RUNWAY = protocols.get("runway")
HTTP = protocols.get("http")


def test_an_unknown_protocol_names_those_that_exist():
    with pytest.raises(InvalidValue, match="http, runway") as raised:
        protocols.get("smoke")

    assert raised.value.field == "protocol"


@pytest.mark.parametrize("command", ["", "setup", "meta", "healthcheck", "a/b", "..", "a b", "é"])
def test_a_command_that_could_reach_another_route_is_refused(command):
    with pytest.raises(InvalidValue) as raised:
        RUNWAY.query_path(Settings(command=command))

    assert raised.value.field == "command"


@pytest.mark.parametrize("path", ["v1", "/a b", "/a?b", "/a#b", "/../x", "/%2e%2E/x", "/x/.", "/é"])
def test_a_path_that_would_not_arrive_as_written_is_refused(path):
    with pytest.raises(InvalidValue) as raised:
        HTTP.query_path(Settings(query_path=path))

    assert raised.value.field == "query_path"


@pytest.mark.parametrize("port", [0, 80, 1023, 65536, -1])
@pytest.mark.parametrize("protocol", [RUNWAY, HTTP])
def test_a_port_an_unprivileged_server_cannot_open_is_refused(protocol, port):
    with pytest.raises(InvalidValue) as raised:
        protocol.environment(Settings(port=port))

    assert raised.value.field == "port"


@pytest.mark.parametrize(
    ("status", "body", "verdict"),
    [
        (200, b'{"status": "RUNNING"}', Readiness.READY),
        (200, b'{"status": "STARTING"}', Readiness.WAITING),
        (503, b'{"status": "RUNNING"}', Readiness.WAITING),
        (200, b"RUNNING", Readiness.WAITING),
        (200, b"[]", Readiness.WAITING),
        (200, b"\xff\xfe", Readiness.WAITING),
        (200, b"", Readiness.WAITING),
    ],
)
def test_a_runway_model_is_ready_when_it_says_running(status, body, verdict):
    assert RUNWAY.readiness(status, body) is verdict


@pytest.mark.parametrize(
    ("status", "verdict"),
    [
        (200, Readiness.READY),
        (204, Readiness.READY),
        (302, Readiness.WAITING),
        (404, Readiness.WAITING),
        (500, Readiness.WAITING),
    ],
)
def test_a_plain_server_is_ready_at_any_2xx(status, verdict):
    assert HTTP.readiness(status, b"anything") is verdict


def test_a_runway_command_is_asked_and_run_at_one_path():
    settings = Settings(command="generate_batch", options={"checkpoint": "tales"}, port=9001)

    assert RUNWAY.query_path(settings) == RUNWAY.info_path(settings) == "/generate_batch"
    assert RUNWAY.health_path(settings) == "/healthcheck"
    assert RUNWAY.info(settings) is None
    assert RUNWAY.environment(settings) == {
        "RW_HOST": "0.0.0.0",
        "RW_PORT": "9001",
        "RW_MODEL_OPTIONS": '{"checkpoint": "tales"}',
    }


def test_a_plain_server_needs_no_settings_at_all():
    nothing = Settings()

    assert HTTP.environment(nothing) == {"PORT": "8080"}
    assert HTTP.health_path(nothing) is None
    assert HTTP.query_path(nothing) == "/"
    assert HTTP.info_path(nothing) is None
    assert json.loads(HTTP.info(nothing))["inputs"][0]["type"] == "any"


def test_a_declared_info_path_replaces_the_made_up_answer():
    declared = Settings(info_path="/describe", health_path="/ok", query_path="/run/%20now")

    assert HTTP.info_path(declared) == "/describe"
    assert HTTP.info(declared) is None
    assert HTTP.health_path(declared) == "/ok"
    assert HTTP.query_path(declared) == "/run/%20now"
