"""The log a launcher keeps of its server: two files that take turns, a line each for a line."""

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

from hosting.runtimes import launcher
from hosting.runtimes.base import Output, Stream

_LOOK_SECONDS = 0.2
_STREAMS = {b"o": Stream.OUT, b"e": Stream.ERR}


def lines(folder: Path, *, after: int, more: Callable[[], bool]) -> Iterator[Output]:
    """What is there since that time, and what comes while there may be `more`."""
    for line in _raw(folder, more):
        output = _parsed(line)
        if output is not None and output.at > after:
            after = output.at  # files that take turns while we open them may tell a line twice
            yield output


def _raw(folder: Path, more: Callable[[], bool]) -> Iterator[bytes]:
    """The older file, then the newer one to its end, then whatever comes after it."""
    path = folder / launcher.LOG
    file = _opened(path)
    old = _opened(folder / launcher.OLD_LOG)  # opened second: nothing can slip between the two
    if old is not None:
        with old:
            yield from old
    while file is not None:
        with file:
            yield from _to_its_end(file, path, more)
            turned = _has_turned(file, path)
        file = _opened(path) if turned else None


def _to_its_end(file: BinaryIO, path: Path, more: Callable[[], bool]) -> Iterator[bytes]:
    """Read until the other file's turn comes, or nobody writes any more."""
    begun = b""
    while True:
        over = not more() or _has_turned(file, path)  # asked before the last look
        while line := file.readline():
            begun += line
            if begun.endswith(b"\n"):
                yield begun
                begun = b""
        if over:
            return
        time.sleep(_LOOK_SECONDS)


def _opened(path: Path) -> BinaryIO | None:
    try:
        return path.open("rb")
    except FileNotFoundError:
        return None


def _has_turned(file: BinaryIO, path: Path) -> bool:
    """Whether the path is another file's by now; of a replica that was removed it is nobody's."""
    try:
        return path.stat().st_ino != os.fstat(file.fileno()).st_ino
    except FileNotFoundError:
        return True


def _parsed(line: bytes) -> Output | None:
    at, _, rest = line.partition(b" ")
    stream, _, text = rest.partition(b" ")
    if not at.isdigit() or stream not in _STREAMS:
        return None
    return Output(int(at), _STREAMS[stream], text.rstrip(b"\r\n").decode(errors="replace"))
