"""Captions that models made: the texts that they were asked with, and how a page shows what they answered."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TypedDict, TypeGuard

from .record import BuildRecord, Json, Sample

_INFO = frozenset({"status", "model", "revision", "prompt", "frames", "seed", "input_tokens", "output_tokens", "tries"})


def is_info(value: object) -> TypeGuard[Json]:
    """Whether a struct, or the type of one, says how a caption was made: it is known by its fields."""
    return isinstance(value, dict) and value.keys() >= _INFO


def shown_columns(record: BuildRecord) -> Json:
    """The published columns without those that only say how a caption was made; such a struct within one is "info"."""
    return {name: _briefly(kind) for name, kind in record["columns"].items() if not is_info(kind)}


def info_columns(record: BuildRecord) -> list[str]:
    """The columns that say how captions were made, each once."""
    return list(dict.fromkeys(caption["info"] for caption in record["captions"]))


def _briefly(kind: object) -> object:
    if is_info(kind):
        return "info"
    if isinstance(kind, dict):
        return {name: _briefly(inner) for name, inner in kind.items()}
    return [_briefly(inner) for inner in kind] if isinstance(kind, list) else kind


class Made(TypedDict):
    """A row of the table of captions. `by`: the model, or what a caption comes from that no model wrote."""

    columns: list[str]
    by: str
    revision: str
    statuses: dict[str, int]
    tokens: tuple[int, int] | None
    """In and out; None where no model was asked."""


def caption_table(record: BuildRecord) -> list[Made]:
    """How the captions were made: those of models, and the published one before them where none wrote it."""
    rows: list[Made] = [
        {
            "columns": made["columns"],
            "by": made["model"] or "",
            "revision": made["revision"] or "",
            "statuses": made["statuses"],
            "tokens": (made["input_tokens"], made["output_tokens"]),
        }
        for made in record["captions"]
    ]
    published = record["caption"]
    if published is None or any(published in made["columns"] for made in rows):
        return rows
    makers = [step["name"] for step in record["steps"] if published in step["adds"]]
    by = f"the step {makers[-1]}" if makers else "the source"
    return [{"columns": [published], "by": by, "revision": "", "statuses": {}, "tokens": None}, *rows]


class Prompt(TypedDict):
    name: str
    text: str
    steps: list[str]
    """The steps that ask with it."""


def prompts(record: BuildRecord) -> list[Prompt]:
    """Every text that captions were asked for with, once, in the order of the steps."""
    found: dict[tuple[str, str], Prompt] = {}
    for step in record["steps"]:
        for name, text in step["prompts"].items():
            found.setdefault((name, text), {"name": name, "text": text, "steps": []})["steps"].append(step["name"])
    return list(found.values())


class Line(TypedDict):
    """A piece of a caption. `label`: the seconds or the fields that it is about; empty for a plain text."""

    label: str
    text: str


class Caption(TypedDict):
    """A caption of one clip, to show: of one column, or of the several that one answer became."""

    columns: list[str]
    status: str | None
    """Why it is not as it should be; None for a good one."""
    lines: list[Line]


def captions_of(record: BuildRecord, sample: Sample) -> list[Caption]:
    """What models said about a sample, in the order of the columns; without what is empty, unless it failed."""
    row = sample.get("row", {})
    shown: dict[tuple[str, ...], Caption] = {}
    for made in record["captions"]:
        values = {
            name: _parsed(row[name]) if record["columns"].get(name) == "json" else row[name]
            for name in made["columns"]
            if name in row
        }
        lines = _lines(values if len(made["columns"]) > 1 else next(iter(values.values()), None), ())
        shown[tuple(made["columns"])] = {
            "columns": made["columns"],
            "status": _bad_status(row.get(made["info"])),
            "lines": list(lines),
        }
    return [caption for caption in shown.values() if caption["lines"] or caption["status"]]


def _parsed(value: object) -> object:
    """What a JSON text says; an answer that was kept though it is none stays as it is."""
    try:
        return json.loads(value) if isinstance(value, str) else value
    except ValueError:
        return value


def _lines(value: object, labels: tuple[str, ...]) -> Iterator[Line]:
    """A value in reading order: items by their seconds or their number, fields by their names."""
    if isinstance(value, dict):
        yield from _fields(value, labels)
    elif isinstance(value, list) and any(isinstance(item, dict | list) for item in value):
        for number, item in enumerate(value, 1):
            timed = isinstance(item, dict) and _seconds(item) is not None
            yield from _lines(item, labels if timed else (*labels, str(number)))
    elif isinstance(value, list):
        yield from _lines(", ".join(map(str, value)), labels)
    elif isinstance(value, bool):
        yield {"label": " · ".join(labels), "text": "yes" if value else "no"}
    elif value is not None and str(value).strip():
        yield {"label": " · ".join(labels), "text": str(value)}


def _fields(item: Json, labels: tuple[str, ...]) -> Iterator[Line]:
    seconds = _seconds(item)
    fields = {name: inner for name, inner in item.items() if not is_info(inner)}
    if seconds is not None:
        labels = (*labels, seconds)
        fields = {name: inner for name, inner in fields.items() if name not in {"start", "end"}}
    labels += tuple(status for status in map(_bad_status, item.values()) if status)
    for name, inner in fields.items():
        alone = seconds is not None and len(fields) == 1
        yield from _lines(inner, labels if alone else (*labels, name.replace("_", " ")))


def _seconds(item: Json) -> str | None:
    """The seconds that an item is about, if it says so."""
    start, end = item.get("start"), item.get("end")
    if not isinstance(start, int | float) or not isinstance(end, int | float):
        return None
    return f"{start:.1f} s" if start == end else f"{start:.1f}–{end:.1f} s"


def _bad_status(info: object) -> str | None:
    return None if not is_info(info) or info["status"] in ("ok", None) else str(info["status"])
