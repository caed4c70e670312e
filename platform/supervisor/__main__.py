"""The command line behind `make up`, `make down`, `make demo-reset` and `make manage`."""

import argparse
import os
import shutil
import sys

from hosting import disks
from supervisor import detach, embedded, up
from supervisor.errors import SetupFailed
from supervisor.installation import Installation
from supervisor.lock import Lock
from supervisor.programs import root


def main(arguments: list[str]) -> int:
    """Run one command; what a person can act on is one line on stderr."""
    try:
        return _run(_parse(arguments))
    except SetupFailed as error:
        print(f"dormouse: {error}", file=sys.stderr)
    except OSError as error:
        if not disks.is_full(error):
            raise
        print("dormouse: The disk is full. Free some space and start again.", file=sys.stderr)
    return 1


def _parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m supervisor")
    commands = parser.add_subparsers(dest="command", required=True)
    start = commands.add_parser("up", help="start everything and serve until stopped")
    start.add_argument("--detach", action="store_true", help="return once it serves")
    start.add_argument("--background", action="store_true", help=argparse.SUPPRESS)
    commands.add_parser("down", help="stop what `up` started")
    commands.add_parser("reset", help="delete the data and seed the demo again")
    manage = commands.add_parser("manage", help="run a Django command on the data of `up`")
    manage.add_argument("arguments", nargs=argparse.REMAINDER)
    return parser.parse_args(arguments)


def _run(options: argparse.Namespace) -> int:
    installation = Installation.read()
    if options.command == "down":
        return _down(installation)
    if options.command == "reset":
        return _reset(installation)
    if options.command == "manage":
        return _manage(installation, options.arguments)
    if options.detach:
        detach.detach(installation)
    else:
        up.up(installation, detached=options.background)
    return 0


def _down(installation: Installation) -> int:
    lock = Lock(installation.run / "lock")
    if installation.run.exists() and lock.holder() is not None:
        print("Stopping ...", flush=True)
        lock.end_holder()
        print("Dormouse is stopped.")
        return 0
    left = up.clean_up(installation)
    print("Dormouse was killed; what it left is stopped." if left else "Dormouse does not run.")
    return 0


def _reset(installation: Installation) -> int:
    if os.environ.get("DATABASE_URL") or os.environ.get("REDIS_URL"):
        raise SetupFailed("DATABASE_URL or REDIS_URL is set: empty your own servers yourself.")
    installation.prepare()
    ran = Lock(installation.run / "lock").end_holder()
    embedded.erase(installation.state)
    shutil.rmtree(installation.spool, ignore_errors=True)
    installation.demo_file.unlink(missing_ok=True)
    print("The data is deleted. The next `make up` seeds the demo again.")
    if ran:
        detach.detach(installation)
    return 0


def _manage(installation: Installation, arguments: list[str]) -> int:
    environment = installation.remembered()
    if environment is None:
        raise SetupFailed("Dormouse does not run. Start it with: make up")
    python = sys.executable
    argv = [python, str(root() / "manage.py"), *arguments]
    os.execve(python, argv, {**os.environ, **environment})  # noqa: S606 (our own command line)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
