"""`dormouse capacity`: what machines and teams have for models, what is held, who waits."""

import math
from typing import Annotated

import typer

from cli.printing import AsJson, show, table
from cli.teams import TeamName, find_team
from hosting.lifecycle import engine
from hosting.lifecycle.capacity import set_team_limit
from hosting.lifecycle.holdings import budgets_of, read_held, team_limit, waiting_models
from hosting.lifecycle.placing import Amount

app = typer.Typer()

_NAMES = ("memory MiB", "CPUs", "GPUs")


@app.command("show")
def show_capacity(as_json: AsJson = False) -> None:
    """Show each machine, what models hold of it, and the models that wait for room."""
    held, runtime = read_held(), engine.runtime()
    rooms = {
        name: (_plain(budget), _plain(held.by_node.get(name, Amount())))
        for name, budget in budgets_of(runtime.nodes()).items()
    }
    nodes = [{"node": name, "budget": most, "held": has} for name, (most, has) in rooms.items()]
    waiting = [
        {"model": each.subdomain, "since": each.state_changed_at, "reason": each.wait_reason}
        for each in waiting_models()
    ]
    rows = [[name, *_of(has, most)] for name, (most, has) in rooms.items()]
    words = table(rows, headings=("node", *_NAMES))
    words += "".join(f"\n{each['model']} waits: {each['reason']}" for each in waiting)
    warning = runtime.warning
    words += f"\n{warning}" if warning else ""
    shown = {"nodes": nodes, "waiting": waiting, "warning": warning}
    show(shown, as_json=as_json, words=words)


@app.command("limit")
def limit_team(
    team: TeamName,
    memory_mb: Annotated[int | None, typer.Option("--memory", help="MiB")] = None,
    cpus: float | None = None,
    gpus: int | None = None,
    clear: Annotated[
        bool, typer.Option("--clear", help="Back to the installation's default first.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Limit what a team's models may hold at once, or show the limit. Nothing is stopped for it."""
    found = find_team(team)
    set_team_limit(found.pk, memory_mb=memory_mb, cpus=cpus, gpus=gpus, clear=clear)
    limit = _plain(team_limit(found.pk))
    held = _plain(read_held().by_team.get(found.pk, Amount()))
    words = table([_of(held, limit)], headings=_NAMES)
    show({"team": found.name, "limit": limit, "held": held}, as_json=as_json, words=words)


def _plain(amount: Amount) -> dict[str, float | None]:
    """None where nothing limits it."""
    values = {"memory_mb": amount.memory_mb, "cpus": amount.cpus, "gpus": amount.gpus}
    return {name: None if value == math.inf else value for name, value in values.items()}


def _of(held: dict[str, float | None], most: dict[str, float | None]) -> list[str]:
    return [
        f"{value or 0:,g} of {'any' if (limit := most[name]) is None else f'{limit:,g}'}"
        for name, value in held.items()
    ]
