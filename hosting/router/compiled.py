"""The router as machine code where it has been compiled, else as plain Python: the same either way.

`make compile` translates the modules of this package with mypyc and puts what comes out under
`.compiled/`, in a folder named after the sources and the machine they were translated for. Change a
line, and that folder is not looked at any more: what is served is always what the sources say.
"""

import hashlib
import os
import platform
import sys
from pathlib import Path

import hosting.router

OFF = "DORMOUSE_PLAIN_ROUTER"  # set it, and plain Python is run even where there is machine code
HERE = Path(__file__).parent
ROOT = HERE.parents[1]
# What only starts processes, and what runs before there is a choice.
_PLAIN = frozenset({"__init__.py", "__main__.py", "command.py", "compiled.py", "supervisor.py"})


def sources() -> list[Path]:
    """The modules that are translated, all together or none."""
    return sorted(path for path in HERE.glob("*.py") if path.name not in _PLAIN)


def place() -> Path:
    """The folder that holds the machine code of these very sources for this very Python."""
    digest = hashlib.sha256()
    for path in sources():
        digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    libc = "-".join(platform.libc_ver())
    machine = f"{sys.implementation.cache_tag}-{platform.machine()}-{libc}"
    return ROOT / ".compiled" / f"{digest.hexdigest()[:16]}-{machine}"


def use() -> bool:
    """Have the machine code imported from here on; False when there is none or it isn't wanted."""
    folder = place()
    if os.environ.get(OFF) or not folder.is_dir():
        return False
    sys.path.append(str(folder))  # what the modules share
    hosting.router.__path__.insert(0, str(folder / "hosting" / "router"))
    return True


def in_use() -> bool:
    """Whether this process runs machine code."""
    return hosting.router.__path__[0] != str(HERE)
