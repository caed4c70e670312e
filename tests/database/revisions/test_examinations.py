"""A revision answers the golden requests before it takes traffic."""

import threading

import pytest

from hosting.lifecycle import operations
from hosting.lifecycle.golden import Answer
from hosting.lifecycle.reconcile import reconcile
from hosting.lifecycle.tools import Tools
from hosting.models import GoldenRequest, Target
from hosting.protocols.base import Readiness
from hosting.states import State
from tests.database.conftest import NOON
from tests.database.revisions.steps import deploy, route_of, runs

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("routes")]


@pytest.fixture
def golden(awake):
    return GoldenRequest.objects.create(
        model=awake, name="a greeting", input={"text": "hello"}, expected_keys=["text"]
    )


def answering(tools, ask):
    """The same tools, where models answer so."""
    return Tools(runtime=tools.runtime, probe=tools.probe, clock=tools.clock, ask=ask)


def hanging_until(released):
    """A model that answers only then."""

    def ask(*_, **__):
        released.wait(30)
        return Answer(200, b"{}")

    return ask


def test_a_revision_that_fails_a_golden_request_takes_no_traffic(awake, golden, tools):
    tried = deploy(awake)

    reconcile(awake.pk, tools=answering(tools, lambda *_, **__: Answer(500, b"{}")))

    tried.refresh_from_db()
    assert "“a greeting” failed: it answered 500 instead of 200" in tried.rejected_reason
    assert tried.admitted_at is None
    assert route_of(awake).revision == 1
    assert runs(awake) == [(1, "ready")]


def test_a_golden_request_that_hangs_rejects_the_revision(awake, golden, tools):
    golden.timeout_seconds = 1
    golden.save()
    released = threading.Event()
    tried = deploy(awake)

    reconcile(awake.pk, tools=answering(tools, hanging_until(released)))
    released.set()

    tried.refresh_from_db()
    assert "“a greeting” failed: it did not answer within 1 s" in tried.rejected_reason
    assert route_of(awake).revision == 1


@pytest.mark.parametrize("fault", [TimeoutError(), ConnectionResetError()])
def test_a_golden_request_that_breaks_rejects_the_revision(awake, golden, tools, fault):
    def break_off(*_, **__):
        raise fault

    tried = deploy(awake, share=10)
    reconcile(awake.pk, tools=answering(tools, break_off))

    tried.refresh_from_db()
    assert "“a greeting” failed" in tried.rejected_reason
    assert route_of(awake).beside == ()


def test_a_revision_deployed_asleep_is_examined_in_its_first_wake(awake, golden, tools):
    operations.sleep(awake, cause="ada", now=NOON)
    reconcile(awake.pk, tools=tools)
    deploy(awake)
    operations.wake(awake, cause="request", now=NOON)

    reconcile(awake.pk, tools=answering(tools, lambda *_, **__: Answer(200, b"[]")))

    awake.refresh_from_db()
    assert (awake.state, awake.revision.number) == (State.AWAKE, 1)


def test_a_revision_that_answers_takes_over_and_is_not_examined_again(awake, golden, tools):
    asked = []

    def ask(host, port, *, path, body, timeout_seconds):
        asked.append((path, body))
        return Answer(200, b'{"text": "hello"}')

    deploy(awake)
    reconcile(awake.pk, tools=answering(tools, ask))
    operations.sleep(awake, cause="ada", now=NOON)
    reconcile(awake.pk, tools=tools)
    operations.wake(awake, cause="request", now=NOON)
    reconcile(awake.pk, tools=answering(tools, ask))

    assert asked == [("/new", b'{"text": "hello"}')]
    assert route_of(awake).revision == 2


def test_a_canary_that_is_aborted_during_its_examination_is_let_go(awake, golden, tools):
    released = threading.Event()
    deploy(awake, share=10)

    def ready_and_aborted(*_, **__):
        Target.objects.filter(model=awake).delete()
        return Readiness.READY

    reconcile(
        awake.pk,
        tools=Tools(
            runtime=tools.runtime,
            probe=ready_and_aborted,
            clock=tools.clock,
            ask=hanging_until(released),
        ),
    )
    reconcile(awake.pk, tools=tools)
    released.set()

    assert runs(awake) == [(1, "ready")]
