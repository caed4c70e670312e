"""Which bodies fit what a model says it takes: every kind of field, and what nobody foresaw."""

import json
import time

import pytest

from hosting.protocols.inputs import misfit_of, read_specs, words

KINDS = {
    "text": {"type": "text", "default": "", "minLength": 2, "maxLength": 5},
    "number": {"type": "number", "default": 0, "min": 0, "max": 10, "step": 1},
    "boolean": {"type": "boolean", "default": False},
    "category": {"type": "category", "oneOf": ["a", "b"], "default": "a"},
    "image": {"type": "image", "channels": 3, "defaultOutputFormat": "JPEG"},
    "vector": {"type": "vector", "length": 3, "default": None},
    "array": {
        "type": "array",
        "itemType": {"name": "number_array_item", "type": "number", "default": 0},
        "minLength": 1,
        "maxLength": 2,
    },
    "file": {"type": "file"},
    "directory": {"type": "file", "isDirectory": True},
    "any": {"type": "any"},
    "segmentation": {"type": "segmentation", "labels": ["bg"], "labelToId": {"bg": 0}},
    "image_point": {"type": "image_point"},
    "image_bounding_box": {"type": "image_bounding_box"},
    "image_landmarks": {"type": "image_landmarks", "length": 2},
    "nested": {"type": [{"name": "x", "type": "text"}]},  # as the older documentation shows it
    "unknown": {"type": "hologram"},
    "untyped": {},
}
GOOD = {
    "text": ["ab", "abcde"],
    "number": [0, 10, 3.5],
    "boolean": [True, False, 1, 0],  # the SDK asks “in [True, False]”
    "category": ["a", "b"],
    "image": ["data:image/png;base64,AAAA", "AAAA"],
    "vector": [[1, 2.5, 3]],
    "array": [[1], [1, 2]],
    "file": ["https://example.org/a.bin"],
    "directory": ["https://example.org/a.tgz"],
    "any": [1, "x", [], {}, False],
    "segmentation": ["data:image/png;base64,AAAA"],
    "image_point": [[0.5, 1]],
    "image_bounding_box": [[0, 0, 1, 1]],
    "image_landmarks": [[[0, 0], [1, 1]]],
    "nested": ["x", [{"x": 1}]],
    "unknown": [1, "x"],
    "untyped": [1],
}
BAD = {
    "text": ["a", "abcdef", 5, [], {}, True],
    "number": [-1, 11, "5", True, [], {}],
    "boolean": ["true", 2, [], None],
    "category": ["c", 1, ["a"], {}],
    "image": [5, [], {}],
    "vector": [[1, 2], [1, 2, "3"], "1,2,3", 5],
    "array": [[], [1, 2, 3], ["x"], "x"],
    "file": [5],
    "directory": [{}],
    "any": [],
    "segmentation": [7],
    "image_point": [[1], [1, 2, 3], "x"],
    "image_bounding_box": [[1, 2, 3], ["a", 1, 1, 1]],
    "image_landmarks": [[[0, 0]], [[0, 0], [1]], "x"],
    "nested": [],
    "unknown": [],
    "untyped": [],
}


def spec(kind):
    return {"name": "it", "description": None, **KINDS[kind]}


def cases(table):
    return [(kind, value) for kind, values in table.items() for value in values]


def misfit(value, kind):
    return misfit_of(json.dumps({"it": value}).encode(), [spec(kind)])


@pytest.mark.parametrize(("kind", "value"), cases(GOOD))
def test_what_fits_is_taken(kind, value):
    assert misfit(value, kind) is None


@pytest.mark.parametrize(("kind", "value"), [each for each in cases(BAD) if each[1] is not None])
def test_what_does_not_fit_is_named_with_what_was_expected(kind, value):
    found = misfit(value, kind)

    assert found is not None
    assert found.field == "it"
    assert found.sentence.startswith("it: Expected ")
    assert "another value" not in found.expected


@pytest.mark.parametrize("kind", ["image", "vector", "array", "file", "any", "image_point"])
@pytest.mark.parametrize("body", [b"{}", b'{"it": null}'])
def test_what_has_no_default_must_be_there(kind, body):
    assert "missing" in misfit_of(body, [spec(kind)]).expected


@pytest.mark.parametrize("kind", ["text", "number", "boolean", "category", "nested", "unknown"])
def test_what_has_a_default_or_is_unknown_may_be_left_out(kind):
    assert misfit_of(b"{}", [spec(kind)]) is None


def test_an_input_nobody_asked_for_is_dropped_by_the_model_not_by_us():
    assert misfit_of(b'{"it": "abc", "more": 1}', [spec("text")]) is None


@pytest.mark.parametrize("body", [b"", b"x", b"[1]", b'"x"', b"5", b"\xff", b"{"])
def test_only_objects_are_queries(body):
    assert misfit_of(body, []).field is None


def test_a_body_too_deep_to_read_is_left_to_the_model():
    assert misfit_of(b"[" * 100_000, []) is None


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("text", "a text of 2 to 5 characters"),
        ("number", "a number, 0 to 10"),
        ("boolean", "true or false"),
        ("category", "one of a, b"),
        ("vector", "a list of 3 numbers"),
        ("array", "a list of 1 to 2 items"),
    ],
)
def test_the_words_say_what_would_do(kind, words):
    assert misfit({"no": "good"}, kind).expected == f"Expected {words}."


def test_odd_specs_are_no_reason_to_fail():
    odd = [
        {"name": "a", "type": "number", "min": "low", "max": None, "default": 0},
        {"name": "b", "type": "category", "oneOf": None, "default": "x"},
        {"name": "c", "type": "vector", "length": "three"},
        {"name": "d", "type": "array", "itemType": "text"},
    ]

    assert misfit_of(b'{"a": 5, "b": "y", "c": [1], "d": [[]]}', odd) is None


@pytest.mark.parametrize(
    "info", [None, "", "x", "[]", "{}", '{"inputs": 5}', '{"inputs": [5]}', '{"inputs": [{}]}']
)
def test_where_inputs_are_not_told_nothing_is_known(info):
    assert read_specs(info) is None


def test_the_largest_body_that_is_checked_takes_no_time():
    body = json.dumps({"it": ["x"] * 60_000}).encode()
    begun = time.thread_time()

    misfit_of(body, [spec("array")])

    assert time.thread_time() - begun < 0.25


@pytest.mark.parametrize(
    "spec",
    [
        {"name": "x", "type": "category", "oneOf": 7},
        {"name": "x", "type": "number", "min": 10**400, "max": 10**400},
        {"name": "x", "type": "text", "maxLength": 10**400},
        {"name": "x", "type": "vector", "length": {}},
    ],
    ids=lambda spec: spec["type"],
)
def test_a_description_that_makes_no_sense_is_still_put_in_words(spec):
    assert words(spec)
    misfit_of(b"{}", [spec])
