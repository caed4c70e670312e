"""`dormouse secrets`: the keys that models' secrets are sealed with."""

import typer

from cli.printing import AsJson, show
from hosting import sealing, secrets

app = typer.Typer()


@app.command("new-key")
def new_key() -> None:
    """Print a new key. Put it first in DORMOUSE_SECRETS_KEYS, a comma, then the old ones."""
    typer.echo(sealing.new_key())


@app.command()
def rotate(as_json: AsJson = False) -> None:
    """Seal every secret anew with the first key; then the other keys can be thrown away.

    Start web and lifecycle worker with the new key first, or they can't read what this writes.
    """
    count = secrets.reseal_all()
    show({"secrets": count}, as_json=as_json, words=f"{count:,} secrets are sealed anew.")
