"""`manage.py build_catalogue [SLUG ...]`: build catalogue images now, with progress on stderr."""

from argparse import ArgumentParser

from django.core.management.base import BaseCommand, CommandError

from hosting import catalogue
from hosting.errors import HostingError
from hosting.lifecycle import builds, engine
from hosting.lifecycle.clock import SystemClock
from hosting.models import HostedModel

PREFIX = "catalogue:"


class Command(BaseCommand):
    """Builds what is missing; what is there takes no time."""

    help = "Build the images of catalogue models."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Which ones: named, those in use, or all."""
        parser.add_argument("slugs", nargs="*", metavar="SLUG")
        parser.add_argument(
            "--first", action="store_true", help="only those that hosted models use"
        )

    def handle(self, *, slugs: list[str], first: bool, **_: object) -> None:
        """Build one after another. With --first a failure is only told: the wake will try again."""
        for slug in slugs or (_used() if first else [each.slug for each in catalogue.entries()]):
            error = self._build(slug)
            if error and not first:
                raise CommandError(error)

    def _build(self, slug: str) -> str:
        """Build one; returns why it could not be built, or nothing."""
        clock, runtime = SystemClock(), engine.runtime()
        try:
            error = builds.run(slug, runtime=runtime, clock=clock, say=self._say)
        except HostingError as refused:
            error = refused.message
        if error:
            self._say(f"{slug} could not be built. {error}")
        return error

    def _say(self, line: str) -> None:
        self.stderr.write(line)


def _used() -> list[str]:
    images = HostedModel.objects.filter(
        deleted_at=None, revision__image__startswith=PREFIX
    ).values_list("revision__image", flat=True)
    return sorted({str(image)[len(PREFIX) :] for image in images})
