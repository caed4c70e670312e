"""Start the command line: find the installation, let Django read it, run one command.

Beside `make up` nothing needs to be set; elsewhere DATABASE_URL and DORMOUSE_* say where.
"""

import os
import sys

import django

from supervisor.installation import Installation


def run() -> None:
    """Run the command in sys.argv and exit with its code."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    if "DATABASE_URL" not in os.environ:
        os.environ.update(Installation.read().remembered() or {})
    django.setup()
    from django.db import OperationalError, connections

    # For one command a pool only waits, and warns in the log, when PostgreSQL is away.
    connections.databases["default"]["OPTIONS"].pop("pool", None)

    from cli.commands import app

    try:
        app(prog_name="dormouse")
    except OperationalError as error:
        print(
            f"dormouse: PostgreSQL doesn't answer. Start it with: make up\n({error})",
            file=sys.stderr,
        )
        raise SystemExit(1) from error
