"""What commands print: words for people, or one JSON value for programs."""

import json
from collections.abc import Sequence
from typing import Annotated, Any

import typer

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]


def show(value: Any, *, as_json: bool, words: str) -> None:
    """Print the value as JSON, or the words."""
    typer.echo(json.dumps(value, indent=2, default=str) if as_json else words)


def table(rows: Sequence[Sequence[object]], *, headings: Sequence[str]) -> str:
    """Columns as wide as their widest cell."""
    cells = [list(headings), *[[str(cell) for cell in row] for row in rows]]
    widths = [max(len(row[column]) for row in cells) for column in range(len(headings))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in cells
    )


def fail(words: str) -> typer.Exit:
    """Say what is wrong; raise the result."""
    typer.echo(f"dormouse: {words}", err=True)
    return typer.Exit(1)
