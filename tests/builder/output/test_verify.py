"""A caption on the wrong clip is found by what it is stored with."""

from __future__ import annotations

import asyncio
import copy
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pytest
from shotscribe.builder.contract.captions import INFO, bind
from shotscribe.builder.contract.clip import PROBE_COLUMNS, SOURCE_COLUMNS, Clip, Columns, Row
from shotscribe.builder.contract.engine import Completion, Engine, Image, Message, Request
from shotscribe.builder.contract.errors import RunError
from shotscribe.builder.contract.frames import Sampling
from shotscribe.builder.contract.identity import text_hash
from shotscribe.builder.contract.locations import media_stat
from shotscribe.builder.contract.step import ClipStep
from shotscribe.builder.media.local import media_file
from shotscribe.builder.output.verify import _strange_frames, _strange_prompt, verify_captions
from shotscribe.builder.recipe.plan import Plan, PlannedStep, Stage
from shotscribe.builder.recipe.recipe import Recipe
from shotscribe.builder.run.executors.local import LocalExecutor
from shotscribe.builder.run.executors.work import decoded
from shotscribe.builder.run.state import Outcome
from shotscribe.builder.store.arrow import arrow_schema, write_scratch
from shotscribe.captioners._prompt import PromptText

PROMPTS = {"look": "What is seen?", "compare": "What changed?"}
CLIPS = 3


class Says:
    """An engine that answers the same to everything."""

    model, revision = "acme/sees", "abc"

    async def complete(self, request: Request) -> Completion:
        return Completion("It moves.", "stop", 10, 3)

    async def close(self) -> None:
        pass


class Look(ClipStep):
    """A caption of two frames, and one for each pair of neighbours."""

    use: Literal["look"] = "look"

    def engine_name(self) -> str | None:
        return "vlm"

    def prompts(self) -> Mapping[str, str]:
        return PROMPTS

    def adds(self) -> Columns:
        return {"look": "string", "look_info": INFO, "diffs": [{"caption": "string", "info": INFO}]}

    def samplings(self, row: Row) -> tuple[Sampling, ...]:
        return Sampling(fractions=(0.2, 0.8), area_px=2000, long_side_px=None), Sampling(times=(0.0, 0.4, 0.8))

    async def make(self, clip: Clip, engine: Engine) -> dict[str, Any]:
        few, many = (clip.frames(sampling).hashes for sampling in self.samplings(clip.row))
        text, info = await _asked(clip, engine, "look", few)
        pairs = [await _asked(clip, engine, "compare", pair) for pair in pairwise(many)]
        return {"look": text, "look_info": info, "diffs": [{"caption": said, "info": made} for said, made in pairs]}


class Retell(Look):
    """A caption of text alone."""

    def prompts(self) -> Mapping[str, str]:
        return {"retell": "Say it again."}

    def adds(self) -> Columns:
        return {"retold": "string", "retold_info": INFO}

    def samplings(self, row: Row) -> tuple[Sampling, ...]:
        return ()


async def _asked(clip: Clip, engine: Engine, prompt: str, seen: Iterable[str]) -> tuple[str, dict[str, Any]]:
    images = tuple(Image(np.zeros((1, 1, 3), np.uint8), name) for name in seen)
    answer = await engine.complete(Request((Message("user", (*images, PROMPTS[prompt])),), 10))
    tokens = {"input_tokens": answer.input_tokens, "output_tokens": answer.output_tokens}
    made = {"status": "ok", "model": engine.model, "revision": engine.revision, "prompt": text_hash(PROMPTS[prompt])}
    return answer.text, {
        **made,
        "frames": [image.hash for image in images],
        "seed": 0,
        "tries": 1,
        "request": "",
        **tokens,
    }


def bound(row: dict[str, Any]) -> dict[str, Any]:
    """The row with its captions bound to its clip, whatever they say of how they were made."""
    row = copy.deepcopy(row)
    for step in (Look(), Retell()):
        bind(row["clip_id"], row, step.adds())
    return row


RECIPE = Recipe(name="small", version="1", sources=(), steps=())


def plan_of(*steps: ClipStep) -> Plan:
    planned = [PlannedStep(at, step, f"look-{at}", "a1" * 32) for at, step in enumerate(steps)]
    return Plan(RECIPE, tuple(Stage("engine", (one,), "vlm") for one in planned), {}, ())


@pytest.fixture(scope="module")
def rows(
    tmp_path_factory: pytest.TempPathFactory, encode: Callable[..., Path], moving: Callable[..., Iterable[np.ndarray]]
) -> list[dict[str, Any]]:
    """Captioned clips: the second half of each of three files."""
    folder = tmp_path_factory.mktemp("verify")
    made = []
    for seed in range(CLIPS):
        path = encode(folder / f"{seed}.mp4", moving(60, seed=seed), fps=30)
        row = dict.fromkeys(SOURCE_COLUMNS) | {
            "clip_id": f"clip-{seed}",
            "media": str(path),
            "start": 1.0,
            "end": 2.0,
            "interlaced": False,
        }
        row["media_stat"] = media_stat(path)
        frames = decoded(row, Look().samplings(row), limits=RECIPE.decode, media_folder=folder)
        row |= asyncio.run(Look().make(Clip(row, frames.__getitem__), Says()))
        retold = {**row["look_info"], "frames": [], "prompt": text_hash("Say it again.")}
        made.append(bound(row | {"retold": "It moved.", "retold_info": retold}))
    return made


@pytest.fixture(scope="module")
def executor() -> Iterator[LocalExecutor]:
    with LocalExecutor(1) as running:
        yield running


@pytest.fixture(name="verified")
def verified_fixture(tmp_path: Path, executor: LocalExecutor) -> Callable[..., Mapping[str, int]]:
    """What comes of checking rows that are captioned by some steps."""

    def verified(
        rows: list[dict[str, Any]], *steps: ClipStep, decoders: Sequence[str] = ("av 18",)
    ) -> Mapping[str, int]:
        columns = {**SOURCE_COLUMNS, **PROBE_COLUMNS, **Look().adds(), **Retell().adds()}
        table = pa.Table.from_pylist(rows, schema=arrow_schema(columns))
        write_scratch(tmp_path / "clips.arrow", table)
        outcome = Outcome([tmp_path / "clips.arrow"], [], len(rows))
        plan = plan_of(*(steps or (Look(), Retell())))
        folder = tmp_path / "media"
        return verify_captions(
            outcome, recipe=RECIPE, plan=plan, media_folder=folder, executor=executor, decoders=decoders
        )

    return verified


Verify = Callable[..., Mapping[str, int]]


def test_right_captions_are_counted(rows: Any, verified: Verify) -> None:
    assert len(rows[0]["diffs"]) == 2
    assert verified(rows) == {"clips": 3, "captions": 3 * (1 + 2 + 1), "other_pixels": 0}


def test_a_caption_of_another_clip_ends_the_run(rows: Any, verified: Verify) -> None:
    swapped = [rows[0], bound(rows[1] | {"look_info": rows[2]["look_info"]}), rows[2]]
    with pytest.raises(RunError) as caught:
        verified(swapped)
    said = str(caught.value)
    assert said.startswith("clip-1: look, made by look-0, is not about this clip: 2 of the 2 frames")
    assert "Remove .work/values/look-a1a1a1a1a1a1a1a1 in the output folder" in said


def test_captions_of_frames_that_another_decoder_gave_stand_and_are_counted(rows: Any, verified: Verify) -> None:
    made_before = bound(rows[1] | {"look_info": {**rows[1]["look_info"], "frames": ["another", "pixel"]}})
    both = ("av 17", "av 18")
    assert verified([rows[0], made_before], decoders=both) == {"clips": 1, "captions": 4 + 3, "other_pixels": 1}
    with pytest.raises(RunError, match="the hash that it was stored with"):
        verified([rows[0], rows[1] | {"look_info": rows[2]["look_info"]}], decoders=both)
    with pytest.raises(RunError, match="2 of the 2 frames"):
        verified([rows[0], made_before])


def retold_of(row: dict[str, Any]) -> dict[str, Any]:
    return {name: row[name] for name in ("retold", "retold_info")}


@pytest.mark.parametrize(
    ("change", "column"),
    [
        (lambda rows: retold_of(rows[1]), "retold"),  # of text alone: whole, and of another clip
        (lambda rows: {"retold": "It moved!"}, "retold"),
        (lambda rows: {"retold": None}, "retold"),
        (lambda rows: {"retold_info": {**rows[0]["retold_info"], "seed": 1}}, "retold"),
        (lambda rows: {"look_info": {**rows[0]["look_info"], "request": "0" * 32}}, "look"),
        (lambda rows: {"diffs": rows[0]["diffs"][:1] + rows[1]["diffs"][1:]}, "diffs"),
        (lambda rows: {"diffs": [{**rows[0]["diffs"][0], "caption": "Of another."}]}, "diffs"),
    ],
)
def test_what_is_not_as_it_was_made_for_this_clip_is_found_in_any_row(
    rows: Any, verified: Verify, change: Callable[[Any], dict[str, Any]], column: str
) -> None:
    with pytest.raises(RunError, match=rf"clip-0: {column}, made by look-\d, is not about this clip: the hash"):
        verified([*rows[1:], rows[0] | change(rows)])


def test_one_wrong_item_of_a_list_is_found(rows: Any, verified: Verify) -> None:
    strange = [rows[0]["diffs"][0], {**rows[1]["diffs"][1], "caption": "Of another clip."}]
    with pytest.raises(RunError, match="clip-0: diffs, made by look-0"):
        verified([bound(rows[0] | {"diffs": strange}), *rows[1:]])


def test_the_same_file_at_another_time_is_another_clip(rows: Any, verified: Verify) -> None:
    with pytest.raises(RunError, match="frames that its model saw are not the clip's"):
        verified([rows[0] | {"start": 0.0, "end": 1.0}])


def test_a_prompt_that_the_step_does_not_have_is_found_without_frames(rows: Any, verified: Verify) -> None:
    old = rows[0]["retold_info"] | {"prompt": text_hash("Said before the prompt was changed.")}
    with pytest.raises(RunError, match=r"clip-0: retold, made by look-1, .* is none of the step's"):
        verified([bound(rows[0] | {"retold_info": old})])


def test_a_clip_that_cannot_be_decoded_again_is_not_counted(rows: Any, verified: Verify, tmp_path: Path) -> None:
    """Gone, replaced by another file, or no longer fetched; captions of text alone need no frames."""
    other = tmp_path / "other.mp4"
    shutil.copy(rows[1]["media"], other)
    gone = rows[0] | {"media": str(tmp_path / "gone.mp4")}
    replaced = rows[0] | {"media": str(other)}
    address = rows[0] | {"media": "https://example.com/v.mp4"}
    assert verified([gone, replaced, address, rows[1]], Look()) == {"clips": 1, "captions": 3, "other_pixels": 0}
    assert verified([gone, bound(rows[1] | {"clip_id": "other"})]) == {"clips": 2, "captions": 1 + 4, "other_pixels": 0}


def test_a_clip_that_was_fetched_is_decoded_from_there(rows: Any, verified: Verify, tmp_path: Path) -> None:
    address = "https://example.com/v.mp4"
    fetched = Path(media_file(address, tmp_path / "media"))
    fetched.parent.mkdir()
    shutil.copy(rows[0]["media"], fetched)
    there = rows[0] | {"media": address, "media_version": "0123"}
    assert verified([there]) == {"clips": 1, "captions": 4, "other_pixels": 0}
    shutil.copy(rows[1]["media"], fetched)
    with pytest.raises(RunError, match="clip-0"):
        verified([there])


def test_clips_without_a_caption_and_steps_without_provenance_are_passed_over(rows: Any, verified: Verify) -> None:
    class Silent(Look):
        def adds(self) -> Columns:
            return {"look": "string"}

    none = rows[0] | {"look": None, "look_info": None, "diffs": None}
    assert verified([none, rows[1]], Look()) == {"clips": 1, "captions": 3, "other_pixels": 0}
    assert verified(rows, Silent()) == {"clips": 0, "captions": 0, "other_pixels": 0}


def test_the_first_caption_that_is_wrong_is_named() -> None:
    def info(prompt: str, *frames: str) -> dict[str, Any]:
        return {"prompt": prompt, "frames": list(frames)}

    frames, prompts = {"f1", "f2"}, {"p"}
    assert _strange_frames([info("p", "f1", "f2"), info("p", "f2", "f2"), info("p")], frames) is None
    assert _strange_frames([], frames) is None
    assert _strange_frames([info("p", "f1"), info("p", "f1", "f3")], frames) == (
        "1 of the 2 frames that its model saw are not the clip's"
    )
    assert _strange_prompt([info("p"), info("q", "f3")], prompts) == "its prompt (hash q) is none of the step's"
    assert _strange_prompt([info("p")], prompts) is None


def test_prompts_are_hashed_as_captions_store_them() -> None:
    text = "Was ist zu sehen? ünïcödé\n---\n{frames}"
    assert text_hash(text) == PromptText("own", text).hash
