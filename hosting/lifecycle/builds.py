"""Catalogue images are built once per fingerprint, when first wanted, and everyone can watch."""

import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial

from django.conf import settings
from django.db import transaction
from django.db.models import F, Q

from hosting import catalogue, nudges
from hosting.errors import BuildFailed, HostingError
from hosting.lifecycle.clock import Clock
from hosting.models import Build, HostedModel, Revision
from hosting.models.build import BuildStatus
from hosting.runtimes.base import Recipe, Runtime
from hosting.states import State

logger = logging.getLogger(__name__)

LEASE = timedelta(minutes=10)  # renewed at every step; one step may take minutes
RETRY_AFTER = timedelta(seconds=30)


def request(slug: str) -> None:
    """Ask for an image to be built, once the running transaction is committed."""
    transaction.on_commit(partial(nudges.send, settings.REDIS_URL, nudges.BUILD, slug=slug))


def is_ready(revision: Revision, *, runtime: Runtime, now: datetime) -> bool:
    """Whether the revision's image is there; if it is still to be built, ask for that.

    Raises BuildFailed when the last try failed a moment ago.
    """
    if revision.catalogue_slug is None:
        return True
    recipe = recipe_of(revision.catalogue_slug)
    if runtime.is_built(recipe):
        return True
    build = _row(recipe, runtime=runtime)
    if build.status == BuildStatus.FAILED and _is_recent(build, now=now):
        raise BuildFailed(f"Its image could not be built. {build.error}")
    request(recipe.slug)
    return False


def run(
    slug: str, *, runtime: Runtime, clock: Clock, say: Callable[[str], None] = logger.info
) -> str:
    """Build one image, then start what waits for it; returns why it failed, or nothing.

    Nothing is done when it is there or somebody else is at it.
    """
    recipe = recipe_of(slug)
    build = _row(recipe, runtime=runtime)
    now = clock.now()
    claimed = Build.objects.filter(
        Q(lease_until=None) | Q(lease_until__lt=now), pk=build.pk
    ).update(lease_until=now + LEASE)
    if not claimed:
        return ""
    if not runtime.is_built(recipe):
        _update(build, status=BuildStatus.RUNNING, started_at=now, error="")
    error = _attempt(build, recipe, runtime=runtime, clock=clock, say=say)
    _update(
        build,
        status=BuildStatus.FAILED if error else BuildStatus.BUILT,
        error=error,
        finished_at=clock.now(),
        lease_until=None,
    )
    _nudge_waiting(slug)
    return error


def take_up(build: Build) -> None:
    """Have an image whose builder died built by another.

    The row ends here: it may be of an earlier recipe or another runtime, which nobody builds again.
    """
    abandoned = Build.objects.filter(pk=build.pk, lease_until=build.lease_until)
    if abandoned.update(status=BuildStatus.FAILED, error="Its builder stopped.", lease_until=None):
        request(build.slug)


def recipe_of(slug: str) -> Recipe:
    """The recipe of a catalogue entry. Raises BuildFailed when there is none of that name."""
    entry = catalogue.find(slug)
    if entry is None:
        raise BuildFailed(f"The catalogue has no “{slug}” any more.")
    return catalogue.recipe(entry)


def _attempt(
    build: Build,
    recipe: Recipe,
    *,
    runtime: Runtime,
    clock: Clock,
    say: Callable[[str], None],
) -> str:
    """Build, noting every step; returns the error, or nothing."""

    def progress(step: int, steps: int, activity: str) -> None:
        say(f"{recipe.slug} {step}/{steps}: {activity}")
        _update(
            build,
            step=step,
            steps=steps,
            activity=activity[:200],
            lease_until=clock.now() + LEASE,
        )

    try:
        if not runtime.is_built(recipe):
            runtime.build(recipe, progress=progress)
    except HostingError as error:
        return error.message
    except Exception:
        logger.exception("building %s failed", recipe.slug)
        return "The build stopped unexpectedly; the worker's log says why."
    return ""


def _row(recipe: Recipe, *, runtime: Runtime) -> Build:
    return Build.objects.get_or_create(
        slug=recipe.slug, fingerprint=recipe.fingerprint, runtime=runtime.name
    )[0]


def _update(build: Build, **fields: object) -> None:
    Build.objects.filter(pk=build.pk).update(**fields)


def _is_recent(build: Build, *, now: datetime) -> bool:
    return build.finished_at is not None and now - build.finished_at < RETRY_AFTER


def _nudge_waiting(slug: str) -> None:
    image = f"catalogue:{slug}"
    in_use = Q(revision__image=image) | Q(targets__revision__image=image)
    waiting = HostedModel.objects.filter(in_use, state__in=[State.AWAKENING, State.AWAKE])
    for model_id in waiting.values_list("pk", flat=True).distinct():
        nudges.reconcile(settings.REDIS_URL, model_id=model_id)
    undescribed = Revision.objects.filter(
        image=f"catalogue:{slug}", info="", model__revision=F("pk"), model__deleted_at=None
    )
    for revision_id in undescribed.values_list("pk", flat=True):
        nudges.send(settings.REDIS_URL, nudges.DESCRIBE, revision_id=revision_id)
