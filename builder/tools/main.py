"""The command: `shotscribe SUBCOMMAND`."""

from __future__ import annotations

import typer

from ..errors import ShotscribeError
from ..streams import outlive_readers
from .prune import prune

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None, no_args_is_help=True)
app.command()(prune)


@app.callback()
def shotscribe() -> None:
    """Look after datasets that `build-dataset` builds."""


def main() -> None:
    """The console script."""
    outlive_readers()
    try:
        app()
    except ShotscribeError as error:
        typer.echo(f"error: {error}", err=True)
        raise SystemExit(error.exit_code) from None
