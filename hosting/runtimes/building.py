"""Build folders: what a catalogue model is made of, put together on the host.

`<state_dir>/builds/<slug>/<fingerprint>/` holds the entry's files, its libraries in `lib/` and
whatever its build steps made. The process runtime starts servers from it, the docker runtime
copies it into an image, so an image build needs no network.
"""

import importlib.util
import json
import os
import shutil
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from hosting.errors import BuildFailed
from hosting.runtimes import locks
from hosting.runtimes.base import Progress, Recipe
from hosting.runtimes.launcher import write_json

PYTHON_VERSION = f"{sys.version_info.major}.{sys.version_info.minor}"
_CURRENT = "current.json"
_TAIL_LINES = 15
_NOT_SHIPPED = shutil.ignore_patterns("__pycache__", "*.pyc", "README*", "picture.*", "sample.json")


@dataclass(frozen=True, slots=True)
class Build:
    """One finished build folder."""

    slug: str
    fingerprint: str
    folder: Path
    arguments: tuple[str, ...]


class Builds:
    """The build folders of one installation."""

    def __init__(self, state_dir: Path, *, python_version: str = PYTHON_VERSION) -> None:
        self._python_version = python_version
        self._root = state_dir / "builds"
        self._cache = state_dir / "cache" / "pip"

    def find(self, recipe: Recipe) -> Build | None:
        """The folder of exactly this fingerprint, if it is finished."""
        folder = self._folder(recipe)
        if not folder.is_dir():
            return None
        return Build(recipe.slug, recipe.fingerprint, folder, tuple(recipe.arguments))

    def current(self, slug: str) -> Build | None:
        """What was asked for last, which is what starts now."""
        try:
            record = json.loads((self._root / slug / _CURRENT).read_text())
        except FileNotFoundError:
            return None
        folder = self._root / slug / record["folder"]
        if not folder.is_dir():
            return None
        return Build(slug, record["fingerprint"], folder, tuple(record["arguments"]))

    def is_current(self, recipe: Recipe) -> bool:
        """Whether what starts now is exactly this recipe."""
        build = self.current(recipe.slug)
        return build is not None and build.fingerprint == recipe.fingerprint

    def assemble(self, recipe: Recipe, *, progress: Progress, more_steps: int = 0) -> Build:
        """Make the folder, or take the one that is there. `more_steps`: the caller's own, after."""
        with locks.held(self._root / f".{recipe.slug}.lock"), _full_disk_explained(recipe.slug):
            build = self.find(recipe)
            if build is None:
                partial = self._root / recipe.slug / ".partial"
                shutil.rmtree(partial, ignore_errors=True)
                self._fill(partial, recipe, progress=progress, more_steps=more_steps)
                partial.rename(self._folder(recipe))  # whole or not at all
                build = Build(
                    recipe.slug,
                    recipe.fingerprint,
                    self._folder(recipe),
                    tuple(recipe.arguments),
                )
            record = {
                "folder": build.folder.name,
                "fingerprint": build.fingerprint,
                "arguments": build.arguments,
            }
            write_json(self._root / recipe.slug / _CURRENT, record)
            return build

    def _folder(self, recipe: Recipe) -> Path:
        # Compiled libraries fit one Python version only.
        return self._root / recipe.slug / f"{recipe.fingerprint}-python{self._python_version}"

    def _fill(self, folder: Path, recipe: Recipe, *, progress: Progress, more_steps: int) -> None:
        steps = 2 + bool(recipe.requirements) + len(recipe.build_steps) + more_steps
        progress(1, steps, "Copying the model's files")
        folder.parent.mkdir(parents=True, exist_ok=True)
        for source in (*recipe.include, recipe.folder):
            shutil.copytree(source, folder, ignore=_NOT_SHIPPED, dirs_exist_ok=True)
        step = 1
        if recipe.requirements:
            step += 1
            self._install(folder, recipe.requirements, step=step, steps=steps, progress=progress)
        environment = {
            "PATH": "/usr/local/bin:/usr/bin:/bin",
            "LANG": "C.UTF-8",
            "PYTHONPATH": str(folder / "lib"),
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONUNBUFFERED": "1",
        }
        for command in recipe.build_steps:
            step += 1
            progress(step, steps, f"Running {' '.join(command)}")
            arguments = [sys.executable if command[0] == "python" else command[0], *command[1:]]
            _run(arguments, folder=folder, environment=environment, what=recipe.slug)
        step += 1
        progress(step, steps, "Compiling to byte code")
        _compile(folder)

    def _install(
        self,
        folder: Path,
        requirements: Sequence[str],
        *,
        step: int,
        steps: int,
        progress: Progress,
    ) -> None:
        progress(step, steps, "Installing libraries")
        wanted = folder / "requirements.txt"
        wanted.write_text("".join(f"{line}\n" for line in requirements))
        arguments = [
            *_installer(),
            *("--target", str(folder / "lib"), "--no-deps", "--only-binary", ":all:"),
            *("--python-version", self._python_version, "-r", str(wanted)),
        ]
        environment = {**os.environ, "PIP_CACHE_DIR": str(self._cache), "PIP_NO_INPUT": "1"}

        def tell(line: str) -> None:
            verb, _, rest = line.strip().partition(" ")
            if verb in ("Collecting", "Downloading", "Installing"):
                progress(step, steps, f"{verb} {rest[:80]}")

        _run(arguments, folder=folder, environment=environment, what="libraries", tell=tell)


def _installer() -> list[str]:
    if importlib.util.find_spec("pip"):
        return [sys.executable, "-m", "pip", "install", "--no-compile"]
    if uv := shutil.which("uv"):
        return [uv, "pip", "install"]
    raise BuildFailed("pip isn't there to install libraries. Run make up again to set it up.")


def _run(
    arguments: Sequence[str],
    *,
    folder: Path,
    environment: Mapping[str, str],
    what: str,
    tell: Callable[[str], None] = lambda line: None,
) -> None:
    """Run to the end, telling each line as it comes; a failure ends with the last of them."""
    tail: deque[str] = deque(maxlen=_TAIL_LINES)
    with subprocess.Popen(
        arguments,
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            tail.append(line)
            tell(line)
    if process.returncode:
        raise BuildFailed(f"{what} could not be built:\n{''.join(tail).strip()}")


def _compile(folder: Path) -> None:
    """Cold starts read byte code; a read-only replica couldn't write it.

    Unchecked: nobody edits a build, and a copy into an image changes every timestamp. A library
    may carry files no Python reads, so a failure is not one.
    """
    subprocess.run(
        [
            *(sys.executable, "-m", "compileall", "-q", "--invalidation-mode", "unchecked-hash"),
            *("-s", str(folder), "-p", "/srv", str(folder)),
        ],
        capture_output=True,
        check=False,
    )


@contextmanager
def _full_disk_explained(slug: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise BuildFailed(f"{slug} could not be built: {error}") from error
