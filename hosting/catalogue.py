"""The catalogue: example models that ship with the repository, one folder each. No Django here."""

import hashlib
import json
import math
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Any

from hosting.errors import InvalidValue
from hosting.runtimes.base import Recipe, Resources
from hosting.runtimes.images import CATALOGUE_PREFIX

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"

_RECIPE = "recipe.toml"
# Raised by hand when the way builds are made changes, so that all are made again.
_BUILD_VERSION = 1
_NOT_BUILT_FROM = frozenset({"README.md", "picture.svg", "sample.json", "requirements.in"})


@dataclass(frozen=True)
class CatalogueEntry:
    """One example model, as a person sees it when choosing."""

    slug: str
    title: str
    description: str
    protocol: str
    port: int
    command: str  # the one to propose
    commands: tuple[str, ...]
    options: tuple[Mapping[str, Any], ...]  # field specs, as the protocol writes them
    quiet_options: tuple[Mapping[str, Any], ...]  # taken too, but not offered in forms
    resources: Resources
    folder: Path
    sample_file: str | None
    picture_file: str | None
    hidden: bool  # for tests; the dashboard need not offer it

    @property
    def image(self) -> str:
        """The reference a revision stores."""
        return f"{CATALOGUE_PREFIX}{self.slug}"

    @cached_property
    def sample(self) -> Mapping[str, Any]:
        """An input worth sending, as the JSON of a query."""
        if self.sample_file is None:
            return MappingProxyType({})
        sample: dict[str, Any] = json.loads((self.folder / self.sample_file).read_text())
        return MappingProxyType(sample)

    @cached_property
    def picture(self) -> str | None:
        """The picture as SVG text."""
        return (self.folder / self.picture_file).read_text() if self.picture_file else None

    @property
    def default_options(self) -> dict[str, Any]:
        """What a revision gets when its owner chose nothing."""
        return {each["name"]: each["default"] for each in self.options if "default" in each}


def entries(*, folder: Path = EXAMPLES) -> list[CatalogueEntry]:
    """Every entry, by title."""
    found = (_read(each.parent) for each in folder.glob(f"*/{_RECIPE}"))
    return sorted(found, key=lambda entry: (entry.hidden, entry.title))


def find(slug: str, *, folder: Path = EXAMPLES) -> CatalogueEntry | None:
    """The entry of this slug."""
    # Compared with the names that are there: a slug from outside never becomes a path.
    known = {each.parent.name for each in folder.glob(f"*/{_RECIPE}")}
    return _read(folder / slug) if slug in known else None


def demand(slug: str) -> CatalogueEntry:
    """The entry of this slug; refuse one that isn't there as a wrong image."""
    entry = find(slug)
    if entry is None:
        known = ", ".join(each.slug for each in entries())
        raise InvalidValue(f"The catalogue has no “{slug}”. It has {known}.", field="image")
    return entry


def recipe(entry: CatalogueEntry) -> Recipe:
    """How to build the entry; reads its files, so that a change in any is a new fingerprint."""
    data = _data(entry.folder)
    include = tuple(entry.folder.parent / each for each in data.get("include", ()))
    requirements = _requirements(entry.folder, data.get("requirements"))
    packages = tuple(data.get("packages", ()))
    build_steps = tuple(tuple(step) for step in data.get("build_steps", ()))
    arguments = tuple(data["arguments"])
    made_of = [_BUILD_VERSION, requirements, packages, build_steps, arguments]
    made_of += [_file_digests(each) for each in (*include, entry.folder)]
    digest = hashlib.sha256(json.dumps(made_of, sort_keys=True).encode()).hexdigest()
    return Recipe(
        slug=entry.slug,
        folder=entry.folder,
        requirements=requirements,
        packages=packages,
        build_steps=build_steps,
        arguments=arguments,
        fingerprint=digest[:16],
        include=include,
    )


def check_choices(entry: CatalogueEntry, *, command: str, options: Mapping[str, Any]) -> None:
    """Refuse what the model would refuse while it loads: then it is a wake that fails."""
    if command not in entry.commands:
        raise InvalidValue(
            f"{entry.title} has no command “{command}”. Use {', '.join(entry.commands)}.",
            field="command",
        )
    known = {each["name"]: each for each in (*entry.options, *entry.quiet_options)}
    for name, value in options.items():
        if name not in known:
            raise InvalidValue(f"{entry.title} has no option “{name}”.", field="options")
        if (wanted := _refusal(known[name], value)) is not None:
            raise InvalidValue(f"The option “{name}” must be {wanted}.", field="options")


def _refusal(spec: Mapping[str, Any], value: Any) -> str | None:
    """What the value should have been, if it is something else."""
    if spec["type"] == "category":
        return None if value in spec["oneOf"] else f"one of {', '.join(spec['oneOf'])}"
    if spec["type"] == "boolean":
        return None if isinstance(value, bool) else "true or false"
    if spec["type"] == "number":
        low, high = spec.get("min", -math.inf), spec.get("max", math.inf)
        number = isinstance(value, int | float) and not isinstance(value, bool)
        return None if number and low <= value <= high else f"a number from {low:g} to {high:g}"
    return None


def _read(folder: Path) -> CatalogueEntry:
    data = _data(folder)
    return CatalogueEntry(
        slug=folder.name,
        title=data["title"],
        description=data["description"],
        protocol=data["protocol"],
        port=data["port"],
        command=data.get("command", ""),
        commands=tuple(data.get("commands", ())),
        options=tuple(MappingProxyType(each) for each in data.get("options", ())),
        quiet_options=tuple(MappingProxyType(each) for each in data.get("quiet_options", ())),
        resources=Resources(**data.get("resources", {})),
        folder=folder,
        sample_file=_present(folder, "sample.json"),
        picture_file=_present(folder, "picture.svg"),
        hidden=data.get("hidden", False),
    )


def _data(folder: Path) -> dict[str, Any]:
    return tomllib.loads((folder / _RECIPE).read_text())


def _present(folder: Path, name: str) -> str | None:
    return name if (folder / name).is_file() else None


def _requirements(folder: Path, name: str | None) -> Sequence[str]:
    """The logical lines of a requirements file: a hash on the next line belongs to the last."""
    if name is None:
        return ()
    text = (folder / name).read_text().replace("\\\n", " ")
    lines = (" ".join(line.split()) for line in text.splitlines())
    return tuple(line for line in lines if line and not line.startswith("#"))


def _file_digests(folder: Path) -> list[tuple[str, str]]:
    """Names and contents of what goes into a build; neither times nor where the folder is."""
    files = (
        each
        for each in folder.rglob("*")
        if each.is_file()
        and "__pycache__" not in each.parts
        and each.name not in _NOT_BUILT_FROM
        and each.name != _RECIPE
    )
    return sorted(
        (str(each.relative_to(folder)), hashlib.sha256(each.read_bytes()).hexdigest())
        for each in files
    )
