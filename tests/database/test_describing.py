"""What a model takes is found out once, without waking it, and heard from itself later."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from hosting import nudges, route_table
from hosting.errors import RuntimeUnavailable
from hosting.lifecycle import describing, operations
from hosting.lifecycle.reconcile import reconcile
from hosting.models import HostedModel
from tests.database.conftest import NOON

pytestmark = pytest.mark.django_db

SPEC = {
    "name": "tell",
    "description": None,
    "outputs": [],
    "inputs": [{"name": "b", "type": "any"}],
}
MANIFEST = "Using TensorFlow backend.\n" + json.dumps({"options": [], "commands": [SPEC]}) + "\n"
EXACT = '{"description": null, "inputs": [],\n "name": "tell", "outputs": []}\n'


@pytest.fixture
def teller(host_model):
    return host_model(image="example.org/tell:1", protocol="runway", command="tell")


@pytest.fixture
def server():
    """What listens where the fake runtime says the replica is."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200 if self.path == "/tell" else 404)
            self.end_headers()
            self.wfile.write(EXACT.encode())

        def log_message(self, *args):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as listening:
        threading.Thread(target=listening.serve_forever, args=(0.02,), daemon=True).start()
        yield listening
        listening.shutdown()


def info_of(model):
    model.refresh_from_db()
    return model.revision.info


def test_the_image_is_run_once_for_its_manifest(teller, tools, runtime, routes):
    runtime.outputs["example.org/tell:1"] = MANIFEST

    assert describing.find_out(teller.revision_id, tools=tools)

    (spec,) = runtime.run_once
    assert spec.environment["RW_META"] == "1"
    assert info_of(teller) == json.dumps(SPEC, sort_keys=True, separators=(",", ":")) + "\n"
    assert not describing.find_out(teller.revision_id, tools=tools)
    assert len(runtime.run_once) == 1


def test_routers_hear_of_it_at_once(
    teller, tools, runtime, routes, django_capture_on_commit_callbacks
):
    runtime.outputs["example.org/tell:1"] = MANIFEST
    before = HostedModel.objects.get(pk=teller.pk).generation

    with django_capture_on_commit_callbacks(execute=True):
        describing.find_out(teller.revision_id, tools=tools)

    route = route_table.build(HostedModel.objects.get(pk=teller.pk))
    assert json.loads(route.info or "")["name"] == "tell"
    assert route.generation > before


@pytest.mark.parametrize(
    "printed", ["", "no json", "[]", "{}", '{"commands": 5}', '{"commands": [{"name": "other"}]}']
)
def test_an_image_that_tells_nothing_of_the_command_is_woken_for_it(
    teller, tools, runtime, routes, printed
):
    runtime.outputs["example.org/tell:1"] = printed

    assert not describing.find_out(teller.revision_id, tools=tools)
    assert info_of(teller) == ""


def test_an_image_that_fails_is_no_reason_to_fail(teller, tools, routes):
    assert not describing.find_out(teller.revision_id, tools=tools)


def test_an_engine_that_is_away_is_tried_again(teller, tools, runtime, routes):
    runtime.available = False

    with pytest.raises(RuntimeUnavailable):
        describing.find_out(teller.revision_id, tools=tools)


def test_what_the_model_itself_says_is_kept_byte_for_byte(teller, tools, runtime, routes, server):
    runtime.outputs["example.org/tell:1"] = MANIFEST
    describing.find_out(teller.revision_id, tools=tools)
    runtime.first_port = server.server_port
    operations.wake(teller, cause="test", now=NOON)
    reconcile(teller.pk, tools=tools)

    assert describing.find_out(teller.revision_id, tools=tools)

    assert info_of(teller) == EXACT
    assert not describing.find_out(teller.revision_id, tools=tools)


def test_a_model_that_is_deleted_is_not_looked_into(teller, tools, runtime, routes):
    operations.delete_model(teller, cause="test", now=NOON)

    assert not describing.find_out(teller.revision_id, tools=tools)
    assert runtime.run_once == []


def test_a_plain_http_model_is_never_run_for_it(host_model, tools, runtime, routes):
    model = host_model(protocol="http", info_path="/info")

    assert not describing.find_out(model.revision_id, tools=tools)
    assert runtime.run_once == []


COG_LABEL = "run.cog.openapi_schema"
COG_DOCUMENT = json.dumps(
    {
        "components": {
            "schemas": {
                "Input": {"required": ["n"], "properties": {"n": {"type": "integer"}}},
                "Output": {"type": "string"},
            }
        }
    }
)


@pytest.fixture
def painter(host_model):
    return host_model(image="example.org/paint:1", protocol="cog")


def test_a_cog_image_is_read_and_never_run(painter, tools, runtime, routes):
    runtime.labels["example.org/paint:1", COG_LABEL] = COG_DOCUMENT

    assert describing.find_out(painter.revision_id, tools=tools)

    assert runtime.run_once == []
    assert json.loads(info_of(painter))["inputs"][0]["fields"][0]["name"] == "n"
    route = route_table.build(HostedModel.objects.get(pk=painter.pk))
    assert (route.info_path, route.query_path) == (None, "/predictions")


def test_a_cog_model_that_is_awake_is_read_from_its_image_too(painter, tools, runtime, routes):
    operations.wake(painter, cause="test", now=NOON)
    reconcile(painter.pk, tools=tools)
    runtime.labels["example.org/paint:1", COG_LABEL] = COG_DOCUMENT

    assert describing.find_out(painter.revision_id, tools=tools)


def test_a_new_cog_revision_is_looked_into(host_model, routes, django_capture_on_commit_callbacks):
    with django_capture_on_commit_callbacks() as callbacks:
        host_model(image="example.org/paint:2", protocol="cog")
        host_model(image="example.org/plain:2", protocol="http")

    asked = [each for each in callbacks if nudges.DESCRIBE in getattr(each, "args", ())]
    assert len(asked) == 1


def missing_of(model):
    model.refresh_from_db()
    return model.revision.info_missing


def test_why_an_image_says_nothing_is_kept_for_its_owner(painter, tools, runtime, routes):
    assert not describing.find_out(painter.revision_id, tools=tools)
    assert missing_of(painter) == f"The image has no label {COG_LABEL}."

    runtime.labels["example.org/paint:1", COG_LABEL] = COG_DOCUMENT
    describing.find_out(painter.revision_id, tools=tools)
    assert missing_of(painter) == ""


def test_a_command_that_the_image_has_not_is_told_with_those_it_has(
    host_model, tools, runtime, routes
):
    model = host_model(image="example.org/tell:1", protocol="runway", command="sing")
    runtime.outputs["example.org/tell:1"] = MANIFEST

    describing.find_out(model.revision_id, tools=tools)

    assert missing_of(model) == "The image has no command “sing”. It has: tell."


def test_a_description_without_end_is_not_kept(painter, tools, runtime, routes, monkeypatch):
    monkeypatch.setattr(describing, "MOST_BYTES", 10)
    runtime.labels["example.org/paint:1", COG_LABEL] = COG_DOCUMENT

    assert not describing.find_out(painter.revision_id, tools=tools)
    assert "too long" in missing_of(painter)
