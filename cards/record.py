"""The build record: what `build.json` says about a finished dataset, and all that a card or a report is made of.

A plain JSON object, written by the runner. It holds no time of day, no place on a machine and no absolute path, so the
same recipe over the same clips gives the same bytes. Order matters wherever it is read: steps, columns and
distributions are shown as they stand.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal, NotRequired, TypedDict

_THUMBNAIL = re.compile(r"assets/[\w-]+\.jpg", re.ASCII)

_LICENSES = 30

Json = dict[str, Any]
"""A JSON object."""

FORMAT = 2
"""Raised when a reader of older records would misread a newer one."""


class SourceRecord(TypedDict):
    """One source of the recipe, in its order."""

    use: str
    license: str | None
    clips: int
    """Clips that it gave: what probing starts from."""
    rejected: dict[str, int]
    """Rows that never became a clip, by reason; not counted in `clips`."""
    options: dict[str, dict[str, int]]
    """By reason, how many of them an option of the source asked to leave out."""
    remarks: list[str]
    """What was seen of the source as a whole: files that it left aside, texts that were cleaned."""


class StepRecord(TypedDict):
    """One step, in the order of the run. The first is `probe`; a last `publish` counts cuts that failed."""

    name: str
    use: str
    key: str
    """Identity of the step's output: hex."""
    rows_in: int
    rows_out: int
    rejected: dict[str, int]
    """Clips dropped here, by reason: they sum to rows_in - rows_out, but for a step that makes other clips of them."""
    options: dict[str, dict[str, int]]
    """By reason, how many of them an option of the step asked to drop: {"above_max": {"max_black": 5}}."""
    adds: Json
    """Columns that it adds, with their types."""
    prompts: dict[str, str]
    """The texts that it asks a model with, whole, by name; none where it asks none."""


class CaptionRecord(TypedDict):
    """The published captions that a step made with one model: one record for each revision of it."""

    columns: list[str]
    """The column that holds them; several, where one answer became several columns."""
    info: str
    """The column that says how each was made: `<column>_info`, or the column itself where its items say so."""
    model: str | None
    revision: str | None
    statuses: dict[str, int]
    """How many captions have which status: ok, truncated, ..."""
    input_tokens: int
    output_tokens: int
    """Tokens of all tries together, as the model counts them."""


class Verified(TypedDict):
    """What was checked of the captions: the frames of some clips were decoded once more, and compared by content.

    `other_pixels`: clips whose frames another release of the decoder had given, so that they could not be compared.
    """

    clips: int
    captions: int
    other_pixels: int


class Histogram(TypedDict):
    """Counts of a numeric column; one more edge than counts, edges ascending, every bin half open but the last."""

    edges: list[float]
    counts: list[int]


class Sample(TypedDict):
    """One published clip, to show."""

    clip_id: str
    caption: str | None
    duration: float
    """Seconds."""
    thumbnail: str
    """Path of a JPEG below the dataset's folder: `assets/<clip_id>.jpg`."""
    row: NotRequired[Json]
    """The published row, as its `.json` member has it; long texts are cut."""


class FileRecord(TypedDict):
    path: str
    """Relative to the dataset's folder, with forward slashes."""
    bytes: int
    sha256: str


class ShardRecord(FileRecord):
    rows: int


class BuildRecord(TypedDict):
    format: int
    shotscribe: str
    """The version that built it."""
    name: str
    version: str | None
    description: str | None
    recipe: Json
    """The canonical recipe: every option resolved, private paths left out."""
    sources: list[SourceRecord]
    texts_cleaned: NotRequired[int]
    """How many texts of the corpora held line breaks, control characters and the like, and are published without."""
    steps: list[StepRecord]
    columns: Json
    """Published columns in order, spelled as `datasets.Features` does: "float64", ["float64"], {"a": "float64"}."""
    caption: str | None
    """The column that became the `.txt` member; None where there is none."""
    captioned: int
    """Published clips that have a caption in it."""
    captions: list[CaptionRecord]
    """The captions that models made, in the order of the columns."""
    verified: Verified
    media: Literal["embed", "reference"]
    """Whether the shards hold the clips or only refer to them."""
    rows: int
    seconds: float
    """Duration of all published clips."""
    bytes: int
    """Size of all shards."""
    licenses: dict[str, int]
    """Published clips by licence."""
    sources_kept: dict[str, int]
    """Published clips by source."""
    distributions: dict[str, Histogram]
    samples: list[Sample]
    shards: list[ShardRecord]
    files: list[FileRecord]
    """The other data files: metadata and rejects."""
    card_sha256: NotRequired[str]
    """Of README.md, which is made from all that is above: tells whether somebody edited it."""
    versions: Mapping[str, str]
    """Of Python and of the libraries that touch the bytes."""


class LeftOut(TypedDict):
    """Rows that are not in the dataset, for one reason and of one place: `luma`, `luma.max_black`, `sources`."""

    reason: str
    by: str
    clips: int


def left_out(record: BuildRecord) -> list[LeftOut]:
    """Why rows are not in the dataset, of sources and steps; what left out most comes first."""
    places = [("sources", *_of_sources(record))]
    places += [(step["name"], step["rejected"], step["options"]) for step in record["steps"]]
    rows: list[LeftOut] = [
        {"reason": reason, "by": f"{name}.{option}" if option else name, "clips": clips}
        for name, rejected, options in places
        for reason, option, clips in _by_option(rejected, options)
    ]
    return sorted(rows, key=lambda row: (-row["clips"], row["reason"], row["by"]))


class Stage(TypedDict):
    """A row of the funnel. `rejected`: by reason, with the option that asked for it: `above_max (max_black)`."""

    name: str
    rows_in: int
    rows_out: int
    rejected: dict[str, int]


def funnel(record: BuildRecord) -> list[Stage]:
    """From the rows that were offered to the clips that are published: the sources as one stage, then every step."""
    rejected, options = _of_sources(record)
    clips = sum(source["clips"] for source in record["sources"])
    sources: Stage = {
        "name": "sources",
        "rows_in": clips + sum(rejected.values()),
        "rows_out": clips,
        "rejected": _said(rejected, options),
    }
    steps: list[Stage] = [
        {
            "name": step["name"],
            "rows_in": step["rows_in"],
            "rows_out": step["rows_out"],
            "rejected": _said(step["rejected"], step["options"]),
        }
        for step in record["steps"]
    ]
    return [sources, *steps]


def widest(stages: Sequence[Stage]) -> int:
    """The most rows that a stage of the funnel has, those that it left out with them."""
    return max(stage["rows_out"] + sum(stage["rejected"].values()) for stage in stages)


def _of_sources(record: BuildRecord) -> tuple[dict[str, int], dict[str, dict[str, int]]]:
    rejected, options = Counter[str](), dict[str, Counter[str]]()
    for source in record["sources"]:
        rejected.update(source["rejected"])
        for reason, counts in source["options"].items():
            options.setdefault(reason, Counter()).update(counts)
    return dict(rejected), {reason: dict(counts) for reason, counts in options.items()}


def _said(rejected: Mapping[str, int], options: Mapping[str, Mapping[str, int]]) -> dict[str, int]:
    return {
        f"{reason} ({option})" if option else reason: clips for reason, option, clips in _by_option(rejected, options)
    }


def _by_option(
    rejected: Mapping[str, int], options: Mapping[str, Mapping[str, int]]
) -> Iterator[tuple[str, str | None, int]]:
    """(reason, option, clips): of each reason the options that asked for it, and the rest that none did."""
    for reason, clips in rejected.items():
        asked = options.get(reason, {})
        for option, count in asked.items():
            yield reason, option, count
        if clips > sum(asked.values()):
            yield reason, None, clips - sum(asked.values())


class SourceTotal(TypedDict):
    use: str
    licenses: list[str]
    clips: int
    kept: int


def by_source(record: BuildRecord) -> list[SourceTotal]:
    """One line for each kind of source: the published rows are counted by kind, and a recipe may name one twice."""
    totals: dict[str, SourceTotal] = {}
    for source in record["sources"]:
        kept = record["sources_kept"].get(source["use"], 0)
        total = totals.setdefault(source["use"], {"use": source["use"], "licenses": [], "clips": 0, "kept": kept})
        total["clips"] += source["clips"]
        name = source["license"] or "by clip"
        if name not in total["licenses"]:
            total["licenses"].append(name)
    return list(totals.values())


def licenses(record: BuildRecord) -> dict[str, int]:
    """Published clips by licence; where there are hundreds, the most frequent, and the others as one."""
    counts = record["licenses"]
    if len(counts) <= _LICENSES:
        return counts
    most = sorted(counts, key=lambda name: (-counts[name], name))[: _LICENSES - 1]
    others = sum(count for name, count in counts.items() if name not in most)
    return {**{name: counts[name] for name in most}, f"{len(counts) - len(most)} others": others}


def shown(record: BuildRecord) -> list[Sample]:
    """The samples whose thumbnail is where thumbnails are: a path goes into a page only if it can mean nothing else."""
    return [sample for sample in record["samples"] if _THUMBNAIL.fullmatch(sample["thumbnail"])]
