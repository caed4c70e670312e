"""Translate the router to machine code, for `hosting.router.compiled` to find.

Needs a C compiler and the header files of this Python; mypyc does the work. With `--if-possible`
a machine without them is left as it is: the router then runs as plain Python.
"""

import fcntl
import logging
import os
import shutil
import sys
import sysconfig
import tempfile
import warnings
from contextlib import chdir
from pathlib import Path

from hosting.router import compiled

_MYPY = ["--config-file=", "--ignore-missing-imports", "--follow-imports=silent", "--strict-bytes"]


def main() -> None:
    """Do it, unless it is done."""
    place = compiled.place()
    place.parent.mkdir(exist_ok=True)
    with (place.parent / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # two `make` at once compile once
        if not place.is_dir():
            _compile(place)


def _compile(place: Path) -> None:
    missing = _missing()
    if missing and "--if-possible" in sys.argv:
        sys.stdout.write(f"The router stays plain Python: {missing}\n")
        return
    if missing:
        sys.exit(f"dormouse: {missing} On Debian: apt-get install gcc libc6-dev python3-dev")
    sys.stderr.write("Compiling the router (once, about a minute) ...\n")
    with tempfile.TemporaryDirectory(prefix="compile-router-") as folder:
        _translate(Path(folder))
        _put(Path(folder) / "out", place)


def _missing() -> str:
    if shutil.which("cc") is None:
        return "There is no C compiler."
    if not (Path(sysconfig.get_paths()["include"]) / "Python.h").exists():
        return "The header files of this Python are not installed."
    return ""


def _translate(folder: Path) -> None:
    from mypyc.build import mypycify
    from setuptools import Distribution

    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)  # of setuptools, about things that are not so
    os.environ.setdefault("CC", "cc")
    paths = [str(path.relative_to(compiled.ROOT)) for path in compiled.sources()]
    with chdir(compiled.ROOT):
        modules = mypycify(
            [*_MYPY, f"--cache-dir={folder / 'cache'}", *paths],
            opt_level="3",
            debug_level="0",
            group_name="router",
            target_dir=str(folder / "c"),
        )
        work = Distribution({"name": "router", "ext_modules": modules}).get_command_obj("build_ext")
        work.build_lib, work.build_temp = str(folder / "out"), str(folder / "objects")
        work.ensure_finalized()
        work.run()


def _put(made: Path, place: Path) -> None:
    """Whole or not at all; what belongs to other sources goes."""
    draft = place.with_name(f"{place.name}.{os.getpid()}")
    shutil.copytree(made, draft)
    for other in place.parent.iterdir():
        if other.is_dir() and other != draft:
            shutil.rmtree(other, ignore_errors=True)
    draft.rename(place)


if __name__ == "__main__":
    main()
