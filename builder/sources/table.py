"""A table of clips: CSV, JSON lines or parquet; Open-Sora's CSV as it is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import model_validator

from ..cells import number, text, time_range
from ..clip import PROBE_COLUMNS, SOURCE_COLUMNS, Columns
from ..errors import ClipError, Reason, RunError
from ..places import Root, is_url, public_url
from ..source import RecipePath, Source, SourceClip, SourceReject
from ..tabular import Record, columns_of, listed, records

DType = Literal["string", "float64", "int64"]

OPEN_SORA_SCORES: Mapping[str, DType] = {
    "aes": "float64",  # LAION aesthetics: 5.0 keeps, 6.5 is high
    "flow": "float64",
    "match": "float64",  # CLIP similarity of text and picture
    "ocr": "float64",
    "cmotion": "string",  # camera motion label
}
"""The columns of scores that Open-Sora's tools add to its CSV (hpcaitech/Open-Sora `tools/`)."""

_USUAL: Mapping[str, Sequence[str]] = {
    "media": ("path", "video_path", "media_path", "file_path", "video", "url"),
    "caption": ("text", "caption"),
    "start": ("start", "start_s", "start_sec"),
    "end": ("end", "end_s", "end_sec"),
}


class Table(Source):
    """One clip a row, in the table's order.

    A path is relative to `root` and must stay below it; an address is http or https and public. Anything else is
    refused and not opened.
    """

    use: Literal["table"] = "table"
    path: RecipePath
    """The table: .csv, .tsv, .jsonl, .ndjson or .parquet."""
    root: RecipePath | None = None
    """The folder that paths are relative to. Default: the table's."""
    media: str | None = None
    """Column of paths or addresses. Default: the first of path, video_path, media_path, file_path, video, url."""
    caption: str | None = None
    """Column that becomes source_caption. Default: text or caption, if there."""
    start: str | None = None
    """Column of the clip's start: seconds or H:MM:SS.mmm. Default: start, start_s or start_sec, if there."""
    end: str | None = None
    """Column of the clip's end. Default: end, end_s or end_sec, if there."""
    keep: dict[str, DType] | None = None
    """Other columns to keep, with their types. Default: Open-Sora's aes, flow, match, ocr and cmotion, if there."""

    @model_validator(mode="after")
    def _no_clash(self) -> Self:
        taken = [name for name in self.keep or {} if name in SOURCE_COLUMNS or name in PROBE_COLUMNS]
        if taken:
            raise ValueError(f"keep: {', '.join(taken)} would hide the column of that name which every clip has")
        return self

    def adds(self) -> Columns:
        return self._kept(columns_of(self.path))

    def clips(self, work: Path) -> Iterator[SourceClip | SourceReject]:
        found = columns_of(self.path)
        roles, kept = self._roles(found), self._kept(found)
        root = Root(self.root or self.path.parent, name="table root")
        for record in records(self.path, [*roles.values(), *kept]):
            if isinstance(record, SourceReject):
                yield record
                continue
            try:
                yield _clip(record, roles=roles, kept=kept, root=root)
            except ClipError as error:
                yield SourceReject(record.place, error.rejection)

    def _roles(self, found: Sequence[str]) -> dict[str, str]:
        """Which column is the media, the caption, the start, the end; a column that was named must be there."""
        roles = {}
        for role, usual in _USUAL.items():
            column = getattr(self, role) or next((name for name in usual if name in found), None)
            if column is not None:
                roles[role] = column
        if "media" not in roles:
            raise RunError(f"{self.path}: no column of paths; the table has {listed(found)}; name one in `media`")
        return roles

    def _kept(self, found: Sequence[str]) -> Mapping[str, DType]:
        if self.keep is not None:
            return self.keep
        return {name: kind for name, kind in OPEN_SORA_SCORES.items() if name in found}


def _clip(record: Record, *, roles: Mapping[str, str], kept: Mapping[str, DType], root: Root) -> SourceClip:
    """Raises ClipError (bad_row, refused, out_of_range)."""
    cells = {role: record.cells.get(column) for role, column in roles.items()}
    media = cells["media"]
    if not isinstance(media, str) or not media.strip():
        raise ClipError(Reason.BAD_ROW, f"{roles['media']}: no path")
    start, end = time_range(cells.get("start"), cells.get("end"))
    extra = {name: _value(record.cells.get(name), name=name, kind=kind) for name, kind in kept.items()}
    if is_url(media.strip()):
        address = public_url(media.strip())
        return SourceClip(address, address, start, end, address, None, text(cells.get("caption")), extra)
    place = root.place(media)
    return SourceClip(place.source_id, place.media, start, end, None, None, text(cells.get("caption")), extra)


def _value(cell: Any, *, name: str, kind: DType) -> str | float | int | None:
    if kind == "string":
        return text(cell)
    value = number(cell, name=name)
    if value is None or kind == "float64":
        return value
    if value != int(value) or abs(value) >= 2**63:
        raise ClipError(Reason.BAD_ROW, f"{name}: {value:g} is no int64")
    return int(value)
