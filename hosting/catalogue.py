"""The catalogue: the example models in examples/, each a folder with a recipe.toml. Pure."""

import hashlib
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from hosting.runtimes.base import Recipe, Resources

FOLDER = Path(__file__).resolve().parents[1] / "examples"


@dataclass(frozen=True, slots=True)
class CatalogueEntry:
    """One example model: what the form shows and what a revision of it starts with."""

    slug: str
    title: str
    description: str
    folder: Path
    protocol: str = "runway"
    port: int | None = None
    command: str = ""
    commands: Sequence[str] = ()
    options: Sequence[Mapping[str, Any]] = ()  # field specs, as the protocol's /meta gives them
    resources: Resources = field(default_factory=Resources)
    sample: Mapping[str, Any] = field(default_factory=dict)  # an input that works
    requirements: Sequence[str] = ()
    packages: Sequence[str] = ()
    build_steps: Sequence[Sequence[str]] = ()
    arguments: Sequence[str] = ("python", "server.py")
    hidden: bool = False  # for tests: not offered in the form


def entries() -> list[CatalogueEntry]:
    """Every entry, by title."""
    return sorted(_read_all().values(), key=lambda entry: entry.title)


def find(slug: str) -> CatalogueEntry | None:
    """The entry of this name."""
    return _read_all().get(slug)


@cache
def _read_all() -> dict[str, CatalogueEntry]:
    found = (read(path.parent) for path in FOLDER.glob("*/recipe.toml"))
    return {entry.slug: entry for entry in found}


def read(folder: Path) -> CatalogueEntry:
    """Read one folder; TypeError or KeyError for a recipe.toml with wrong or missing keys."""
    data = tomllib.loads((folder / "recipe.toml").read_text())
    resources = Resources(**data.pop("resources", {}))
    return CatalogueEntry(slug=folder.name, folder=folder, resources=resources, **data)


def recipe(entry: CatalogueEntry) -> Recipe:
    """How to build the entry; the fingerprint changes with any file of its folder."""
    return Recipe(
        slug=entry.slug,
        folder=entry.folder,
        requirements=entry.requirements,
        packages=entry.packages,
        build_steps=entry.build_steps,
        arguments=entry.arguments,
        fingerprint=_fingerprint(entry.folder),
    )


@cache
def _fingerprint(folder: Path) -> str:
    digest = hashlib.sha256()
    for file in sorted(folder.rglob("*")):
        if file.is_file() and "__pycache__" not in file.parts:
            digest.update(str(file.relative_to(folder)).encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()
