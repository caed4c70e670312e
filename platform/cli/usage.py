"""`dormouse usage`: figures, proof, months, spools."""

from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any
from uuid import UUID

import typer
from django.conf import settings
from django.utils import timezone

from cli.printing import AsJson, fail, show, table
from cli.teams import TeamName, find_team
from hosting.billing import books, proof
from hosting.billing import unconfirmed as open_ones
from hosting.errors import HostingError
from hosting.metering import partitions, rollups, statistics
from hosting.models import DirtyHour, HostedModel, SpoolSource, UnconfirmedRequest, UsageMinute

app = typer.Typer()
_MOST_LISTED = 1_000


@app.command()
def verify(
    since: Annotated[datetime | None, typer.Option(formats=["%Y-%m-%d"])] = None,
    until: Annotated[datetime | None, typer.Option(formats=["%Y-%m-%d"])] = None,
    spool: Annotated[Path | None, typer.Option(help="This host's spool.")] = None,
    as_json: AsJson = False,
) -> None:
    """Compare spool, ledger, rollups and invoices; name what differs. Exits 1 when something does.

    Looks at the last three days and all invoices unless --since says otherwise.
    """
    now = timezone.now()
    rollups.refresh()
    last = until.date() if until else now.date() + timedelta(days=1)
    first = since.date() if since else last - books.NIGHT - timedelta(days=1)
    outcome = proof.reconcile(
        since=first, until=last, spool=spool or settings.STATE_DIR / "spool", now=now
    )
    lines = [f"{each['kind']:9} {each['what']}" for each in outcome.findings]
    looked = (
        f"{outcome.records:,} records, {outcome.spool_lines:,} spool lines, "
        f"{outcome.invoices:,} invoices from {first} on"
    )
    verdict = f"{len(lines)} differences" if lines else "Reconciled: everything agrees"
    data = {
        "agrees": not lines,
        "since": first,
        "until": last,
        "records": outcome.records,
        "spool_lines": outcome.spool_lines,
        "invoices": outcome.invoices,
        "findings": outcome.findings,
    }
    show(data, as_json=as_json, words="\n".join([*lines, f"{verdict} ({looked})."]))
    if lines:
        raise typer.Exit(1)


@app.command("show")
def show_usage(
    team: TeamName,
    days: Annotated[int, typer.Option(min=1, max=366)] = 7,
    by: Annotated[str, typer.Option(help="model, status, token or revision")] = "model",
    as_json: AsJson = False,
) -> None:
    """Show a team's requests, errors and times."""
    if by not in statistics.DIMENSIONS:
        raise fail(f"Choose one of {', '.join(statistics.DIMENSIONS)}.")
    found = find_team(team)
    names = dict(HostedModel.objects.filter(team=found).values_list("pk", "subdomain"))
    until = timezone.now()
    rows = statistics.by(by, list(names), since=until - timedelta(days=days), until=until)
    labels = names if by == "model" else {}
    show(
        [{**asdict(row), "name": labels.get(row.key, str(row.key))} for row in rows],
        as_json=as_json,
        words=table(
            [
                (
                    labels.get(row.key, row.key),
                    f"{row.counted:,}",
                    f"{row.model_errors:,}",
                    f"{row.refused:,}",
                    *(f"{ms:.0f} ms" if ms is not None else "-" for ms in _times(row)),
                )
                for row in rows
            ],
            headings=(by, "billed", "model errors", "refused", "p50", "p95", "p99"),
        ),
    )


@app.command()
def rebuild(
    since: Annotated[datetime, typer.Option(formats=["%Y-%m-%d"])], as_json: AsJson = False
) -> None:
    """Make the rollups anew from the ledger, from a day on. Changes nothing that is right."""
    start = since.replace(tzinfo=UTC)
    minutes = UsageMinute.objects.filter(minute__gte=start).values_list("model_id", "minute")
    hours = {(model, minute.replace(minute=0)) for model, minute in minutes.distinct()}
    DirtyHour.objects.bulk_create(
        [DirtyHour(model_id=model, hour=hour) for model, hour in hours], ignore_conflicts=True
    )
    done = rollups.refresh()
    show({"hours": done}, as_json=as_json, words=f"{done:,} hours of models are made anew.")


@app.command("drop-month")
def drop_month(
    month: Annotated[datetime, typer.Argument(formats=["%Y-%m"])], as_json: AsJson = False
) -> None:
    """Drop the single requests of a closed month. Rollups and invoices stay."""
    try:
        count = partitions.drop(month.replace(tzinfo=UTC), now=timezone.now())
    except partitions.NotYet as error:
        raise fail(str(error)) from error
    show({"records": count}, as_json=as_json, words=f"{count:,} records are gone.")


@app.command()
def spools(as_json: AsJson = False) -> None:
    """List the routers' spools and until when the ledger has them."""
    rows = list(
        SpoolSource.objects.order_by("spool_id", "router").values(
            "spool_id", "router", "watermark", "retired_at"
        )
    )
    words = table([list(row.values()) for row in rows], headings=("spool", "router", "has", "gone"))
    show(rows, as_json=as_json, words=words)


@app.command("retire-spool")
def retire_spool(spool_id: UUID, as_json: AsJson = False) -> None:
    """Say that a host is gone for good: neither hours nor caps wait for its spool any more."""
    count = SpoolSource.objects.filter(spool_id=spool_id, retired_at=None).update(
        retired_at=timezone.now()
    )
    if not count:
        raise fail("There is no such spool that hours wait for. List them with: usage spools")
    show({"routers": count}, as_json=as_json, words="Nothing waits for it any more.")


@app.command()
def unconfirmed(team: Annotated[str, typer.Option()] = "", as_json: AsJson = False) -> None:
    """List requests that were written down just before their router was killed.

    They are billed; nobody knows whether their callers got the whole answer.
    """
    found = UnconfirmedRequest.objects.select_related("kill__source")
    if team:
        found = open_ones.of_team(find_team(team))
    rows = [
        {
            "id": each.request_id,
            "team": each.team_id,
            "model": each.model_id,
            "arrived_at": each.arrived_at,
            "router": each.kill.source.router,
            "found_at": each.kill.found_at,
            "at_most": each.kill.connections,
            "settled_at": each.settled_at,
            "refunded": each.refunded,
        }
        for each in found[:_MOST_LISTED]
    ]
    headings = ("request", "team", "model", "arrived", "router", "found", "cut off at most")
    words = table(
        [[*list(row.values())[:7], _settled(row)] for row in rows],
        headings=(*headings, "settled"),
    )
    show(rows, as_json=as_json, words=words if rows else "None. No router was killed mid-answer.")


@app.command()
def settle(
    request_id: UUID,
    refund: Annotated[bool, typer.Option("--refund/--keep", help="Give its price back?")],
    as_json: AsJson = False,
) -> None:
    """Settle an unconfirmed request: give its price back as credits, or let it stand. Once."""
    try:
        done = open_ones.settle(request_id, refund=refund, now=timezone.now())
    except HostingError as error:
        raise fail(error.message) from error
    words = f"{done.refunded} given back as credits." if refund else "It stands."
    show({"id": done.request_id, "refunded": done.refunded}, as_json=as_json, words=words)


def _settled(row: dict[str, Any]) -> str:
    if row["settled_at"] is None:
        return "open"
    return f"{row['refunded']} given back" if row["refunded"] else "stands"


def _times(row: statistics.Row) -> tuple[float | None, float | None, float | None]:
    return row.model.p50, row.model.p95, row.model.p99
