"""`dormouse operators`: who runs the installation, and so sees and limits every team."""

import typer

from accounts import operations, queries
from cli.printing import AsJson, fail, show, table

app = typer.Typer()


@app.command("list")
def list_operators(as_json: AsJson = False) -> None:
    """List them."""
    found = [each.email for each in queries.operators()]
    words = table([[each] for each in found], headings=("operator",))
    show(found, as_json=as_json, words=words)


@app.command()
def add(email: str, as_json: AsJson = False) -> None:
    """Let somebody who has signed up run the installation."""
    _change(email, operator=True, as_json=as_json)


@app.command()
def remove(email: str, as_json: AsJson = False) -> None:
    """Take that away; what they do in their teams stays."""
    _change(email, operator=False, as_json=as_json)


def _change(email: str, *, operator: bool, as_json: bool) -> None:
    if not operations.appoint(email, operator=operator):
        raise fail(f"Nobody has signed up as {email}.")
    words = f"{email} is {'an' if operator else 'no'} operator{'' if operator else ' any more'}."
    show({"email": email, "operator": operator}, as_json=as_json, words=words)
