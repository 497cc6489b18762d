"""`shotscribe schema`: the JSON Schema of a recipe, for editors."""

from __future__ import annotations

import typer

from ..recipe.schema import text


def schema() -> None:
    """Print the JSON Schema of a recipe, which lets an editor complete and check one."""
    typer.echo(text(), nl=False)
