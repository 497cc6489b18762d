"""The command: `build-dataset recipe.yaml`."""

from __future__ import annotations

import shutil
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from .contract.address import without_secrets
from .contract.errors import Reason, RecipeError, ShotscribeError
from .contract.text import escaped
from .run.executors.streams import outlive_readers

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)


@app.command()
def build_dataset(
    recipe: Annotated[Path, typer.Argument(help="The recipe: a YAML file.", show_default=False)],
    check: Annotated[
        bool, typer.Option("--check", help="Prove the recipe and print the plan; no video is read, nothing is written.")
    ] = False,
    limit: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="A sample: only the first N rows of the sources, as a dataset of its own in <folder>-limit-N.",
            metavar="N",
        ),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="The dataset's folder; out/<name> if not given.", file_okay=False, metavar="DIR")
    ] = None,
    push: Annotated[bool, typer.Option("--push", help="Then publish the folder on the Hugging Face Hub.")] = False,
    retry: Annotated[
        list[Reason] | None, typer.Option(help="Try clips again that were rejected for this reason.", metavar="REASON")
    ] = None,
) -> None:
    """Turn raw video corpora into a captioned, deduplicated, streamable dataset.

    Stop it at any time and run the same command again: it goes on where it was.
    """
    try:
        if check:
            _check(recipe)
        else:
            _build(recipe, limit=limit, out=out, push=push, retry=retry or [])
    except ShotscribeError as error:
        typer.echo(f"error: {escaped(without_secrets(str(error)))}", err=True)
        raise typer.Exit(error.exit_code) from None
    except KeyboardInterrupt:
        typer.echo("stopped; run the same command again to go on from here", err=True)
        raise typer.Exit(1) from None


def _check(path: Path) -> None:
    from .recipe.plan import make_plan
    from .recipe.recipe import load

    width = min(shutil.get_terminal_size((100, 24)).columns, 120)
    typer.echo(make_plan(load(path)).describe(width=width, styled=sys.stdout.isatty()))


def _build(path: Path, *, limit: int | None, out: Path | None, push: bool, retry: list[Reason]) -> None:
    from .build import build, default_out
    from .progress import Progress, closing_table
    from .recipe.recipe import load
    from .store.outputs import output_of

    if asked := [reason for reason in retry if not reason.is_error]:
        raise RecipeError(
            f"--retry {asked[0]}: what the recipe asks for is decided anew at every run; change the option that "
            "rejects.parquet names in its column `option`, and run without --retry"
        )
    recipe = load(path)
    hub = recipe.publish.hub
    if push and hub is None:
        raise RecipeError(f"{path}: --push needs to know where to: add publish.hub.repo, as in hub: {{repo: me/name}}")
    if push and hub is not None:
        from .output.hub import check_repo

        check_repo(hub.repo, name=output_of(recipe.name, default_out(recipe), limit=limit).name)
    with Progress() as progress:
        built = build(path, out=out, limit=limit, retry=retry, progress=progress)
    if sys.stderr.isatty():
        typer.echo(err=True)  # between the stages and the funnel
    closing_table(built.record, seconds=progress.seconds())
    if built.reused:
        typer.echo("Already built: nothing had changed, nothing was done.")
    for line in _failed(path, built.out):
        typer.echo(line)
    shown = _shown(built.out)
    typer.echo(f"shards  {shown / 'data'}\ncard    {shown / 'README.md'}\nreport  {shown / 'report.html'}")
    if push and hub is not None:
        from huggingface_hub.utils import disable_progress_bars  # type: ignore[attr-defined]  # documented to be there

        from .output.generations import close_generation
        from .output.hub import push as push_folder

        if not sys.stderr.isatty():
            disable_progress_bars()  # a log gets our lines alone
        url = push_folder(
            built.out, repo=hub.repo, private=hub.private, on_progress=lambda line: typer.echo(line, err=True)
        )
        if recipe.publish.order == "shuffled":
            close_generation(output_of(recipe.name, out or default_out(recipe), limit=limit))
        typer.echo(f"hub     {url}")


def _failed(recipe: Path, out: Path) -> Iterator[str]:
    """What to do about clips that failed, where any did."""
    from .output.tables import failures

    failed = failures(out)
    if failed.kept:
        options = " ".join(f"--retry {reason}" for reason, _ in failed.kept.most_common())
        yield f"{_counted(failed.kept)}: to try these again, build-dataset {recipe} {options}"
    if failed.passing:
        yield f"{_counted(failed.passing)}: not the clips' own fault; the same command tries them again"


def _counted(reasons: Counter[str]) -> str:
    clips = "1 clip" if reasons.total() == 1 else f"{reasons.total():,} clips"
    return f"{clips} failed ({', '.join(f'{count:,} {reason}' for reason, count in reasons.most_common())})"


def _shown(folder: Path) -> Path:
    """Relative to where the user is, if it lies below."""
    return folder.relative_to(Path.cwd()) if folder.is_relative_to(Path.cwd()) else folder


def main() -> None:
    """The console script."""
    if sys.platform == "win32":
        sys.exit("error: Windows is not supported: a run's locks and processes are those of Linux and macOS; use WSL")
    outlive_readers()
    app()
