"""`dormouse prices`: plans and what they cost."""

from datetime import UTC, datetime
from typing import Annotated

import typer
from django.utils import timezone

from cli.amounts import read_amount
from cli.printing import AsJson, fail, show, table
from hosting.billing import plans
from hosting.billing.models import Plan, PlanPrice
from hosting.billing.rating import Item

app = typer.Typer()


@app.command("list")
def list_prices(as_json: AsJson = False) -> None:
    """List all prices, past and future."""
    rows = [
        {
            "plan": each.plan.slug,
            "item": each.item,
            "model": each.model_id,
            "from": each.valid_from,
            "per": each.per,
            "free": each.free_units,
            "tiers": each.tiers,
        }
        for each in PlanPrice.objects.select_related("plan").order_by("plan", "item", "valid_from")
    ]
    headings = ("plan", "item", "model", "from", "per", "free", "tiers")
    words = table([[row[name] for name in headings] for row in rows], headings=headings)
    show(rows, as_json=as_json, words=words)


@app.command("set")
def set_price(
    plan: str,
    item: Item,
    price: str,
    valid_from: Annotated[
        datetime, typer.Option("--from", formats=["%Y-%m-%d", "%Y-%m-%dT%H:00"], help="UTC.")
    ],
    model_id: Annotated[int | None, typer.Option(help="For this hosted model only.")] = None,
    per: Annotated[int, typer.Option(help="Units the price is for.")] = 1,
    free: Annotated[int, typer.Option(help="Free units a month.")] = 0,
    successes_only: bool = False,
    as_json: AsJson = False,
) -> None:
    """Let a price come into force. Hours that began keep the price they had."""
    found = Plan.objects.filter(slug=plan).first()
    if found is None:
        raise fail(f"There is no plan “{plan}”. List them with: prices list")
    unit_price = read_amount(price, like="0.01")
    row = plans.set_price(
        found,
        item=item,
        tiers=[(None, unit_price)],
        valid_from=valid_from.replace(tzinfo=UTC),
        now=timezone.now(),
        model_id=model_id,
        per=per,
        free_units=free,
        successes_only=successes_only,
    )
    words = f"From {row.valid_from:%F %H:%M} UTC on, {item.value} costs {unit_price} per {per}."
    show({"id": row.pk}, as_json=as_json, words=words)
