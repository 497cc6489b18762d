"""Reads what is scored: a column of a JSON Lines or parquet file, by clip."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...builder.contract.identity import Json

STRUCTURE, TEXT = "structure", "caption"
_THEIRS = "structural_caption"  # the column of SkyCaptioner-V1


class Unusable(Exception):
    """A file cannot be scored. The message names it, the place in it, and what to do."""


@dataclass(frozen=True, slots=True)
class Pairs:
    """`scored`: (clip id, prediction, reference) in the references' order; None for a prediction that is not there. The
    others are ids, in their file's order: only in the references (they are scored as wrong), only in the predictions,
    and of references that are null.
    """

    column: str
    structured: bool
    scored: list[tuple[str, Any, Any]]
    missing: list[str]
    unexpected: list[str]
    unlabelled: list[str]


def paired(predictions: Path, references: Path, *, column: str | None) -> Pairs:
    """The clips of two files side by side; of `column`, or of the structure where both have one, or `caption`.

    Raises Unusable.
    """
    both = [_columns(predictions), _columns(references)]
    own = [next((name for name in (STRUCTURE, _THEIRS) if name in columns), None) for columns in both]
    structured = column in (STRUCTURE, _THEIRS) or (column is None and None not in own)
    names = [column or (name if structured and name else TEXT) for name in own]
    for wants in (("clip_id", "clip_id"), names):
        for path, columns, name in zip((predictions, references), both, wants, strict=True):
            if name not in columns:
                there = ", ".join(columns) or "none"
                raise Unusable(f"{path}: no column {name} among: {there} (--column NAME picks what is scored)")
    made, wanted = _values(predictions, names[0]), _values(references, names[1])
    if not any(clip in made for clip in wanted):
        raise Unusable(f"{predictions}: none of its clip ids is in {references}; give two files about the same clips")
    return Pairs(
        names[1],
        structured,
        [(clip, made.get(clip), said) for clip, said in wanted.items() if said is not None],
        [clip for clip, said in wanted.items() if clip not in made and said is not None],
        [clip for clip in made if clip not in wanted],
        [clip for clip, said in wanted.items() if said is None],
    )


def _columns(path: Path) -> list[str]:
    """The names of a file's columns: of JSON Lines, the keys of the first."""
    if path.suffix == ".jsonl":
        return list(next(_lines(path), ("", dict[str, Any]()))[1])
    import pyarrow.parquet as pq

    names: list[str] = _of_parquet(path, lambda: pq.read_schema(_parts(path)[0]).names)
    return names


def _values(path: Path, column: str) -> Json:
    values: Json = {}
    for where, row in _lines(path) if path.suffix == ".jsonl" else _rows(path, column):
        clip = row.get("clip_id")
        if not isinstance(clip, str):
            raise Unusable(f"{where}: clip_id is {clip!r}; give each row the id of its clip")
        if clip in values:
            raise Unusable(f"{where}: clip {clip} is there for the second time; keep one row of each clip")
        values[clip] = row.get(column)
    return values


def _lines(path: Path) -> Iterator[tuple[str, Json]]:
    """The objects of a JSON Lines file, each with its place."""
    try:
        with path.open(encoding="utf-8") as lines:
            for number, line in enumerate(lines, 1):
                if not line.strip():
                    continue
                try:
                    row = json.loads(line)
                except (ValueError, RecursionError) as error:
                    raise Unusable(f"{path}:{number}: not JSON ({error}); give one object a line") from None
                if not isinstance(row, dict):
                    raise Unusable(f"{path}:{number}: not an object; give one object a line")
                yield f"{path}:{number}", row
    except OSError as error:
        raise Unusable(f"{path}: {error.strerror}; give the path of a .jsonl or .parquet file") from None
    except UnicodeDecodeError as error:
        raise Unusable(f"{path}: not UTF-8 text ({error.reason}); save it as UTF-8") from None


def _rows(path: Path, column: str) -> Iterator[tuple[str, Json]]:
    import pyarrow.parquet as pq

    for part in _parts(path):
        rows = _of_parquet(part, lambda part=part: pq.read_table(part, columns=["clip_id", column]).to_pylist())
        for number, row in enumerate(rows, 1):
            yield f"{part}, row {number}", row


def _parts(path: Path) -> Sequence[Path]:
    """A parquet file, or those of a folder, such as a dataset's `metadata`."""
    parts = sorted(path.glob("*.parquet")) if path.is_dir() else [path]
    if not parts or parts[0].suffix != ".parquet":
        raise Unusable(f"{path}: give a .jsonl file, a .parquet file, or a folder of .parquet files")
    return parts


def _of_parquet(path: Path, read: Any) -> Any:
    import pyarrow as pa

    try:
        return read()
    except (OSError, pa.ArrowException) as error:
        raise Unusable(f"{path}: cannot be read as parquet ({error}); write the file anew") from None
