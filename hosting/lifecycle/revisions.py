"""Which revision a model points at: forward by a deploy, back by a person or by a failure."""

from datetime import datetime

from django.db import transaction
from django.db.models import F

from hosting import route_table
from hosting.models import HostedModel, Revision


def give_way(model: HostedModel, *, reason: str, now: datetime) -> bool:
    """Point a model whose revision never got ready at the one that did; False without such a one.

    A revision that was ready once is not given up: what fails then is something else.
    """
    revision = model.revision
    if revision is None or revision.replicas.filter(ready_at__isnull=False).exists():
        return False
    before = (
        model.revisions.filter(replicas__ready_at__isnull=False, rejected_at=None)
        .order_by("-number")
        .first()
    )
    if before is None:
        return False
    with transaction.atomic():
        Revision.objects.filter(pk=revision.pk).update(rejected_at=now, rejected_reason=reason)
        return point_at(model, before, instead_of=revision)


def point_at(model: HostedModel, revision: Revision, *, instead_of: Revision | None) -> bool:
    """Change the pointer unless somebody did so first; callers hold a transaction."""
    unmoved = HostedModel.objects.filter(pk=model.pk, revision=instead_of)
    if not unmoved.update(revision=revision, generation=F("generation") + 1):
        return False
    model.refresh_from_db()
    route_table.publish_on_commit(model.pk)
    return True
