"""Teams by name or number."""

from typing import Annotated

import typer

from accounts.models import Team
from cli.printing import fail

TeamName = Annotated[str, typer.Argument(metavar="TEAM", help="Name or number of the team.")]


def find_team(name: str) -> Team:
    """The one team of this name or number; says so when there is none, or more than one."""
    found = list(Team.objects.filter(name=name)[:10])
    if not found and name.isascii() and name.isdigit():
        found = list(Team.objects.filter(pk=int(name)))
    if not found:
        known = ", ".join(f"{each.pk} ({each.name})" for each in Team.objects.order_by("pk")[:10])
        raise fail(f"There is no team “{name}”. There are: {known or 'none yet'}.")
    if len(found) > 1:
        numbers = " or ".join(str(each.pk) for each in found)
        raise fail(f"Several teams are called “{name}”. Give a number: {numbers}.")
    return found[0]
