"""The log page: what it shows, how it goes on, what it hands out."""

from datetime import timedelta

import pytest

from hosting.models import LogLine, Replica, ReplicaLog
from tests.database.conftest import NOON
from tests.factories import make_member, make_model

pytestmark = pytest.mark.django_db


@pytest.fixture
def owner():
    return make_member()


@pytest.fixture
def owl(owner):
    return make_model(owner.team, subdomain="owl").model


@pytest.fixture
def browser(client, owner):
    client.force_login(owner.user)
    return client


@pytest.fixture
def write(owl):
    def put(*texts, stream="stdout"):
        replica = Replica.objects.create(model=owl, revision=owl.revision, runtime="fake")
        ReplicaLog.objects.create(replica=replica, model=owl, kept_bytes=1)
        lines = [
            LogLine(
                model=owl,
                replica=replica,
                at=NOON + timedelta(milliseconds=number),
                stream=stream,
                text=text,
            )
            for number, text in enumerate(texts)
        ]
        LogLine.objects.bulk_create(lines)
        return replica

    return put


def test_a_model_that_wrote_nothing_says_so(browser, owl):
    assert "It has written nothing yet" in browser.get("/models/owl/logs/").text


def test_what_a_model_writes_is_text_and_never_markup(browser, owl, write):
    write("<img src=x onerror=alert(1)>")

    page = browser.get("/models/owl/logs/").text

    assert "<img src=x" not in page
    assert "&lt;img src=x" in page
    assert "12:00:00.000" in page


def test_the_newest_lines_are_shown_and_older_ones_are_a_link_away(browser, owl, write):
    write(*[f"line {number}" for number in range(600)])

    newest = browser.get("/models/owl/logs/")
    first = newest.context["lines"][0]
    older = browser.get(f"/models/owl/logs/?before={first.pk}")

    assert newest.context["lines"][-1].text == "line 599"
    assert "Older lines" in newest.text
    assert older.context["lines"][-1].text == "line 99"
    assert "Older lines" not in older.text
    assert 'data-log=""' in older.text


def test_a_page_that_goes_on_gets_only_what_is_new(browser, owl, write):
    write("one", "two")
    last = LogLine.objects.last().pk
    write("three")

    more = browser.get(f"/models/owl/logs/?&after={last}").text

    assert "three" in more
    assert "two" not in more
    assert "<html" not in more


def test_lines_are_filtered_and_the_filter_stays_in_the_form(browser, owl, write):
    replica = write("calm")
    write("oops", stream="stderr")

    page = browser.get(f"/models/owl/logs/?replica={replica.pk}&search=calm")

    assert [line.text for line in page.context["lines"]] == ["calm"]
    assert f'<option value="{replica.pk}" selected>' in page.text
    assert 'value="calm"' in page.text


@pytest.mark.parametrize("query", ["replica=999", "since=yesterday", "stream=x", "after=x", "x=y"])
def test_a_filter_that_can_not_be_read_breaks_nothing(browser, owl, write, query):
    write("one")

    assert browser.get(f"/models/owl/logs/?{query}").status_code == 200


def test_a_time_that_is_over_is_not_waited_for(browser, owl, write):
    write("one")

    assert 'data-log=""' in browser.get("/models/owl/logs/?until=2026-06-02T00:00:00").text


def test_the_log_can_be_kept_as_a_file(browser, owl, write):
    replica = write("one", "two")

    answer = browser.get("/models/owl/logs/download/?search=two")

    assert answer["Content-Type"] == "text/plain; charset=utf-8"
    assert answer["Content-Disposition"] == 'attachment; filename="owl.log"'
    assert answer.text == f"2026-06-01T12:00:00.001000Z r{replica.pk} stdout two\n"
