"""How a caption was made: the columns that say so, and where they stand among a step's.

A hash among them binds a caption to its clip, to what was asked, and to its words.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from .clip import Columns, Row, Values
from .identity import text_hash

INFO: Columns = {
    "status": "string",
    "model": "string",
    "revision": "string",
    "prompt": "string",
    "frames": ["string"],
    "seed": "int64",
    "input_tokens": "int64",
    "output_tokens": "int64",
    "tries": "int64",
    "request": "string",
    "hash": "string",
}
"""What is kept of how a caption was made. `prompt`: hash of the prompt's text; `frames`: hashes of the pictures that
the model saw, in their order; tokens: of all tries together; `request`: the key of the last; `hash`: of all these with
the clip's id and the caption, made by the run itself."""


def is_info(kind: object) -> bool:
    """Whether the type of a struct says how a caption was made: it is known by its fields."""
    return isinstance(kind, Mapping) and kind.keys() >= INFO.keys()


@dataclass(frozen=True, slots=True)
class InfoPlace:
    """Where the structs are that say how captions were made.

    `captions`: the columns that hold these: more than one where one answer became several. `column`: `<caption>_info`,
    or the caption itself where each of its items has a struct. `path`: the way in from there: names of fields, None for
    the items of a list.
    """

    captions: tuple[str, ...]
    column: str
    path: tuple[str | None, ...]

    def of(self, row: Row) -> list[Values]:
        """The structs of one row, in order; none where there is no caption."""
        return [info for info, _ in self.about(row)]

    def about(self, row: Row) -> Iterator[tuple[Values, Any]]:
        """The structs of one row, each with the caption that it is about."""
        captions = {} if self.path else {name: row.get(name) for name in self.captions}
        return _inside(row.get(self.column), self.path, captions)


def _inside(value: Any, path: tuple[str | None, ...], about: Any) -> Iterator[tuple[Values, Any]]:
    if value is None:
        return
    if not path:
        yield value, about
    elif path[0] is None:
        for item in value:
            yield from _inside(item, path[1:], None)
    else:
        beside = {name: inner for name, inner in value.items() if name != path[0]}
        yield from _inside(value[path[0]], path[1:], beside)


def info_places(columns: Columns) -> list[InfoPlace]:
    """All of them among the columns that a step adds, in their order."""
    return [
        InfoPlace((column,) if path else _captions(column, columns), column, path)
        for column, kind in columns.items()
        for path in _paths(kind)
    ]


def _captions(info: str, columns: Columns) -> tuple[str, ...]:
    """What a column of structs is about: the one that it is named after, or else all that its step adds beside it."""
    named = info.removesuffix("_info")
    return (named,) if named in columns else tuple(name for name, kind in columns.items() if not is_info(kind))


def _paths(kind: object) -> Iterator[tuple[str | None, ...]]:
    if is_info(kind):
        yield ()
    elif isinstance(kind, Mapping):
        yield from ((name, *path) for name, inner in kind.items() for path in _paths(inner))
    elif isinstance(kind, list | tuple):
        yield from ((None, *path) for path in _paths(kind[0]))


def bind(clip_id: str, values: Values, columns: Columns) -> None:
    """Write the hash into every struct of a clip's values; these are as Arrow gives them."""
    for place in info_places(columns):
        for info, caption in list(place.about(values)):
            info["hash"] = _hash(clip_id, info, caption)


def is_bound(clip_id: str, info: Row, caption: object) -> bool:
    """Whether a caption is the one that was made for this clip, by what its struct says."""
    return bool(info["hash"] == _hash(clip_id, info, caption))


def _hash(clip_id: str, info: Row, caption: object) -> str:
    made = {name: value for name, value in info.items() if name != "hash"}
    return text_hash(json.dumps([clip_id, caption, made], sort_keys=True))
