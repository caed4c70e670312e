"""Images of the Docker engine: which one a reference means, pulling it, building our own."""

import os
import shutil
import subprocess
import time
from contextlib import suppress
from pathlib import Path

import requests
from docker.errors import APIError, DockerException, NotFound

from hosting.errors import BuildFailed, ReplicaFailed
from hosting.runtimes import locks
from hosting.runtimes.base import Login, Progress, Recipe
from hosting.runtimes.building import Build, Builds
from hosting.runtimes.engine import Engine, explanation, unavailable
from hosting.runtimes.images import catalogue_slug, registry_of

BASE_IMAGE = "dormouse/python:3.11"
BASE_PYTHON = "3.11"  # libraries are fetched for this version, whatever the worker runs on

_SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "build_base_image.sh"
_SLIM_PYTHON = ("python", "3.11-slim")
_TAIL_LINES = 15
_LET_IN_SECONDS = 600.0
_MOST_LET_IN = 1000


class DockerImages:
    """Catalogue images have their fingerprint as tag; the state folder says which is current."""

    def __init__(self, engine: Engine, *, state_dir: Path) -> None:
        self._engine = engine
        self._let_in: dict[tuple[str, Login | None], float] = {}
        self._naming = state_dir.absolute() / "builds" / ".naming.lock"
        self._builds = Builds(state_dir.absolute(), python_version=BASE_PYTHON)

    def resolve(self, image: str) -> str:
        """The engine's name for what a revision asks for."""
        slug = catalogue_slug(image)
        if slug is None:
            return image
        build = self._builds.current(slug)
        return _tag(slug, build.fingerprint if build else "latest")

    def pinned(self, image: str, *, login: Login | None = None, registry: str = "") -> str:
        """The image by digest, or by ID where it has none; fetched if it is not here.

        One image may have a digest in every registry it ever went to: an image of the catalogue is
        named by the one in `registry`, another by the one in its own.

        By its tag, each node of a cluster would ask a registry first, and take 20 s over it.
        """
        name = self.resolve(image)
        if not self._has(name):
            self.fetch(name, asked_for=image, login=login)
        inspected = self._engine.client.inspect_image(name)  # type: ignore[no-untyped-call]
        digests: list[str] = inspected.get("RepoDigests") or []
        slug = catalogue_slug(image)
        home = f"{registry}/{slug}@" if slug else f"{_without_tag(image)}@"
        there = [each for each in digests if each.startswith(home)]
        return str([inspected["Id"], *digests, *there][-1])

    def label(
        self, image: str, label: str, *, login: Login | None = None, private: bool = False
    ) -> str:
        """One of the image's labels, or an empty text; the image is fetched if it is not here."""
        name = self.resolve(image)
        if private:
            self.check_access(name, login=login)
        if not self._has(name):
            self.fetch(name, asked_for=image, login=login)
        inspected = self._engine.client.inspect_image(name)  # type: ignore[no-untyped-call]
        labels = (inspected.get("Config") or {}).get("Labels") or {}
        return str(labels.get(label, ""))

    def check_access(self, image: str, *, login: Login | None) -> None:
        """Ask the registry whether we may have an image that is here already; now and then.

        Whoever pulled it may have been another team, with another login.
        """
        key = (image, login)
        if self._let_in.get(key, 0) > time.monotonic():
            return
        try:
            self._engine.client.inspect_distribution(  # type: ignore[no-untyped-call]
                image, auth_config=_auth(login)
            )
        except APIError as error:
            raise ReplicaFailed(_pull_failed(image, explanation(error))) from error
        if len(self._let_in) > _MOST_LET_IN:
            self._let_in.clear()
        self._let_in[key] = time.monotonic() + _LET_IN_SECONDS

    def fetch(self, image: str, *, asked_for: str, login: Login | None = None) -> None:
        """Pull a missing image, or say what to do about it. May take minutes."""
        slug = catalogue_slug(asked_for)
        if slug is not None:
            raise ReplicaFailed(f"The catalogue model “{slug}” isn't built yet. Build it first.")
        if registry_of(image) is None:
            raise ReplicaFailed(
                f"The image “{image}” isn't on this machine. Build it here, or name the registry "
                "to pull it from, as in docker.io/library/name:tag."
            )
        try:
            lines = self._engine.client.pull(
                image, stream=True, decode=True, auth_config=_auth(login)
            )
            for line in lines:
                if "error" in line:
                    raise ReplicaFailed(_pull_failed(image, line["error"]))
        except APIError as error:
            raise ReplicaFailed(_pull_failed(image, explanation(error))) from error

    def is_built(self, recipe: Recipe) -> bool:
        """Whether the image of exactly this fingerprint is there and is the one that starts."""
        tag = _tag(recipe.slug, recipe.fingerprint)
        return self._builds.is_current(recipe) and self._has(tag)

    def is_pushed(self, recipe: Recipe, *, to: str) -> bool:
        """Whether the image of this fingerprint has a digest in that registry."""
        inspected = self._engine.client.inspect_image(_tag(recipe.slug, recipe.fingerprint))  # type: ignore[no-untyped-call]
        return any(each.startswith(f"{to}/") for each in inspected.get("RepoDigests") or ())

    def push(self, recipe: Recipe, *, to: str) -> None:
        """Put a catalogue image where the nodes of a cluster can pull it. Raises BuildFailed."""
        name = f"{to}/{recipe.slug}"
        client = self._engine.client
        try:
            client.tag(_tag(recipe.slug, recipe.fingerprint), name, tag=recipe.fingerprint)
            for line in client.push(name, tag=recipe.fingerprint, stream=True, decode=True):
                if "error" in line:
                    raise BuildFailed(f"{recipe.slug} could not be pushed to {to}: {line['error']}")
        except APIError as error:
            reason = explanation(error)
            raise BuildFailed(f"{recipe.slug} could not be pushed to {to}: {reason}") from error
        except (requests.RequestException, DockerException) as error:
            raise unavailable(error) from error

    def build(self, recipe: Recipe, *, progress: Progress) -> None:
        """Assemble the folder, make sure of the base, pack the image; once per fingerprint.

        Packed again, the same files make an image of another ID, without what the one before has:
        a digest in a registry, a copy on the nodes of a cluster.
        """
        last = [0, 0]

        def passed_on(step: int, steps: int, doing: str) -> None:
            last[:] = step, steps
            progress(step, steps, doing)

        build = self._builds.assemble(recipe, progress=passed_on, more_steps=2)
        step, steps = last[0], max(last[1], last[0] + 2)
        try:
            tag = _tag(recipe.slug, recipe.fingerprint)
            if not self._has(tag):
                progress(step + 1, steps, "Preparing the base image")
                base = self._base(recipe)
                progress(step + 2, steps, "Packing the image")
                self._name(self._pack(recipe, build, base), tag)
            # For a worker with a state folder of its own, as after a move.
            self._engine.client.tag(tag, f"dormouse/{recipe.slug}", tag="latest")
        except APIError as error:
            raise BuildFailed(f"{recipe.slug} could not be built: {explanation(error)}") from error
        except (requests.RequestException, DockerException) as error:
            raise unavailable(error) from error

    def _has(self, image: str) -> bool:
        try:
            self._engine.client.inspect_image(image)  # type: ignore[no-untyped-call]
        except NotFound:
            return False
        return True

    def _base(self, recipe: Recipe) -> str:
        """The base image, with the recipe's Debian packages where it has any."""
        base = f"{BASE_IMAGE}-{recipe.slug}" if recipe.packages else BASE_IMAGE
        if self._has(base):
            return base
        if os.geteuid() == 0 and shutil.which("apt-get") and shutil.which("docker"):
            _build_base(base, recipe)
        elif recipe.packages or not self._pull_base():
            raise BuildFailed(
                f"The base image {base} is missing. On the Docker host, as root, run: "
                f"{' '.join(['scripts/build_base_image.sh', base, *recipe.packages])}"
            )
        return base

    def _pull_base(self) -> bool:
        """Take the common Python image instead, where a registry can be reached."""
        try:
            repository, _, version = BASE_IMAGE.partition(":")
            self._engine.client.pull(*_SLIM_PYTHON)
            self._engine.client.tag(":".join(_SLIM_PYTHON), repository, tag=version)
        except (APIError, requests.RequestException):
            return False
        return True

    def _name(self, packed: str, tag: str) -> None:
        """Whoever packed the same meanwhile was first: their image has the name, and keeps it."""
        with locks.held(self._naming):  # the engine would give the name to both, one after another
            if not self._has(tag):
                repository, _, version = tag.rpartition(":")
                self._engine.client.tag(packed, repository, tag=version)
                return
        with suppress(APIError):  # the same one, or somebody runs it
            self._engine.client.remove_image(packed)

    def _pack(self, recipe: Recipe, build: Build, base: str) -> str:
        """The ID of the image, which has no name yet."""
        packed = ""
        said: list[str] = []
        lines = self._engine.client.build(
            path=str(build.folder),
            buildargs={"BASE": base},
            labels={"dormouse.catalogue": recipe.slug, "dormouse.fingerprint": recipe.fingerprint},
            rm=True,
            forcerm=True,
            network_mode="none",
            decode=True,
        )
        for line in lines:
            said.append(str(line.get("stream") or line.get("error") or ""))
            packed = line.get("aux", {}).get("ID", packed)
            if "error" in line:
                tail = "".join(said).splitlines()[-_TAIL_LINES:]
                raise BuildFailed(f"{recipe.slug} could not be built:\n" + "\n".join(tail))
        return packed


def _build_base(image: str, recipe: Recipe) -> None:
    made = subprocess.run(
        ["bash", str(_SCRIPT), image, *recipe.packages],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if made.returncode:
        tail = "\n".join(made.stdout.splitlines()[-_TAIL_LINES:])
        raise BuildFailed(f"The base image could not be built:\n{tail}")


def _without_tag(image: str) -> str:
    repository, _, tag = image.partition("@")[0].rpartition(":")
    return repository if repository and "/" not in tag else image.partition("@")[0]


def _tag(slug: str, fingerprint: str) -> str:
    return f"dormouse/{slug}:{fingerprint}"


def _pull_failed(image: str, reason: str) -> str:
    return f"“{image}” could not be pulled: {reason} Check the name, or pull it on the host."


def _auth(login: Login | None) -> dict[str, str]:
    """Empty rather than None: None would send what this host's own user is logged in with."""
    return {"username": login.username, "password": login.password} if login else {}
