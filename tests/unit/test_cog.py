"""What a Cog image says of itself in a label, and what that rules out."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hosting import protocols
from hosting.errors import InvalidValue
from hosting.protocols import Readiness, Settings, inputs

COG = protocols.get("cog")
SCHEMAS = {
    "Input": {
        "type": "object",
        "title": "Input",
        "required": ["prompt", "image"],
        "properties": {
            "steps": {
                "type": "integer",
                "title": "Steps",
                "default": 20,
                "minimum": 1,
                "maximum": 50,
                "x-order": 2,
            },
            "prompt": {"type": "string", "description": "What to paint.", "x-order": 0},
            "image": {"type": "string", "format": "uri", "x-order": 1},
            "scheduler": {
                "allOf": [{"$ref": "#/components/schemas/scheduler"}],
                "default": "DDIM",
                "x-order": 3,
            },
            "seed": {"anyOf": [{"type": "integer"}, {"type": "null"}], "x-order": 4},
            "fast": {"type": "boolean", "default": False, "x-order": 5},
            "tags": {"type": "array", "items": {"type": "string"}, "x-order": 6},
        },
    },
    "scheduler": {"type": "string", "enum": ["DDIM", "K_EULER"], "description": "Which one."},
    "Output": {"type": "array", "items": {"type": "string", "format": "uri"}, "title": "Output"},
}


def document(schemas=SCHEMAS):
    return json.dumps({"openapi": "3.0.2", "components": {"schemas": schemas}})


def info(schemas=SCHEMAS):
    return json.loads(COG.info_in(document(schemas), Settings()))


def test_inputs_stand_in_the_order_of_the_code():
    (wrapper,) = info()["inputs"]

    assert (wrapper["name"], wrapper["type"]) == ("input", "object")
    names = [each["name"] for each in wrapper["fields"]]
    assert names == ["prompt", "image", "steps", "scheduler", "seed", "fast", "tags"]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("prompt", "a text"),
        ("image", "the address of a file"),
        ("steps", "a number, 1 to 50"),
        ("scheduler", "one of DDIM, K_EULER"),
        ("seed", "a number"),
        ("fast", "true or false"),
        ("tags", "a list"),
    ],
)
def test_each_kind_of_input_is_told_in_words(name, words):
    fields = {each["name"]: each for each in info()["inputs"][0]["fields"]}

    assert inputs.words(fields[name]) == words


def test_the_answer_is_one_output():
    (output,) = info()["outputs"]

    assert (output["name"], output["type"], output["itemType"]["type"]) == (
        "output",
        "array",
        "file",
    )


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "input"),
        ({"input": "x"}, "input"),
        ({"prompt": "x", "image": "y"}, "input"),
        ({"input": {"image": "y"}}, "input.prompt"),
        ({"input": {"prompt": 5, "image": "y"}}, "input.prompt"),
        ({"input": {"prompt": "x", "image": "y", "steps": 51}}, "input.steps"),
        ({"input": {"prompt": "x", "image": "y", "scheduler": "none"}}, "input.scheduler"),
        ({"input": {"prompt": "x", "image": "y", "tags": [1]}}, "input.tags"),
    ],
)
def test_a_query_that_can_not_be_is_refused_by_the_name_of_its_field(body, field):
    specs = inputs.read_specs(COG.info_in(document(), Settings()))

    misfit = inputs.misfit_of(json.dumps(body).encode(), specs)

    assert misfit is not None
    assert misfit.field == field


@pytest.mark.parametrize(
    "more", [{}, {"seed": None}, {"seed": 7}, {"steps": 50.0}, {"unknown": 1}, {"tags": ["a"]}]
)
def test_what_may_be_left_out_may_be(more):
    specs = inputs.read_specs(COG.info_in(document(), Settings()))
    body = {"input": {"prompt": "x", "image": "y", **more}, "webhook": "http://elsewhere"}

    assert inputs.misfit_of(json.dumps(body).encode(), specs) is None


def test_where_every_input_has_a_default_the_whole_may_be_left_out():
    schemas = {"Input": {"properties": {"n": {"type": "integer", "default": 1}}}}
    specs = inputs.read_specs(COG.info_in(document(schemas), Settings()))

    assert inputs.misfit_of(b"{}", specs) is None
    assert inputs.misfit_of(b'{"input": {"n": "x"}}', specs) is not None


@pytest.mark.parametrize(
    "manifest", ["", "no json", "[]", "{}", '{"components": 5}', document({}), "[" * 100_000]
)
def test_an_image_without_a_usable_label_says_so(manifest):
    with pytest.raises(InvalidValue, match="label"):
        COG.info_in(manifest, Settings())


def test_a_document_that_refers_to_itself_ends():
    loop = {"$ref": "#/components/schemas/loop"}
    schemas = {
        "Input": {"properties": {"a": loop, "b": {"$ref": "#/components/schemas/nested"}}},
        "loop": {"allOf": [loop]},
        "nested": {"type": "array", "items": {"$ref": "#/components/schemas/nested"}},
    }

    fields = info(schemas)["inputs"][0]["fields"]

    assert [each["type"] for each in fields] == ["any", "array"]


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["type", "enum", "items", "anyOf", "allOf", "$ref", "x-order", "default", "minimum"]
            ),
            inner | st.sampled_from(["string", "array", "integer", "#/components/schemas/Input"]),
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(fields=st.dictionaries(st.text(max_size=5), anything, max_size=4), required=anything)
def test_whatever_stands_in_a_label_is_a_description_or_refused(fields, required):
    schemas = {"Input": {"properties": fields, "required": required}, "Output": fields}

    said = COG.info_in(document(schemas), Settings())

    specs = inputs.read_specs(said)
    assert specs is not None
    inputs.misfit_of(b'{"input": {"a": 1}}', specs)
    [inputs.words(each) for each in specs[0]["fields"]]


@pytest.mark.parametrize(
    ("status", "body", "verdict"),
    [
        (200, b'{"status": "READY"}', Readiness.READY),
        (200, b'{"status": "BUSY"}', Readiness.READY),
        (200, b'{"status": "STARTING"}', Readiness.WAITING),
        (200, b'{"status": "SETUP_FAILED"}', Readiness.FAILED),
        (200, b'{"status": "DEFUNCT"}', Readiness.FAILED),
        (503, b'{"status": "READY"}', Readiness.WAITING),
        (200, b'{"status": ["READY"]}', Readiness.WAITING),
        (200, b"[]", Readiness.WAITING),
        (200, b"", Readiness.WAITING),
    ],
)
def test_readiness_is_the_word_not_the_status(status, body, verdict):
    assert COG.readiness(status, body) is verdict


def test_only_predictions_are_within_reach():
    assert COG.query_path(Settings(query_path="/shutdown")) == "/predictions"
    assert COG.info_path(Settings(info_path="/shutdown")) is None
