"""A table of clips: CSV, JSON or parquet; Open-Sora's CSV as it is."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from ..contract.clip import PROBE_COLUMNS, SOURCE_COLUMNS, Columns, Values
from ..contract.errors import ClipError, Reason, RunError
from ..contract.locations import RecipePath
from ..contract.source import Source, SourceClip, SourceReject
from ..contract.text import clean
from ..contract.urls import is_url, public_url
from ._root import Root
from ._tables.cells import captions, is_time, number, seconds, time_pair, time_range, words
from ._tables.column_types import DType, Types, types_of, value_of
from ._tables.lines import known_encoding
from ._tables.media_cells import media_in
from ._tables.roles import Role, Roles, in_yaml, roles_of
from ._tables.tabular import Layout, Record, layout_of, records

OPEN_SORA_SCORES: Mapping[str, DType] = {
    "aes": "float64",  # LAION aesthetics: 5.0 keeps, 6.5 is high
    "flow": "float64",
    "match": "float64",  # CLIP similarity of text and picture
    "ocr": "float64",
    "cmotion": "string",  # camera motion label
}
"""The columns of scores that Open-Sora's tools add to its CSV (hpcaitech/Open-Sora `tools/`)."""

CAPTIONS = "source_captions"
_TAKEN = frozenset({*SOURCE_COLUMNS, *PROBE_COLUMNS, CAPTIONS, "shard"})


class Table(Source):
    """One clip a row, in the table's order.

    A path is relative to `root` and must stay below it; an address is http or https and public. Anything else is
    refused and not opened. A cell may hold the file itself (parquet with `Video` of Hugging Face). Columns are known by
    their usual names, whatever their case; what has no role is carried along, under its own name or, where every clip
    has a column of that name (in any case), as `source_<name>`.
    """

    use: Literal["table"] = "table"
    path: RecipePath
    """The table: .csv, .tsv, .jsonl, .ndjson, .json, each also as .gz, or .parquet. A .json is a list of objects, a map
    of ids or media names to objects, or one of media names to captions."""
    root: RecipePath | None = None
    """The folder that paths are relative to. Default: the table's."""
    columns: dict[Role, str | None] = Field(default_factory=dict)
    """The column of a role, where its name is no usual one: `{start: t0, caption: said}`; null: no column has it.
    A timestamp is a pair of times in one cell; a name that ends in _ms, _us, _ns or _min counts those."""
    ignore: tuple[str, ...] = ()
    """Columns to leave out altogether."""
    keep: dict[str, DType] | None = None
    """Of the columns without a role only these, with their types. Default: all, as the types of their values are."""
    encoding: Annotated[str, AfterValidator(known_encoding)] | None = None
    """Of the table, where it is not UTF-8 and has no byte order mark: cp1252, gb18030, shift_jis, ..."""

    def adds(self) -> Columns:
        plan = self._plan()
        added: Values = dict(plan.carried.values())
        return {**added, CAPTIONS: ["string"]} if plan.several else added

    def left_out_by(self, columns: Sequence[str]) -> str:
        plan = self._plan()
        names = [name for name, (shown, _) in plan.carried.items() if shown in columns]
        if plan.several and CAPTIONS in columns:
            names.append(plan.roles.columns["caption"])
        return _without(names, kept=self.keep) if names else ""

    def described(self) -> list[tuple[str, str]]:
        plan = self._plan()
        roles = [
            (role, clean(name) + (f", in {unit[0]}" if (unit := plan.roles.unit(role)) else ""))
            for role, name in plan.roles.columns.items()
        ]
        carried = [
            f"{clean(name)} ({kind})" if name == column else f"{clean(column)} as {clean(name)} ({kind})"
            for column, (name, kind) in plan.carried.items()
        ]
        left = [f"{clean(name)} ({why})" for name, why in plan.roles.left.items()]
        Root(self.root or self.path.parent, name="table root")
        return [
            ("reads", plan.layout.described()),
            *roles,
            ("carries along", ", ".join(carried)),
            ("leaves out", ", ".join(left)),
        ]

    def clips(self, work: Path) -> Iterator[SourceClip | SourceReject]:
        plan = self._plan()
        root = Root(self.root or self.path.parent, name="table root")
        named = [*plan.roles.columns.values(), *plan.carried]
        listed = [name for name in named if name in plan.layout.columns]
        known = {*named, *plan.roles.left, *plan.roles.others}
        for record in records(plan.layout, listed, media=plan.roles.columns["media"]):
            if isinstance(record, SourceReject):
                yield record
                continue
            if not plan.types.whole and not known >= record.cells.keys():
                new = min(record.cells.keys() - known)
                way = _without([new], kept=self.keep)
                raise RunError(f"{self.path}: {record.place} has {new!a}, which no row before has; say {way}")
            try:
                yield _clip(record, plan=plan, root=root, work=work)
            except ClipError as error:
                yield SourceReject(record.place, error.rejection)

    def _plan(self) -> _Plan:
        layout = layout_of(self.path, self.encoding)
        types = types_of(layout)
        names = [*types.left, *types.columns] if layout.kind != "csv" else layout.columns
        unseen = layout.kind != "csv" and not types.whole  # there may be columns that no row has so far
        later = [name for name in self.ignore if unseen and name not in names]
        ignored = [name for name in self.ignore if name not in later]
        roles = roles_of(names, chosen=self.columns, ignored=ignored, place=str(self.path))
        left = {
            **roles.left,
            **dict.fromkeys(later, "ignored"),
            **{name: why for name, why in types.left.items() if name in roles.others},
        }
        others = [name for name in roles.others if name not in types.left]
        if self.keep is not None:
            left.update({name: "not in `keep`" for name in others if name not in self.keep})
            missing = [name for name in self.keep if name not in others]
            if missing:
                raise RunError(f"{self.path}: no column {missing[0]!a} without a role, which `keep` names")
            others = list(self.keep)
        kinds = self.keep or {name: OPEN_SORA_SCORES.get(name, types.columns[name]) for name in others}
        roles = Roles(roles.columns, roles.others, left)
        several = roles.columns.get("caption") in types.lists
        return _Plan(layout, types, roles, _carried(others, kinds, kept=self.keep, place=str(self.path)), several)


@dataclass(frozen=True, slots=True)
class _Plan:
    """How the table is read. `carried`: column -> published name, type. `several`: a row may have several captions."""

    layout: Layout
    types: Types
    roles: Roles
    carried: Mapping[str, tuple[str, DType]]
    several: bool


def _carried(
    names: list[str], kinds: Mapping[str, DType], *, kept: Collection[str] | None, place: str
) -> dict[str, tuple[str, DType]]:
    carried: dict[str, tuple[str, DType]] = {}
    used: dict[str, str] = {}
    for name in names:
        shown = clean(name) or "unnamed"
        shown = f"source_{shown}" if shown.lower() in _TAKEN else shown  # FPS beside fps: one to SQL
        if shown in used:
            one = _without([name], kept=kept)
            raise RunError(
                f"{place}: {used[shown]!a} and {name!a} would both be published as {shown!a}; say {one}, or the other"
            )
        used[shown] = name
        carried[name] = (shown, kinds[name])
    return carried


def _without(names: Sequence[str], *, kept: Collection[str] | None) -> str:
    """What a recipe says to leave columns out."""
    listed = ", ".join(map(in_yaml, names))
    chosen = any(name in (kept or ()) for name in names)
    return f"`ignore: [{listed}]`{' and no such name in `keep`' if chosen else ''}"


def _clip(record: Record, *, plan: _Plan, root: Root, work: Path) -> SourceClip:
    """Raises ClipError (bad_row, refused, out_of_range)."""
    columns, comma = plan.roles.columns, plan.layout.separator != ","
    cells = {role: record.cells.get(column) for role, column in columns.items()}
    media = media_in(cells["media"], name=columns["media"], work=work)
    start, end = _times(cells, plan.roles, decimal_comma=comma)
    caption, several = captions(cells.get("caption"))
    extra: Values = {
        shown: value_of(record.cells.get(name), name=shown, kind=kind, decimal_comma=comma)
        for name, (shown, kind) in plan.carried.items()
    }
    if plan.several:
        extra[CAPTIONS] = several or None
    elif len(several) > 1:
        raise ClipError(Reason.BAD_ROW, "caption: a list, where no row before has one")
    license, page = words(cells.get("license")), words(cells.get("source_url"))
    if isinstance(media, str) and is_url(media.strip()):
        address = public_url(media.strip())
        return SourceClip(address, address, start, end, page or address, license, caption, extra)
    place = root.written(media) if isinstance(media, str) else media
    return SourceClip(place.source_id, place.media, start, end, page, license, caption, extra)


def _times(cells: Mapping[Role, object], roles: Roles, *, decimal_comma: bool) -> tuple[float | None, float | None]:
    """Start and end in seconds; an end that is missing is the start and the duration."""

    def read(role: Role, cell: object) -> float | None:
        if not (unit := roles.unit(role)):
            return seconds(cell, name=role, decimal_comma=decimal_comma)
        value = number(cell, name=role, decimal_comma=decimal_comma)
        return None if value is None else round(value * unit[2] / unit[1], 9)

    stamp = cells.get("timestamp")
    if stamp is None or (isinstance(stamp, str) and words(stamp) is None):
        start, end = read("start", cells.get("start")), read("end", cells.get("end"))
    elif is_time(stamp):
        start, end = read("timestamp", stamp), read("end", cells.get("end"))
        if problem := roles.no_start(start):
            raise ClipError(Reason.BAD_ROW, f"timestamp: {problem}")
    else:
        pair = time_pair(stamp, name="timestamp")
        return time_range(read("timestamp", pair[0]), read("timestamp", pair[1]))
    length = read("duration", cells.get("duration"))
    if length is not None and length <= 0:
        raise ClipError(Reason.OUT_OF_RANGE, f"duration {length:g} is not above zero")
    if start is not None and end is None and length is not None:
        end = round(start + length, 9)
    return time_range(start, end)
