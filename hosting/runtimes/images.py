"""Image references: a catalogue entry, a local image, or one that names a registry."""

import re

from hosting.errors import ReplicaFailed

CATALOGUE_PREFIX = "catalogue:"

_SLUG = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
# The distribution grammar: [host[:port]/]path[/path][:tag][@digest].
_COMPONENT = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
# A host's labels are told apart by dots and nothing else: with two ways to read a name, matching
# takes twice as long for each letter of it.
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?"
_HOST = rf"{_LABEL}(?:\.{_LABEL})*\.?(?::[0-9]+)?"
_REFERENCE = re.compile(
    rf"(?:{_HOST}/)?{_COMPONENT}(?:/{_COMPONENT})*"
    r"(?::[A-Za-z0-9_][A-Za-z0-9._-]{0,127})?(?:@sha256:[0-9a-f]{64})?|sha256:[0-9a-f]{64}"
)


def catalogue_slug(image: str) -> str | None:
    """The slug of a catalogue image, None for any other reference."""
    if not image.startswith(CATALOGUE_PREFIX):
        return None
    slug = image.removeprefix(CATALOGUE_PREFIX)
    if not _SLUG.fullmatch(slug):
        raise ReplicaFailed(f"“{slug}” isn't the name of a catalogue model.")
    return slug


def is_reference(image: str) -> bool:
    """Whether this is written as an image reference is; says nothing of whether it exists."""
    return len(image) <= 255 and _REFERENCE.fullmatch(image) is not None


def registry_of(image: str) -> str | None:
    """The host it is pulled from, as in `ghcr.io/team/model`; None: it is never pulled."""
    host, slash, _ = image.partition("/")
    named = bool(slash) and ("." in host or ":" in host or host == "localhost")
    return host if named else None
