"""The documented example, trained and asked for real."""

import pytest

from hosting import catalogue
from tests import worlds
from tests.worlds import ask, ready, spec

ENTRY = catalogue.find("text-generator")


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    world = worlds.process_world(tmp_path_factory.mktemp("text") / "state")
    world.runtime.build(catalogue.recipe(ENTRY), progress=lambda *_: None)
    yield world
    world.clean()


@pytest.fixture(scope="module")
def generator(world):
    replica = spec("text", image=ENTRY.image, resources=ENTRY.resources)
    return ready(world.start(replica))


def write(generator, **inputs):
    status, answer = ask(generator, "/generate_batch", inputs)
    assert status == 200
    return answer


@pytest.mark.parametrize(
    "inputs",
    [{"max_characters": 7}, {"max_characters": 1025}, {"top_p": 0}, {"seed": 1001}, {"prompt": 1}],
)
def test_inputs_beyond_their_bounds_are_refused(generator, inputs):
    status, answer = ask(generator, "/generate_batch", inputs)

    assert status == 400
    assert next(iter(inputs)) in answer["error"]


def test_its_description_is_the_documented_one(generator):
    _, spec = ask(generator, "/generate_batch")

    inputs = {each["name"]: each for each in spec["inputs"]}
    assert list(inputs) == ["prompt", "max_characters", "top_p", "seed"]
    assert [each["name"] for each in spec["outputs"]] == ["generated_text", "encountered_end"]
    length, share, seed = inputs["max_characters"], inputs["top_p"], inputs["seed"]
    assert (length["default"], length["min"], length["max"], length["step"]) == (64, 8, 1024, 1)
    assert (share["default"], share["min"], share["max"], share["step"]) == (0.9, 0.1, 1, 0.1)
    assert (seed["default"], seed["min"], seed["max"], seed["step"]) == (1000, 0, 1000, 1)


def test_the_same_seed_writes_the_same_and_another_writes_something_else(generator):
    prompt = "Finish my sentence"

    first = write(generator, prompt=prompt, seed=1)
    again = write(generator, prompt=prompt, seed=1)
    other = write(generator, prompt=prompt, seed=2)

    assert first == again
    assert first["generated_text"] != other["generated_text"]


def test_it_writes_no_more_than_asked_and_says_when_it_came_to_an_end(generator):
    short = write(generator, prompt="The owl", max_characters=8, seed=3)
    texts = [write(generator, prompt="The owl", max_characters=1024, seed=n) for n in range(8)]

    assert 1 <= len(short["generated_text"]) <= 8
    assert short["encountered_end"] is False
    assert any(each["encountered_end"] for each in texts)
    assert all(each["generated_text"][-1] in ".!?" for each in texts if each["encountered_end"])


def test_it_writes_words_it_has_read(generator):
    written = write(generator, prompt="The dormouse", max_characters=600, top_p=0.5)
    corpus = (ENTRY.folder / "corpus" / "tales.txt").read_text()

    words = written["generated_text"].split()[1:-1]
    assert len(words) > 20
    assert [word for word in words if word.lower() not in corpus.lower()] == []


def test_another_checkpoint_has_read_something_else(world):
    environment = {**worlds.ENVIRONMENT, "RW_MODEL_OPTIONS": '{"checkpoint": "recipes"}'}
    replica = spec("cook", image=ENTRY.image, resources=ENTRY.resources, environment=environment)
    cook = ready(world.start(replica))

    written = write(cook, prompt="Add the", max_characters=1024, top_p=0.4)["generated_text"]

    assert "dormouse" not in written
    assert any(word in written for word in ("salt", "butter", "oven", "water", "dough"))
