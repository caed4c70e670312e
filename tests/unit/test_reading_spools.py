"""Reading a spool while its router writes to it."""

import os
from pathlib import Path

import pytest

from hosting.metering import spools
from hosting.router.spool import Spool


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    return Spool(tmp_path, "test", segment_bytes=1 << 16)


def segment(spool: Spool) -> Path:
    return spools.segments(spool.directory)[-1]


def test_a_line_without_its_newline_is_left_for_later(spool: Spool):
    spool.append(b"whole\n")
    with segment(spool).open("r+b") as file:
        file.seek(6)
        file.write(b"half")
        file.flush()

        assert spools.whole_lines(file, offset=0) == b"whole\n"
        assert spools.whole_lines(file, offset=6) == b""


def test_a_line_that_is_stored_while_it_is_read_is_read_whole(
    spool: Spool, monkeypatch: pytest.MonkeyPatch
):
    spool.append(b"an earlier line\n")
    read = os.pread
    first = [True]

    def slow(handle: int, most: int, offset: int) -> bytes:
        """Passes over the place of a line, and meets its newline after it was stored."""
        if not first.pop():
            return read(handle, most, offset)
        first.append(False)
        before = read(handle, 20, offset)
        spool.append(b"one that is stored meanwhile\n")
        return before + read(handle, most - 20, offset + 20)

    monkeypatch.setattr(os, "pread", slow)
    with segment(spool).open("rb") as file:
        lines = spools.whole_lines(file, offset=0)

    assert lines == b"an earlier line\none that is stored meanwhile\n"
