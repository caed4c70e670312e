"""Sleeping models cost nothing: a round takes as few statements for 500 of them as for none."""

import time

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from hosting import route_table
from hosting.lifecycle.sweep import sweep
from hosting.models import EndpointToken, HostedModel, Revision

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("routes")]

MOST_SECONDS = 0.050
# The sweep's lock, what is due, the replicas that should run, and the lock again.
STATEMENTS = 4


@pytest.fixture
def asleep(team):
    """Make so many sleeping models, each with a revision and a token."""

    def make(count: int) -> None:
        first = HostedModel.objects.count()
        models = HostedModel.objects.bulk_create(
            HostedModel(team=team, subdomain=f"asleep-{number}")
            for number in range(first, first + count)
        )
        revisions = Revision.objects.bulk_create(
            Revision(model=model, number=1, image="example.org/echo:1", protocol="http")
            for model in models
        )
        for model, revision in zip(models, revisions, strict=True):
            model.revision = revision
        HostedModel.objects.bulk_update(models, ["revision"])
        EndpointToken.objects.bulk_create(
            EndpointToken(model=model, digest=f"{model.pk:064x}", label="first") for model in models
        )

    return make


def statements(tools) -> int:
    with CaptureQueriesContext(connection) as asked:
        sweep(tools=tools)
    return len(asked)


def cost(tools, *, due: bool) -> tuple[float, float]:
    """Seconds of this process's CPU, which a busy machine doesn't change, and of the clock."""
    if due:
        route_table.connection().delete("dormouse:routes:fresh")
    cpu, clock = time.process_time(), time.perf_counter()
    sweep(tools=tools)
    return time.process_time() - cpu, time.perf_counter() - clock


@pytest.mark.parametrize("count", [0, 5, 500])
def test_sleeping_models_take_no_more_statements_than_none(asleep, tools, count):
    asleep(count)
    sweep(tools=tools)  # publishes the table

    assert statements(tools) == STATEMENTS


@pytest.mark.parametrize("due", [False, True], ids=["a round", "a round that checks the table"])
def test_a_round_over_500_sleeping_models_takes_less_than_50_ms(asleep, tools, due):
    asleep(500)
    sweep(tools=tools)

    cpu, clock = min(cost(tools, due=due) for _ in range(5))

    print(f"sweep_ms: {clock * 1000:.1f} (CPU {cpu * 1000:.1f})")  # noqa: T201
    assert cpu < MOST_SECONDS
