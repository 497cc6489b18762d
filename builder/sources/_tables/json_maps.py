"""A JSON document that is a map: of ids or media names to rows, `{"clip1": {"path": ...}}`, or of media names to
captions, `{"a.mp4": "a dog"}`. What could be a row itself is none.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import Any

from ...contract.errors import RunError
from ...contract.urls import is_url
from .._root import VIDEO_EXTENSIONS
from .json_rows import Row, json_pairs

_LOOKED_AT = 100  # entries
FIELDS = re.compile(
    r"(?:video|media|clip|file|image|audio|mp4|url|path|meta(?:data)?|info|data|rows|items|train|test|val(?:id(?:ation)?)?"
    r"|annotations?|captions?|features?|config|version|database|results?)s?",
    re.IGNORECASE,
)
"""Keys that name what a row has, or a part of a document; no ids."""


def key_column(path: Path, encoding: str | None) -> str:
    """The column that the keys of such a map are, `path` or `id`; "" where the document is no such map."""
    entries: list[tuple[str, Any]] = []
    try:
        entries.extend(islice(json_pairs(path, encoding), _LOOKED_AT))
    except RunError:
        return ""
    keys = [key for key, _ in entries]
    values = [value for _, value in entries]
    if not keys or any(FIELDS.fullmatch(key) for key in keys):
        return ""
    if all(isinstance(value, str) for value in values):
        return "path" if names_media(keys) else ""
    if not all(isinstance(value, dict) for value in values):
        return ""
    taken = {name.lower() for value in values for name in value}
    if names_media(keys) and not any(_media(value) for value in values):
        return "path"
    return next((name for name in ("id", "key", "clip_key") if name not in taken), "")


def names_media(keys: Collection[str]) -> bool:
    """Whether all are names of video files, or addresses."""
    return all(is_url(key.strip()) or PurePosixPath(key.strip()).suffix.lower() in VIDEO_EXTENSIONS for key in keys)


def map_rows(path: Path, encoding: str | None, *, key: str) -> Iterator[Row]:
    """A row an entry, the key in the column `key`."""
    for number, (name, value) in enumerate(json_pairs(path, encoding), 1):
        if isinstance(value, dict):
            yield f"row {number}", value if key in value else {key: name, **value}
        elif isinstance(value, str) and key == "path":
            yield f"row {number}", {key: name, "caption": value}
        else:
            yield f"row {number}", "not a JSON object"


def no_rows(looked: Sequence[Mapping[str, object] | str], *, lines: bool, name: str) -> str:
    """What is wrong where the first rows of a JSON table are none, and how to make some of them; else ""."""
    rows = [cells for cells in looked if not isinstance(cells, str)]
    option, every, new = ("-c ", "%s", "rows.jsonl") if lines else ("", "[.[] | %s]", "rows.json")
    if looked and all(isinstance(cells, str) and cells.startswith("not ") and "object" in cells for cells in looked):
        made = [f"jq {option}'{every % one}' {name} > {new}" for one in ("{path: .}", "{path: .[0], caption: .[1]}")]
        return (
            'a row is an object, {"path": "a.mp4", "caption": "a dog"}, and these are none; if they are paths, make '
            f"objects of them: {made[0]}; if they are lists of a path and a caption: {made[1]}"
        )
    single = [next(iter(cells.items())) for cells in rows if len(cells) == 1]
    if lines and rows and len(single) == len(rows):
        keys, inner = [key for key, _ in single], all(isinstance(value, dict) for _, value in single)
        if names_media(keys) or (inner and not any(FIELDS.fullmatch(key) for key in keys)):
            field = "path" if names_media(keys) else "id"
            pair = f"{{{field}: .key}} + .value" if inner else f"{{{field}: .key, caption: .value}}"
            return (
                f'a line is an object of a key and a value, which is no row; make rows, {{"{field}": ...}}, of them: '
                f"jq -c 'to_entries[] | {pair}' {name} > {new}"
            )
    return ""


def _media(row: Mapping[str, object]) -> bool:
    """Whether a row names its media itself."""
    return any(isinstance(value, str) and names_media([value]) for value in row.values())
