"""The command: `shotscribe SUBCOMMAND`."""

from __future__ import annotations

import typer

from ..contract.errors import ShotscribeError
from ..run.executors.streams import outlive_readers
from .prune import prune
from .schema import schema
from .score import score

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None, no_args_is_help=True)
for subcommand in (prune, schema, score):
    app.command()(subcommand)


@app.callback()
def shotscribe() -> None:
    """Everything but building: that is `build-dataset`."""


def main() -> None:
    """The console script."""
    outlive_readers()
    try:
        app()
    except ShotscribeError as error:
        typer.echo(f"error: {error}", err=True)
        raise SystemExit(error.exit_code) from None
