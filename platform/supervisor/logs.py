"""Keeping the log folder small: each file has one predecessor, and both have a limit."""

import shutil
from pathlib import Path

MOST_BYTES = 20 << 20


def trim(folder: Path, *, most_bytes: int = MOST_BYTES) -> None:
    """Move what a file holds beyond the limit to `<name>.1`, which it replaces.

    The writers keep the file open, so it is copied and emptied in place. They append, so they go on
    at its new end; a line written between copy and emptying is lost.
    """
    for log in folder.glob("*.log"):
        if log.stat().st_size > most_bytes:
            shutil.copyfile(log, log.with_name(log.name + ".1"))
            with log.open("r+b") as file:
                file.truncate()
