"""The tasks: each loads nothing but ids, calls one operation, and may run twice, late or never."""

from typing import Any

from celery import shared_task
from django.conf import settings
from django.utils import timezone

from hosting import nudges, wire
from hosting.billing import books, leases
from hosting.errors import ModelInactive, RuntimeUnavailable, WakeBackoff
from hosting.lifecycle import builds, describing, engine, set_clock
from hosting.lifecycle.clock import SystemClock
from hosting.lifecycle.holding import hold
from hosting.lifecycle.readiness import probe
from hosting.lifecycle.reconcile import reconcile, wake
from hosting.lifecycle.sweep import sweep
from hosting.lifecycle.tools import Tools
from hosting.models import HostedModel
from hosting.tokens import note_used

_lead = set_clock.Lead()


def tools() -> Tools:
    """The real engine, the real prober, the real clock, which may have been set since."""
    clock = SystemClock()
    set_clock.mend_if_set(_lead, clock=clock)
    return Tools(runtime=engine.runtime(), probe=probe, clock=clock)


@shared_task(
    name=nudges.WAKE,
    autoretry_for=(RuntimeUnavailable,),
    retry_backoff=True,
    max_retries=3,
)
def wake_model(*, model_id: int, revision: int = 0, **said: object) -> None:
    """A request met a sleeping model: get it awake, unless it is too early to try again.

    The request may have asked for one `revision`, by its number.

    One task for both halves: a second hop through the broker would cost every wake its time.
    """
    asker = wire.Asker.of(said)
    try:
        wake(model_id, asker=asker, revision=revision, tools=tools())
    except (HostedModel.DoesNotExist, ModelInactive, WakeBackoff):
        return  # the router reads why from the route
    if asker.token_id:
        note_used(asker.token_id, now=timezone.now())


@shared_task(
    name=nudges.RECONCILE,
    autoretry_for=(RuntimeUnavailable,),
    retry_backoff=True,
    max_retries=3,
)
def reconcile_model(*, model_id: int, **_: object) -> None:
    """Compare one model's rows with the engine and act."""
    if HostedModel.objects.filter(pk=model_id).exists():
        reconcile(model_id, tools=tools())


@shared_task(name=nudges.BUILD)
def build_image(*, slug: str, **_: object) -> None:
    """Build one catalogue image, unless it is there."""
    builds.run(slug, runtime=engine.runtime(), clock=SystemClock())


@shared_task(
    name=nudges.DESCRIBE,
    autoretry_for=(RuntimeUnavailable,),
    retry_backoff=True,
    max_retries=3,
)
def describe_revision(*, revision_id: int, **_: object) -> None:
    """Find out what a revision takes and gives."""
    describing.find_out(revision_id, tools=tools())


@shared_task(name=nudges.SWEEP)
def sweep_all(**_: object) -> None:
    """Look after everything once."""
    sweep(tools=tools())


@shared_task(name=nudges.HOLD)
def hold_networks(**_: object) -> None:
    """Keep the networks of models that were used last."""
    hold(tools=tools())


@shared_task(name=nudges.BOOKS)
def keep_books(**_: object) -> None:
    """Bring rollups, closed hours, budgets and invoices up to date."""
    books.keep(now=timezone.now())


@shared_task(name=nudges.LEASES)
def lease_units(
    *, router: str, boot: int, at: float, statements: list[dict[str, Any]], **_: object
) -> None:
    """A router process needs units of a cap, or gives some back: answer it."""
    leases.answer(statements, router=router, boot=boot, at=at, now=timezone.now())


@shared_task(name=nudges.PROOF)
def prove_books(**_: object) -> None:
    """Compare spool, ledger, rollups and invoices; the pages show the outcome."""
    books.prove(now=timezone.now(), spool=settings.STATE_DIR / "spool")
