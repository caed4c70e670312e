"""Files with a replica's secrets, in memory: on a tmpfs of the host, bound into its container.

In compose the worker is a container itself: it writes to a tmpfs volume, and the engine binds the
same folder from where it keeps that volume.
"""

import os
import secrets
import shutil
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from hosting.errors import ReplicaFailed

_SHARED_MEMORY = Path("/dev/shm")  # noqa: S108 - a folder of our own in it, closed to others


class SecretFiles:
    """A folder per replica that has any. Its parent is closed to everybody else on this host."""

    def __init__(self, folder: Path | None, *, installation: str) -> None:
        self._root = folder or _SHARED_MEMORY / f"{installation}-secrets"

    def write(self, name: str, files: Mapping[str, str], *, uid: int) -> Path:
        """Make the replica's folder, whole or not at all; one that is there stays as it is.

        Only root can give files away: then they are mode 0400 and the model's. Else they are
        readable to all, behind a parent that only we may enter: a bound folder needs no parent.
        """
        folder = self._root / name
        if folder.is_dir():
            return folder
        gives = os.geteuid() in (0, uid)
        partial = self._root / f".{name}.{secrets.token_hex(8)}"
        try:
            self._root.mkdir(mode=0o700, parents=True, exist_ok=True)
            partial.mkdir(mode=0o700)
            for file, value in files.items():
                _write(partial / file, value, mode=0o400 if gives else 0o444)
            if os.geteuid() == 0:
                for each in (*partial.iterdir(), partial):
                    os.chown(each, uid, uid)
            partial.chmod(0o500 if gives else 0o555)
            partial.rename(folder)
        except FileExistsError:
            _delete(partial)  # another worker was first
        except OSError as error:
            _delete(partial)
            raise ReplicaFailed(f"Its secrets can't be written to {self._root}: {error}") from error
        return folder

    def remove(self, name: str) -> None:
        """Forget the replica's. Gone already is success."""
        _delete(self._root / name)


def _write(file: Path, value: str, *, mode: int) -> None:
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as output:
        output.write(value)
        os.fchmod(descriptor, mode)


def _delete(folder: Path) -> None:
    if folder.is_dir():
        with suppress(FileNotFoundError):
            folder.chmod(0o700)
        shutil.rmtree(folder, ignore_errors=True)
