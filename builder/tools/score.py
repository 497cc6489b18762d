"""`shotscribe score`: captions against references."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from ...captioners.score.files import Unusable
from ...captioners.score.score import LIKENESS, left_out, scored, table


def score(
    predictions: Annotated[Path, typer.Argument(help="The captions: a .jsonl or .parquet file.", show_default=False)],
    references: Annotated[Path, typer.Argument(help="What they should be, in the same form.", show_default=False)],
    column: Annotated[
        str | None, typer.Option(help="The column to score; structure if both have it, else caption.", metavar="NAME")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Write the scores there, as JSON.", dir_okay=False)] = None,
) -> None:
    """Score captions against references: accuracy by field, or likeness of text."""
    from rich.console import Console

    try:
        scores = scored(predictions, references, column=column)
    except Unusable as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(2) from None
    typer.echo(f"{scores['clips']} clips, column {scores['column']}\n")
    Console().print(table(scores))
    typer.echo(f"\n{LIKENESS}")
    for line in left_out(scores, predictions, references):
        typer.echo(line)
    if out is not None:
        try:
            out.write_text(json.dumps(scores, indent=2, ensure_ascii=False) + "\n", "utf-8")
        except OSError as error:
            typer.echo(f"error: {out}: {error.strerror}; name a file that can be written", err=True)
            raise typer.Exit(1) from None
