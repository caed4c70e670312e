"""What the tests of revisions do and look at."""

from hosting import route_table
from hosting.lifecycle import operations
from hosting.models import HostedModel
from hosting.models.replica import ReplicaStatus
from tests.database.conftest import NOON

NEWER = operations.RevisionSpec(image="example.org/echo:2", protocol="http", query_path="/new")
NEWEST = operations.RevisionSpec(image="example.org/echo:3", protocol="http")


def deploy(model, spec=NEWER, *, share=None, now=NOON):
    """Deploy a revision, or try it with a share of the queries."""
    return operations.deploy(model, revision=spec, created_by=None, canary_share=share, now=now)


def route_of(model):
    """What the routers are told of it."""
    return route_table.build(HostedModel.objects.get(pk=model.pk))


def runs(model):
    """The revisions that have a replica, and how it is."""
    rows = model.replicas.exclude(status=ReplicaStatus.GONE).order_by("pk")
    return [(each.revision.number, each.status) for each in rows]
