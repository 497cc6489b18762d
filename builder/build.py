"""A recipe to a dataset in a folder: the whole run, start to end."""

from __future__ import annotations

import json
import os
import shutil
from collections import Counter
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from ..cards.record import BuildRecord
from .contract.clip import Row
from .contract.errors import RunError, StepError
from .contract.identity import Json
from .output.finished import build_digest, finished_record, mark_begun, mark_finished
from .output.publish import publish, rejected, write_pages
from .output.record import build_record
from .output.samples import make_samples
from .output.tables import failures, write_rejects
from .output.verify import verify_captions
from .recipe.plan import Plan, make_plan
from .recipe.recipe import Recipe, load
from .run.checks import check_engines, check_installed, check_licenses
from .run.download import Downloads
from .run.executors.engines import Engines
from .run.executors.local import LocalExecutor
from .run.executors.process import EngineHost
from .run.ingest import ingest
from .run.stages import run_stages
from .run.state import Outcome, Progress, Settings
from .store.arrow import read_table
from .store.clips import ClipTable
from .store.files import clear_halves, locked, unwritable, write_text
from .store.outputs import Output, check_format, output_of
from .store.seal import damaged, read_state, write_state

_NAMED = 3  # damaged files that are named


@dataclass(frozen=True, slots=True)
class Built:
    """A finished dataset: its folder, its build record, and whether there was nothing left to do."""

    out: Path
    record: BuildRecord
    reused: bool


def default_out(recipe: Recipe) -> Path:
    """Where a recipe builds unless told otherwise."""
    return Path("out") / recipe.name


def build(
    recipe_path: Path,
    *,
    out: Path | None = None,
    limit: int | None = None,
    retry: Collection[str] = (),
    progress: Progress,
) -> Built:
    """Build the recipe's dataset, or finish or update the one that is there.

    `limit`: only the first so many rows of the sources, as a dataset of its own beside the whole one. `retry`: reasons
    whose clips are tried once more. Raises RecipeError before anything is written, RunError when the run cannot go on.
    """
    recipe = load(recipe_path)
    plan = make_plan(recipe)
    output = output_of(recipe.name, out or default_out(recipe), limit=limit)
    folder, work = output.folder, output.work
    output.check_foreign()
    with locked(work), _disk_errors(folder, work), _logged(work / "logs"):
        check_format(work)
        output.claim()
        listed = output.state("clips")
        clear_halves([folder, folder / "metadata", folder / "assets", work, listed, *(work / "values").glob("*")])
        listing = progress.stage("sources", total=None)

        def on_row(row: Row) -> None:
            listing.advance(kept="reason" not in row, rejected={row["reason"]: 1} if "reason" in row else None)

        clips = ingest(
            recipe.sources,
            folder=listed,
            media_folder=work / "media",
            piece_rows=_piece_rows(work, recipe),
            limit=limit,
            on_row=on_row,
        )
        listing.finish()
        for source, remarks in clips.remarks.items():
            for remark in remarks:
                progress.say(f"{source}: {remark}")
        _tell_damage(progress)
        check_licenses(recipe, clips)
        digest = build_digest(recipe, plan, clips)
        if not retry and (record := finished_record(output, digest)) is not None:
            return Built(folder, record, reused=True)
        if clips.rows == 0:
            raise _nothing(work, recipe, Outcome([], clips.reject_tables))
        check_installed(plan)
        check_engines(recipe)
        if (fewer := _fewer(folder, clips)) is not None:
            progress.say(fewer)
        mark_begun(output, plan, clips)
        try:
            record = _run(recipe, plan, clips, output=output, retry=retry, progress=progress)
        finally:
            _tell_damage(progress)
        for leftover in ("scratch", "filling/map"):
            shutil.rmtree(work / leftover, ignore_errors=True)
        for folder_of_logs in ("filling/journal", "filling"):
            with suppress(OSError):  # of clips beyond this run there may be logs: they stay
                (work / folder_of_logs).rmdir()
        mark_finished(output, digest, record, passing=failures(folder).passing.total())
    return Built(folder, record, reused=False)


def _run(
    recipe: Recipe, plan: Plan, clips: ClipTable, *, output: Output, retry: Collection[str], progress: Progress
) -> BuildRecord:
    folder, work, media_folder = output.folder, output.work, output.work / "media"
    outcome = Outcome(clips.tables, clips.reject_tables, clips.rows)
    decoders = _decoders(work, recipe)
    host = EngineHost(
        recipe.engines,
        limits=recipe.decode,
        media_folder=media_folder,
        workers=_workers(recipe),
        gpus=recipe.run.gpus,
        logs=work / "logs",
        on_news=progress.say,
    )
    with (
        LocalExecutor(_workers(recipe)) as executor,
        Engines(host) as engines,
        Downloads(
            media_folder,
            executor=executor,
            limits=recipe.decode,
            progress=progress,
            connections=recipe.run.connections,
            connections_per_host=recipe.run.connections_per_host,
        ) as downloads,
    ):
        settings = Settings(
            work, downloads, executor, engines, recipe.decode, recipe.run.max_reject_rate, retry, progress
        )
        try:
            run_stages(outcome, plan.stages, settings=settings, listed=clips.rows + clips.rejected)
        except RunError:
            _write_rejects(work, outcome)
            raise
        if outcome.rows == 0:
            raise _nothing(work, recipe, outcome)
        verified = verify_captions(
            outcome, recipe=recipe, plan=plan, media_folder=media_folder, executor=executor, decoders=decoders
        )
        if verified["other_pixels"]:
            progress.say(
                f"captions stand that were made from other pixels than {decoders[-1]} decodes, as of "
                f"{verified['other_pixels']} clips looked at: frames came from {', '.join(decoders[:-1])}, too"
            )
        packing = progress.stage("publish", total=outcome.rows)
        shards, metadata, failed = publish(
            outcome,
            recipe=recipe,
            plan=plan,
            output=output,
            downloads=downloads,
            executor=executor,
            on_packed=lambda rows: packing.advance(kept=rows),
        )
        packing.advance(kept=-len(failed), rejected=Counter(str(why.reason) for why in failed.values()))
        packing.finish()
        pages = progress.stage("card", total=None)
        samples = make_samples(
            outcome, recipe=recipe, plan=plan, failed=failed, out=folder, downloads=downloads, executor=executor
        )
    pages.advance(kept=len(samples))
    record = build_record(
        recipe,
        plan,
        name=output.name,
        clips=clips,
        outcome=outcome,
        failed=failed,
        shards=shards,
        files=[*metadata, "rejects.parquet"],
        samples=samples,
        verified=verified,
        out=folder,
    )
    write_pages(record, folder)
    pages.finish()
    return record


def _fewer(folder: Path, clips: ClipTable) -> str | None:
    """A word where the sources list less than the dataset in the folder was built from: perhaps nobody meant it."""
    try:
        sources = json.loads((folder / "build.json").read_text("utf-8"))["sources"]
    except (FileNotFoundError, ValueError, KeyError):  # not there, or damaged: it is written anew
        return None
    before = sum(source["clips"] + sum(source["rejected"].values()) for source in sources)
    now = clips.rows + clips.rejected
    if now >= before:
        return None
    return (
        f"the sources list {now:,} rows; for the dataset that is there they listed {before:,}. "
        "What was made of the others is kept: is a disk not mounted, a table cut short?"
    )


def _workers(recipe: Recipe) -> int:
    return _cores() if recipe.run.workers == "auto" else recipe.run.workers


def _cores() -> int:
    """The cores that this process may use; those of the machine where the system does not tell (macOS)."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _piece_rows(work: Path, recipe: Recipe) -> int:
    """The size of pieces in this folder: the first run settles it, or what is stored would be lost with a change."""
    settled = work / "piece_rows.json"
    if read_state(settled) is None:
        write_state(settled, recipe.run.piece_rows)
    return int(read_state(settled))


def _decoders(work: Path, recipe: Recipe) -> list[str]:
    """The releases that decoded for this state, this one last."""
    package = {"pyav": "av", "decord": "decord2"}[recipe.decode.decoder]
    now = f"{package} {version(package)}"
    before = read_state(work / "decoders.json") or []
    decoders = [*(name for name in before if name != now), now]
    if decoders != before:
        write_state(work / "decoders.json", decoders)
    return decoders


def _tell_damage(progress: Progress) -> None:
    if paths := damaged():
        names = ", ".join(f"{path.parent.name}/{path.name}" for path in paths[:_NAMED])
        more = f" and {len(paths) - _NAMED} more" if len(paths) > _NAMED else ""
        progress.say(f"state that was damaged is made again: {names}{more}")


def _write_rejects(work: Path, outcome: Outcome) -> Path:
    path = work / "rejects.parquet"
    write_rejects(rejected(outcome, {}), path=path)
    return path


def _nothing(work: Path, recipe: Recipe, outcome: Outcome) -> RunError:
    """Every clip was rejected: no dataset is better than an empty one."""
    path = _write_rejects(work, outcome)
    counts: Counter[tuple[str, str]] = Counter()
    example: Json | None = None
    for rejects in outcome.rejects:
        for row in read_table(rejects).select(["step", "option", "reason", "source_id", "detail"]).to_pylist():
            by = f"{row['step']}.{row['option']}" if row["option"] else row["step"]
            counts[by, row["reason"]] += 1
            example = example or row
    if example is None:
        return RunError(
            f"{recipe.name}: there are no clips in the sources of the recipe: look at their paths and tables"
        )
    reasons = ", ".join(f"{count} by {by} ({reason})" for (by, reason), count in sorted(counts.items()))
    return RunError(
        f"{recipe.name}: every clip was rejected: {reasons}; the first, {example['source_id']}: {example['detail']}. "
        f"Nothing is published; {path} names each clip: "
        "loosen the options that dropped them, or mend the files, and run the same command again; "
        "what an address or an engine was at fault for is tried again with --retry REASON"
    )


@contextmanager
def _logged(logs: Path) -> Iterator[None]:
    """The stack of a step's bug goes where its message says."""
    try:
        yield
    except StepError as error:
        logs.mkdir(parents=True, exist_ok=True)
        write_text(logs / error.log_name, error.stack)
        raise


@contextmanager
def _disk_errors(*folders: Path) -> Iterator[None]:
    """A full disk or a read-only folder is no bug of ours: say where and what to do."""
    try:
        yield
    except OSError as error:
        place = Path(os.fsdecode(error.filename or folders[0]))
        if not any(place.is_relative_to(folder) for folder in folders):  # a file of the corpus, which is only read
            raise RunError(f"{place}: {error.strerror}; mend that and run the same command again") from error
        raise unwritable(place, error) from error
