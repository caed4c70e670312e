"""`manage.py build_catalogue`: have the lifecycle worker build images, and watch."""

import time
from argparse import ArgumentParser
from datetime import datetime

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db.models import Q
from django.utils import timezone

from hosting import catalogue, nudges
from hosting.lifecycle import builds, engine
from hosting.models import Build
from hosting.models.build import BuildStatus
from hosting.runtimes.base import Recipe

_LOOK_SECONDS = 0.2
_ASK_AGAIN_SECONDS = 10.0  # a nudge may be lost; asking twice builds once


class Command(BaseCommand):
    """Shows each step on stderr; ends when every image is there or one has failed."""

    help = "Build catalogue images: by default those that need no download."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Which ones."""
        parser.add_argument("slugs", nargs="*", help="catalogue entries; default: the quick ones")
        parser.add_argument("--all", action="store_true", dest="everything")
        parser.add_argument("--timeout", type=float, default=1200.0, help="seconds for each")

    def handle(self, *, slugs: list[str], everything: bool, timeout: float, **_: object) -> None:
        """Build what is asked for, one after the other."""
        recipes = [catalogue.recipe(entry) for entry in catalogue.entries()]
        if slugs:
            recipes = [builds.recipe_of(slug) for slug in slugs]
        elif not everything:
            recipes = [recipe for recipe in recipes if not recipe.requirements]
        for recipe in recipes:
            if not engine.runtime().is_built(recipe):
                self._build(recipe, timeout=timeout)

    def _build(self, recipe: Recipe, *, timeout: float) -> None:
        began, asked_at = time.monotonic(), timezone.now()
        ask_at, shown = began, ""
        while not engine.runtime().is_built(recipe):
            now = time.monotonic()
            if now - began > timeout:
                raise CommandError(f"{recipe.slug} is not built yet. Does a lifecycle worker run?")
            if now >= ask_at:
                nudges.send(settings.REDIS_URL, nudges.BUILD, slug=recipe.slug)
                ask_at += _ASK_AGAIN_SECONDS
            row = self._row(recipe, since=asked_at)
            if row is not None and row.status == BuildStatus.FAILED:
                raise CommandError(f"{recipe.slug} could not be built. {row.error}")
            if row is not None and row.activity not in ("", shown):
                shown = row.activity
                self.stderr.write(f"Building {recipe.slug} ({row.step}/{row.steps}): {shown}")
            time.sleep(_LOOK_SECONDS)
        self.stderr.write(f"Built {recipe.slug} in {time.monotonic() - began:.0f} s.")

    def _row(self, recipe: Recipe, *, since: datetime) -> Build | None:
        """The build that runs or ended since we asked; what an earlier one left doesn't count."""
        return Build.objects.filter(
            Q(finished_at=None) | Q(finished_at__gte=since) | Q(started_at__gte=since),
            slug=recipe.slug,
            fingerprint=recipe.fingerprint,
            runtime=engine.runtime().name,
        ).first()
