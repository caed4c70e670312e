"""The log through the API."""

from datetime import timedelta

import pytest

from hosting.models import LogLine, Replica
from tests.api_operations import send
from tests.database.conftest import NOON
from tests.factories import make_key, make_member, make_model

pytestmark = pytest.mark.django_db


@pytest.fixture
def member():
    return make_member()


@pytest.fixture
def key(member):
    return make_key(member)[1]


@pytest.fixture
def owl(member):
    return make_model(member.team, subdomain="owl").model


@pytest.fixture
def write(owl):
    """Put lines into the log of the model, a second apart."""

    def put(*texts, stream="stdout", replica=None):
        made = replica or Replica.objects.create(model=owl, revision=owl.revision, runtime="fake")
        for text in texts:
            at = NOON + timedelta(seconds=LogLine.objects.count())
            LogLine.objects.create(model=owl, replica=made, at=at, stream=stream, text=text)
        return made

    return put


@pytest.fixture
def get(client, key, owl):
    def ask(path, status=200):
        answer = send(client, "GET", f"/api/v1/models/owl/logs/{path}", key=key)
        assert answer.status_code == status, answer.content
        return answer.json()

    return ask


def texts(lines):
    return [line["text"] for line in lines]


def test_lines_come_newest_first_and_in_pages(get, write):
    replica = write("one", "two", "three")

    page = get("?page_size=2")

    assert texts(page["results"]) == ["three", "two"]
    first = page["results"][0]
    assert first["at"] == "2026-06-01T12:00:02Z"
    assert (first["replica"], first["stream"]) == (replica.pk, "stdout")
    assert page["next"]


def test_lines_are_chosen_by_replica_stream_time_and_words(get, write):
    first = write("one", "two")
    write("three oops", stream="stderr")

    assert texts(get(f"?replica={first.pk}")["results"]) == ["two", "one"]
    assert texts(get("?stream=stderr")["results"]) == ["three oops"]
    assert texts(get("?search=OOPS")["results"]) == ["three oops"]
    between = "?since=2026-06-01T12:00:01Z&until=2026-06-01T12:00:02Z"
    assert texts(get(between)["results"]) == ["two"]


def test_a_tail_tells_each_line_once(get, write):
    write("one", "two", "three")
    start = get("tail/?limit=2")
    write("four", "five", "six")

    next_two = get(f"tail/?limit=2&after={start['after']}")
    rest = get(f"tail/?limit=2&after={next_two['after']}")
    nothing = get(f"tail/?limit=2&after={rest['after']}")

    assert texts(start["lines"]) == ["two", "three"]
    assert texts(next_two["lines"]) == ["four", "five"]
    assert texts(rest["lines"]) == ["six"]
    assert nothing == {"after": rest["after"], "lines": []}


@pytest.mark.parametrize(
    "query",
    [
        "?stream=nope",
        "?replica=x",
        "?replica=0",
        "?since=yesterday",
        "?search=%00",
        "tail/?after=-1",
    ],
)
def test_what_can_not_be_a_filter_is_named(get, query):
    assert get(query, status=422)["errors"]


def test_another_team_s_replica_opens_nothing(get, write):
    write("ours")
    stranger = make_model(make_member().team, subdomain="stranger").model
    theirs = Replica.objects.create(model=stranger, revision=stranger.revision, runtime="fake")
    LogLine.objects.create(
        model=stranger, replica=theirs, at=NOON, stream="stdout", text="their words"
    )

    assert get(f"?replica={theirs.pk}")["results"] == []
    assert texts(get("")["results"]) == ["ours"]
