"""The examples with real weights, asked for real. Their libraries are fetched once, then cached."""

import base64
import json
import os
import shutil
from pathlib import Path

import pytest

from hosting import catalogue
from hosting.errors import BuildFailed
from tests import worlds
from tests.worlds import ask, ready, spec

CACHE = Path(os.environ.get("DORMOUSE_TEST_CACHE", catalogue.EXAMPLES.parent / "var" / "cache"))
NO_INDEX = ("No matching distribution", "Could not fetch", "Failed to establish", "Network is")


def hosted(folder, slug, **environment):
    """The example of this slug, built and answering."""
    entry = catalogue.find(slug)
    (folder / "cache").parent.mkdir(parents=True)
    (folder / "cache").symlink_to(CACHE, target_is_directory=True)
    world = worlds.process_world(folder)
    try:
        world.runtime.build(catalogue.recipe(entry), progress=lambda *_: None)
    except BuildFailed as error:
        if any(sign in error.message for sign in NO_INDEX):
            pytest.skip(f"the package index can't be reached: {error.message[-200:]}")
        raise
    replica = spec(slug, image=entry.image, resources=entry.resources)
    return world, ready(world.start(replica))


@pytest.fixture(scope="module")
def reader(tmp_path_factory):
    folder = tmp_path_factory.mktemp("reader")
    world, observed = hosted(folder / "state", "image-reader")
    yield observed
    world.clean()
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def embedder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("embedder")
    world, observed = hosted(folder / "state", "sentence-embedder")
    yield observed
    world.clean()
    shutil.rmtree(folder)


@pytest.mark.parametrize(
    "image", ["", "data:image/png;base64,AAAA", "not base64!", base64.b64encode(b"GIF").decode()]
)
def test_what_is_no_picture_is_refused_in_words(reader, image):
    status, answer = ask(reader, "/read", {"image": image}, timeout=60)

    assert status == 400
    assert "image" in answer["error"]


def test_the_sample_picture_is_read_line_by_line(reader):
    sample = json.loads((catalogue.EXAMPLES / "image-reader" / "sample.json").read_text())

    status, answer = ask(reader, "/read", sample, timeout=60)

    assert status == 200
    assert answer["lines"] == [
        "DORMOUSE TEA ROOM",
        "Acorn cake with cream 4.50",
        "Pot of elderflower tea 3.20",
        "Closed in winter",
    ]
    tops = [top for _, top, _, _ in answer["boxes"]]
    assert tops == sorted(tops)
    assert min(answer["confidences"]) > 0.9


def test_a_picture_is_described_as_one(reader):
    _, described = ask(reader, "/read")

    kinds = {each["name"]: each["type"] for each in described["inputs"] + described["outputs"]}
    assert kinds["image"] == "image"
    assert kinds["boxes"] == "array"


def test_a_sentence_becomes_a_vector_of_length_one(embedder):
    status, answer = ask(embedder, "/embed", {"sentence": "A dormouse is asleep."}, timeout=60)

    assert status == 200
    assert len(answer["embedding"]) == 384
    assert sum(each**2 for each in answer["embedding"]) == pytest.approx(1, abs=1e-3)


# What the reference implementation of this model says of these sentences.
@pytest.mark.parametrize(
    ("other", "similarity"),
    [
        ("That is a happy dog", 0.6946),
        ("That is a very happy person", 0.9429),
        ("Today is a sunny day", 0.2569),
    ],
)
def test_it_is_as_close_as_the_reference_says(embedder, other, similarity):
    asked = {"sentence": "That is a happy person", "other": other}

    _, answer = ask(embedder, "/compare", asked, timeout=60)

    assert answer["similarity"] == pytest.approx(similarity, abs=0.001)


def test_a_missing_sentence_is_refused(embedder):
    status, answer = ask(embedder, "/embed", {}, timeout=60)

    assert status == 400
    assert "sentence" in answer["error"]
