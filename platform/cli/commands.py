"""Every command of `dormouse`. Loaded after Django is set up."""

from typing import Any

import typer
from typer.core import TyperGroup

from cli import credits, invoices, limits, operators, prices, registries, usage
from cli import secrets as model_secrets
from cli.logs import logs
from cli.printing import fail
from hosting.errors import HostingError


class _Group(TyperGroup):
    """Says in one line what a person can act on."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command; an operation's refusal is no traceback."""
        try:
            return super().invoke(ctx)
        except HostingError as error:
            raise fail(error.message) from error


app = typer.Typer(
    cls=_Group,
    help="Operate a Dormouse installation.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
_groups: dict[str, tuple[typer.Typer, str]] = {
    "usage": (usage.app, "The ledger of requests: figures, proof, months, spools."),
    "invoices": (invoices.app, "Invoices, credit notes and payments."),
    "credits": (credits.app, "Prepaid credits of a team."),
    "capacity": (limits.app, "Room for models: machines, teams' limits, who waits."),
    "secrets": (model_secrets.app, "The keys that secrets of models are sealed with."),
    "registries": (registries.app, "Logins to image registries."),
    "operators": (operators.app, "Who runs the installation."),
    "prices": (prices.app, "Plans and what they cost."),
}
for _name, (_app, _help) in _groups.items():
    app.add_typer(_app, name=_name, help=_help, no_args_is_help=True)
app.command("logs")(logs)
