"""What counts as the expected answer to a golden request, and how it is asked over HTTP."""

import pytest

from hosting.lifecycle.golden import Answer, ask, complaint
from hosting.models import GoldenRequest
from tests.router import model as models
from tests.router.model import Model


def sample(**said):
    return GoldenRequest(name="a", input={"text": "hello"}, **said)


@pytest.mark.parametrize(
    ("expected", "answer", "says"),
    [
        ({}, Answer(500, b""), "it answered 500 instead of 200"),
        ({"expected_status": 400}, Answer(200, b"{}"), "it answered 200 instead of 400"),
        ({"expected_keys": ["text"]}, Answer(200, b"hello"), "its answer is not JSON"),
        ({"expected_keys": ["text"]}, Answer(200, b'["text"]'), "its answer lacks “text”"),
        ({"expected_keys": ["a", "b"]}, Answer(200, b'{"a": 1}'), "its answer lacks “b”"),
        ({"expected_output": {"a": 1}}, Answer(200, b'{"a": 2}'), "its answer is not the expected"),
    ],
)
def test_another_answer_is_told(expected, answer, says):
    assert says in complaint(sample(**expected), answer)


@pytest.mark.parametrize(
    ("expected", "answer"),
    [
        ({}, Answer(200, b"\xff")),
        ({"expected_status": 422}, Answer(422, b"")),
        ({"expected_keys": ["a"]}, Answer(200, b'{"a": null, "b": 2}')),
        ({"expected_output": {"a": 1}}, Answer(200, b' {"a":1} ')),
    ],
)
def test_the_expected_answer_passes(expected, answer):
    assert complaint(sample(**expected), answer) == ""


@pytest.fixture
def server():
    model = Model()
    yield model
    model.close()


def test_it_is_asked_as_a_query_would_be(server):
    answer = ask("127.0.0.1", server.port, path="/run", body=b'{"a": 1}', timeout_seconds=5)

    assert answer.status == 200
    assert server.seen[0].line == "POST /run HTTP/1.1"
    assert (server.seen[0].headers["content-type"], server.seen[0].body) == (
        "application/json",
        b'{"a": 1}',
    )


def test_a_model_that_says_nothing_times_out(server):
    server.handler = models.after(2.0)

    with pytest.raises(TimeoutError):
        ask("127.0.0.1", server.port, path="/run", body=b"{}", timeout_seconds=0.2)
