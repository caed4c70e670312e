"""Teams by name or number."""

from typing import Annotated

import typer

from accounts.models import Team
from cli.printing import fail

TeamName = Annotated[str, typer.Argument(metavar="TEAM", help="Name or number of the team.")]


def find_team(name: str) -> Team:
    """The one team of this name or number; says so when there is none, or more than one."""
    found = list(Team.objects.filter(name=name)[:2])
    if not found and name.isascii() and name.isdigit():
        found = list(Team.objects.filter(pk=int(name)))
    if len(found) != 1:
        words = "several teams" if found else "no team"
        raise fail(f"There is {words} called “{name}”. Give its number.")
    return found[0]
