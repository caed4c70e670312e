"""`dormouse registries`: logins to image registries, a team's or the installation's."""

from typing import Annotated

import typer
from django.utils import timezone

from cli.printing import AsJson, fail, show, table
from cli.teams import find_team
from hosting import registries

app = typer.Typer()

OfTeam = Annotated[
    str, typer.Option("--team", help="Name or number of the team; empty: the installation's.")
]


@app.command("list")
def list_logins(team: OfTeam = "", as_json: AsJson = False) -> None:
    """List the logins. Passwords are not shown."""
    rows = [
        {"host": each.host, "username": each.username, "changed_at": each.changed_at}
        for each in registries.logins(find_team(team) if team else None)
    ]
    words = table([list(row.values()) for row in rows], headings=("host", "username", "changed"))
    show(rows, as_json=as_json, words=words)


@app.command()
def login(
    host: str,
    username: str,
    team: OfTeam = "",
    password: Annotated[
        str, typer.Option(prompt=True, hide_input=True, help="Asked for when it is not given.")
    ] = "",
    as_json: AsJson = False,
) -> None:
    """Set the name and password that images of this host are pulled with."""
    owner = find_team(team) if team else None
    now = timezone.now()
    registries.log_in(host, team=owner, username=username, password=password, now=now)
    show({"host": host, "username": username}, as_json=as_json, words=f"{username}@{host} is set.")


@app.command()
def logout(host: str, team: OfTeam = "", as_json: AsJson = False) -> None:
    """Forget the login."""
    if not registries.log_out(host, team=find_team(team) if team else None):
        raise fail(f"There is no login to {host}.")
    show({"host": host}, as_json=as_json, words=f"The login to {host} is forgotten.")
