"""What ended because its engine was stopped or killed is told apart from what ended by itself."""

import pytest
from docker.errors import NotFound

from hosting.runtimes.base import Status
from hosting.runtimes.docker import DockerRuntime


class Client:
    """An engine that was started at some time, and remembers one container."""

    def __init__(self, *, began, started, status="exited"):
        self.began = began
        state = {"Status": status, "ExitCode": 143, "OOMKilled": False, "StartedAt": started}
        self.container = {
            "Name": "/ours-r1",
            "Id": "c0ffee",
            "Created": started,
            "State": state,
            "Config": {"Labels": {"dormouse.replica": "r1"}},
            "NetworkSettings": {"Networks": {}},
        }

    def inspect_container(self, _):
        return self.container

    def inspect_network(self, _):
        if self.began is None:
            raise NotFound("network bridge not found")
        return {"Created": self.began}


@pytest.fixture
def observe(tmp_path):
    def look(**engine):
        runtime = DockerRuntime(installation="ours", state_dir=tmp_path)
        runtime._engine._client = Client(**engine)
        return runtime.find("r1")

    return look


def test_what_began_before_the_engine_did_went_with_the_one_before(observe):
    seen = observe(began="2026-06-01T12:00:05.5Z", started="2026-06-01T12:00:00.123456789Z")

    assert (seen.status, seen.lost) == (Status.EXITED, True)


def test_what_began_since_ended_by_itself(observe):
    seen = observe(began="2026-06-01T12:00:00.5Z", started="2026-06-01T12:00:05.123456789Z")

    assert (seen.status, seen.lost, seen.exit_code) == (Status.EXITED, False, 143)


def test_times_of_another_zone_are_understood(observe):
    seen = observe(began="2026-06-01T14:00:00.5+02:00", started="2026-06-01T12:00:05Z")

    assert seen.lost is False


@pytest.mark.parametrize(
    ("began", "started"),
    [(None, "2026-06-01T12:00:00Z"), ("2026-06-01T12:00:00Z", "0001-01-01T00:00:00Z")],
    ids=["an engine without a bridge", "a container that never ran"],
)
def test_where_nothing_shows_nothing_is_forgiven(observe, began, started):
    assert observe(began=began, started=started).lost is False
