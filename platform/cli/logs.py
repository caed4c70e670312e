"""`dormouse logs`: what a model's containers wrote."""

import json
import time
from collections.abc import Iterable
from datetime import datetime
from typing import Annotated

import typer

from cli.printing import AsJson, fail
from hosting.logs import reading
from hosting.models import HostedModel, LogLine
from hosting.models.log import LogStream

_LOOK_SECONDS = 0.5


def logs(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The model's subdomain.")],
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until Ctrl-C.")] = False,
    count: Annotated[int, typer.Option("--lines", "-n", min=0, help="How many at first.")] = 100,
    replica: Annotated[int | None, typer.Option(help="Only this replica, by number.")] = None,
    stream: Annotated[str, typer.Option(help="stdout, stderr or note")] = "",
    since: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m-%dT%H:%M:%S%z"], help="2026-06-01T12:00:00Z")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Print a model's log: each line with its time, replica and stream."""
    model = HostedModel.objects.filter(subdomain=name, deleted_at=None).first()
    if model is None:
        raise fail(f"There is no model called “{name}”.")
    if stream and stream not in LogStream.values:
        raise fail(f"Choose one of {', '.join(LogStream.values)}.")
    found = reading.lines(model, reading.Filter(replica=replica, stream=stream, since=since))
    shown = reading.last(found, count=count)
    newest = shown[-1] if shown else found.last()
    _print(shown, as_json=as_json)
    after = newest.pk if newest else 0
    while follow:
        for line in found.filter(pk__gt=after):
            after = line.pk
            _print([line], as_json=as_json)
        time.sleep(_LOOK_SECONDS)


def _print(lines: Iterable[LogLine], *, as_json: bool) -> None:
    for line in lines:
        moment = line.at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
        if as_json:
            said = {"id": line.pk, "at": moment, "replica": line.replica_id}
            typer.echo(json.dumps({**said, "stream": line.stream, "text": line.text}))
        else:
            typer.echo(f"{moment} r{line.replica_id} {line.stream:6} {line.text}")
