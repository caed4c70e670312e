"""`dormouse credits`: what a team has, and how it gets more."""

from datetime import UTC, datetime
from typing import Annotated
from uuid import uuid4

import typer
from django.utils import timezone

from cli.amounts import read_amount
from cli.printing import AsJson, fail, show, table
from cli.teams import TeamName, find_team
from hosting.billing import budgets, credits, purchases
from hosting.billing.models import EntryKind
from hosting.errors import HostingError

app = typer.Typer()


@app.command("show")
def show_credits(team: TeamName, as_json: AsJson = False) -> None:
    """Show a team's balance and its last movements."""
    found = find_team(team)
    rows = [
        {"at": each.at, "kind": each.kind, "amount": each.amount, "memo": each.memo}  # type: ignore[attr-defined]
        for each in credits.entries(found)
    ]
    words = table([list(row.values()) for row in rows], headings=("at", "kind", "amount", "memo"))
    balance = credits.balance(found)
    show(
        {"balance": balance, "entries": rows}, as_json=as_json, words=f"{words}\nBalance {balance}"
    )


@app.command()
def grant(
    team: TeamName,
    amount: str,
    expires: Annotated[datetime | None, typer.Option(formats=["%Y-%m-%d"])] = None,
    purchase: Annotated[str, typer.Option(help="Reference of a payment: bought, not given.")] = "",
    as_json: AsJson = False,
) -> None:
    """Give a team credits, or note a purchase. What was stopped for lack of them answers again."""
    found = find_team(team)
    now = timezone.now()
    is_new = credits.add(
        found,
        read_amount(amount),
        kind=EntryKind.PURCHASE if purchase else EntryKind.GRANT,
        key=f"manual:{purchase}" if purchase else f"grant:{uuid4()}",
        now=now,
        memo=f"Payment {purchase}" if purchase else "Granted",
        expires_at=expires.replace(tzinfo=UTC) if expires else None,
    )
    budgets.renew(found, now=now)
    balance = credits.balance(found)
    words = (
        f"Balance {balance}." if is_new else f"That payment was noted before. Balance {balance}."
    )
    show({"added": is_new, "balance": balance}, as_json=as_json, words=words)


@app.command()
def confirm(reference: str, as_json: AsJson = False) -> None:
    """Say that a payment has come in. Its credits are added once, however often you say so."""
    try:
        purchase = purchases.confirm(reference, now=timezone.now())
    except HostingError as error:
        raise fail(error.message) from error
    balance = credits.balance(purchase.team)
    said = {"reference": reference, "team": purchase.team.name, "balance": balance}
    words = f"{purchase.team.name} paid {purchase.amount} {purchase.currency}: balance {balance}"
    show(said, as_json=as_json, words=words)
