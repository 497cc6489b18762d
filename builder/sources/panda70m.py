"""Panda-70M: the official CSV and the videos that could be obtained (snap-research/Panda-70M)."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

from ..contract.clip import Columns, Row
from ..contract.errors import ClipError, Reason, Rejection
from ..contract.locations import RecipePath
from ..contract.source import Source, SourceClip, SourceReject
from ._root import Place, Root
from ._tables.cells import literal_list, number, seconds, text, time_range
from ._tables.tabular import Record, layout_of, records

LICENSE = "Panda-70M: non-commercial research use only, no redistribution of the videos"

_SHARD = 100  # source videos a folder in the official downloader's output (its number_sample_per_shard)
_OPTIONAL = ("desirable_filtering", "shot_boundary_detection")
_SIDECAR_BYTES = 4 << 20


@dataclass(frozen=True, slots=True)
class _Range:
    """A timestamp pair of the CSV in seconds, or what is wrong with it."""

    start: float | None
    end: float | None
    error: ClipError | None = None


class Panda70m(Source):
    """One clip for each timestamp pair, in the CSV's order.

    A video is looked for as `<videoID>.mp4` (or another usual ending) in the folder, cut at the timestamps; and
    otherwise as the clips that the official downloader cut and stored (`00000/0000007_00002.mp4`, the eighth video's
    third clip; the JSON beside it must name the same address and time): the CSV must be the one it was run with.
    A row whose lists do not fit together gives one reject for each of its timestamp pairs.
    """

    redistributable: ClassVar[bool] = False

    use: Literal["panda70m"] = "panda70m"
    license: str | None = LICENSE
    """License of the clips."""
    path: RecipePath
    """The official CSV, unzipped: videoID, url, timestamp, caption, matching_score, and the later filtering columns."""
    videos: RecipePath
    """The folder of videos."""

    def adds(self) -> Columns:
        return {
            "matching_score": "float64",
            "desirable_filtering": "string",
            "shot_boundary_detection": "string",  # JSON: pairs of times from the clip's start, one a shot
        }

    def described(self) -> list[tuple[str, str]]:
        Root(self.videos, name="panda70m videos")
        return [("reads", layout_of(self.path).described())]

    def clips(self, work: Path) -> Iterator[SourceClip | SourceReject]:
        root = Root(self.videos, name="panda70m videos")
        layout = layout_of(self.path)
        optional = [name for name in _OPTIONAL if name in layout.columns]
        columns = ["videoID", "url", "timestamp", "caption", "matching_score", *optional]
        for index, record in enumerate(records(layout, columns, media="url")):
            if isinstance(record, SourceReject):
                yield record
            else:
                yield from _clips_of(record, index=index, root=root)


def _clips_of(record: Record, *, index: int, root: Root) -> Iterator[SourceClip | SourceReject]:
    video = text(record.cells["videoID"])
    if video is None or not re.fullmatch(r"[A-Za-z0-9_-]{1,64}", video):
        yield _reject(record, record.place, ClipError(Reason.BAD_ROW, "videoID is no YouTube id"))
        return
    try:
        ranges = _ranges(record.cells["timestamp"])
    except ClipError as error:
        yield _reject(record, video, error)
        return
    try:
        columns = _columns(record.cells, length=len(ranges))
        whole = root.find(video)
    except ClipError as error:
        for pair in ranges:
            yield _reject(record, video, pair.error or error, pair)
        return
    for clip, pair in enumerate(ranges):
        try:
            if pair.error is not None:
                raise pair.error
            values = {name: cells[clip] for name, cells in columns.items()}
            place = whole or _cut(record, index=index, clip=clip, pair=pair, root=root)
            yield _clip(video, values, pair=pair, place=place, cut=whole is None, url=text(record.cells["url"]))
        except ClipError as error:
            yield _reject(record, video, error, pair)


def _clip(video: str, values: Row, *, pair: _Range, place: Place, cut: bool, url: str | None) -> SourceClip:
    extra = {
        "matching_score": number(values["matching_score"], name="matching_score"),
        "desirable_filtering": text(values.get("desirable_filtering")),
        "shot_boundary_detection": _json(values.get("shot_boundary_detection")),
    }
    caption = text(values["caption"])
    if cut:  # the file is the clip; its id keeps the times that it has in the video
        return SourceClip(
            f"{video}/{pair.start:.3f}-{pair.end:.3f}", place.media, None, None, url, None, caption, extra
        )
    return SourceClip(video, place.media, pair.start, pair.end, url, None, caption, extra)


def _json(shots: object) -> str | None:
    try:
        return json.dumps(shots) if shots else None
    except TypeError:  # bytes, or an ellipsis
        raise ClipError(Reason.BAD_ROW, "shot_boundary_detection holds something other than times") from None


def _cut(record: Record, *, index: int, clip: int, pair: _Range, root: Root) -> Place:
    """The clip as the official downloader stored it. Raises ClipError (missing_file)."""
    place = root.find(f"{index // _SHARD:05d}/{index:07d}_{clip:05d}", (".mp4",))
    if place is None or not _described(place, url=text(record.cells["url"]), start=pair.start or 0.0):
        raise ClipError(Reason.MISSING_FILE, "video is not in the folder")
    return place


def _described(place: Place, *, url: str | None, start: float) -> bool:
    """Whether the JSON beside a stored clip names this address and start: the CSV may be another split."""
    try:
        with Path(place.media).with_suffix(".json").open("rb") as file:
            sidecar = json.loads(file.read(_SIDECAR_BYTES))
        first = _literal_list(str(sidecar["clips"]), name="clips")[0][0]
        begins, _ = time_range(first, None)
        return sidecar["url"] == url and begins is not None and abs(begins - start) < 0.01
    except (OSError, ValueError, LookupError, TypeError, RecursionError, ClipError):
        return False


def _ranges(cell: object) -> list[_Range]:
    return [_range(pair) for pair in _literal_list(cell, name="timestamp")]


def _range(pair: object) -> _Range:
    try:
        if not isinstance(pair, list | tuple) or len(pair) != 2:
            raise ClipError(Reason.BAD_ROW, "timestamp holds something other than pairs of times")
        if any(seconds(edge, name="timestamp") is None for edge in pair):
            raise ClipError(Reason.BAD_ROW, "timestamp holds an empty time")
        return _Range(*time_range(*pair))
    except ClipError as error:
        return _Range(None, None, error)


def _columns(cells: Row, *, length: int) -> dict[str, list[Any]]:
    """The list columns, one value a timestamp pair; a later column that is absent or empty gives None."""
    columns = {}
    for name in ("caption", "matching_score", *_OPTIONAL):
        if name in _OPTIONAL and text(cells.get(name)) is None:
            columns[name] = [None] * length
            continue
        columns[name] = _literal_list(cells[name], name=name)
        if len(columns[name]) != length:
            raise ClipError(Reason.BAD_ROW, f"{name} has {len(columns[name])} values, timestamp has {length}")
    return columns


def _literal_list(cell: object, *, name: str) -> list[Any]:
    """A list written as a literal. Raises ClipError (bad_row)."""
    value = literal_list(cell)
    if value is None:
        raise ClipError(Reason.BAD_ROW, f"{name} is not a Python list of plain values")
    return value


def _reject(record: Record, source_id: str, error: ClipError, pair: _Range | None = None) -> SourceReject:
    rejection = Rejection(error.rejection.reason, f"{record.place}: {error.rejection.detail}")
    return SourceReject(source_id, rejection, pair.start if pair else None, pair.end if pair else None)
