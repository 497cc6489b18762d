"""Whether captions sit on the clips that they were made from; one that does not ends the run.

Every caption is stored with a hash that binds it to its clip, to what was asked and to its words: all of them are
checked. It is stored with the hashes of the frames that its model saw and of its prompt too: of some clips both are
made again, from the clip that it is about to be published with and from the recipe.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path

from ...cards.record import Verified
from ..contract.captions import info_places, is_bound
from ..contract.clip import Row
from ..contract.columns import stored_by
from ..contract.errors import ClipError, RunError
from ..contract.executor import Executor
from ..contract.frames import Sampling
from ..contract.identity import text_hash
from ..contract.limits import Decode
from ..contract.locations import media_of
from ..contract.step import ClipStep
from ..contract.urls import is_url
from ..media.local import check_unchanged, media_file
from ..recipe.plan import Plan, PlannedStep
from ..recipe.recipe import Recipe
from ..run.executors.work import decoded
from ..run.state import Outcome
from ..store.arrow import read_table
from ..store.values import value_store
from .samples import spread

Infos = Sequence[Row]
"""How captions were made: structs of the fields of a column `..._info`."""


@dataclass(frozen=True, slots=True)
class _Check:
    """The captions that a step made of a clip, by column; `frames` are on their way, where a model saw any."""

    clip_id: str
    planned: PlannedStep
    captions: Sequence[tuple[str, Infos]]
    prompts: frozenset[str]
    frames: Future[frozenset[str]] | None


def verify_captions(
    outcome: Outcome, *, recipe: Recipe, plan: Plan, media_folder: Path, executor: Executor, decoders: Sequence[str]
) -> Verified:
    """Check all captions by their hashes, and up to a dozen clips from all over the dataset by their frames; how many
    clips and captions these were.

    `decoders`: the releases that frames came from since the state was begun. A clip whose frames cannot be decoded
    again (its media is gone, or has changed) is not counted; nor is one of other frames than its captions', where
    another release may have given those: such captions stand. Raises RunError for a caption that was made for another
    clip or is not as it was made, one that was made from other frames than its clip's, or with a prompt that its step
    does not have.
    """
    for planned in _captioning(plan):
        _check_hashes(outcome, planned)
    checks = list(_checks(outcome, recipe=recipe, plan=plan, media_folder=media_folder, executor=executor))
    clips, captions, other_pixels = set[str](), 0, set[str]()
    for check in checks:
        try:
            frames = check.frames.result() if check.frames else frozenset[str]()
        except ClipError:
            continue
        for column, infos in check.captions:
            if (wrong := _strange_prompt(infos, check.prompts)) is not None:
                raise _misplaced(check.clip_id, check.planned, column, wrong)
            if (wrong := _strange_frames(infos, frames)) is None:
                captions += len(infos)
                clips.add(check.clip_id)
            elif len(decoders) > 1:
                other_pixels.add(check.clip_id)
            else:
                raise _misplaced(check.clip_id, check.planned, column, wrong)
    return {"clips": len(clips - other_pixels), "captions": captions, "other_pixels": len(other_pixels)}


def _captioning(plan: Plan) -> list[PlannedStep]:
    """The steps whose captions say how they were made."""
    planned = (planned for stage in plan.stages for planned in stage.steps)
    return [one for one in planned if isinstance(one.step, ClipStep) and info_places(stored_by(one.step))]


def _check_hashes(outcome: Outcome, planned: PlannedStep) -> None:
    columns = stored_by(planned.step)
    places = info_places(columns)
    names = sorted({name for place in places for name in (place.column, *place.captions)})
    for path in outcome.tables if places else ():
        for row in read_table(path).select(["clip_id", *names]).to_pylist():
            for place in places:
                if not all(is_bound(row["clip_id"], info, caption) for info, caption in place.about(row)):
                    why = "the hash that it was stored with is not of this clip and these words"
                    raise _misplaced(row["clip_id"], planned, ", ".join(place.captions), why)


def _checks(
    outcome: Outcome, *, recipe: Recipe, plan: Plan, media_folder: Path, executor: Executor
) -> Iterator[_Check]:
    captioning = [
        (planned, planned.step, frozenset(map(text_hash, planned.step.prompts().values())))
        for planned in _captioning(plan)
        if isinstance(planned.step, ClipStep)
    ]
    for row in spread(outcome, {}) if captioning else []:
        for planned, step, prompts in captioning:
            captions = [
                (", ".join(place.captions), infos) for place in info_places(stored_by(step)) if (infos := place.of(row))
            ]
            if not captions:
                continue
            frames = None
            if any(info["frames"] for _, infos in captions for info in infos):
                frames = executor.submit(
                    frame_hashes,
                    {name: row[name] for name in ("media", "media_stat", "start", "end", "interlaced")},
                    step.samplings(row),
                    limits=recipe.decode,
                    media_folder=media_folder,
                    timeout_s=recipe.decode.timeout_s,
                )
            yield _Check(row["clip_id"], planned, captions, prompts, frames)


def frame_hashes(row: Row, samplings: Sequence[Sampling], *, limits: Decode, media_folder: Path) -> frozenset[str]:
    """The hashes of a clip's frames. Runs in a worker process.

    Raises ClipError where they cannot be decoded again, or the file is not the one that was captioned; nothing is
    fetched.
    """
    media = row["media"]
    check_unchanged(media_of(media_file(media, media_folder)), "" if is_url(media) else row["media_stat"])
    found = decoded(row, samplings, limits=limits, media_folder=media_folder)
    return frozenset(name for frames in found.values() for name in frames.hashes)


def _strange_prompt(infos: Infos, prompts: Collection[str]) -> str | None:
    """What is wrong with the first caption that was not made with one of these prompts."""
    strange = [info["prompt"] for info in infos if info["prompt"] not in prompts]
    return f"its prompt (hash {strange[0]}) is none of the step's" if strange else None


def _strange_frames(infos: Infos, frames: Collection[str]) -> str | None:
    """What is wrong with the first caption that was not made from these frames."""
    for info in infos:
        if strange := [name for name in info["frames"] if name not in frames]:
            return f"{len(strange)} of the {len(info['frames'])} frames that its model saw are not the clip's"
    return None


def _misplaced(clip_id: str, planned: PlannedStep, column: str, wrong: str) -> RunError:
    stored = value_store(Path(".work"), planned.step, planned.key).folder.as_posix()
    return RunError(
        f"{clip_id}: {column}, made by {planned.name}, is not about this clip: {wrong}. Remove "
        f"{stored} in the output folder and run the same command again: these captions are made anew"
    )
