"""What the columns of a table are: by a list of names, by what the recipe says, and never by a guess.

Names are compared in lower case, with every other character than a letter or a digit as `_`. A column whose name only
looks like a role that no column has is an error: what is a clip's start must not be passed over in silence.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import Literal, get_args

from ...contract.errors import RunError
from .tabular import listed

Role = Literal["media", "start", "end", "duration", "timestamp", "caption", "license", "source_url"]
ROLES: tuple[Role, ...] = get_args(Role)

_SECONDS = ("s", "sec", "secs", "second", "seconds")
_OTHER_UNITS: Mapping[str, tuple[str, int, int]] = {  # its name, and how many of them are how many seconds
    **dict.fromkeys(("ms", "msec", "millis", "millisecond", "milliseconds"), ("milliseconds", 1000, 1)),
    **dict.fromkeys(("us", "usec", "micros", "microsecond", "microseconds"), ("microseconds", 1_000_000, 1)),
    **dict.fromkeys(("ns", "nsec", "nanos", "nanosecond", "nanoseconds"), ("nanoseconds", 1_000_000_000, 1)),
    **dict.fromkeys(("min", "mins", "minute", "minutes"), ("minutes", 1, 60)),
    **dict.fromkeys(("h", "hour", "hours"), ("hours", 1, 3600)),
}
_UNITS = ("", *(f"_{unit}" for unit in (*_SECONDS, *_OTHER_UNITS) if unit not in ("min", "h")))  # min: or the least


def _times(*words: str) -> tuple[str, ...]:
    kinds = ("", "_time", "time", "_timestamp", "timestamp")
    return tuple("".join(parts) for parts in product(words, kinds, _UNITS))


NAMES: Mapping[Role, Sequence[str]] = {
    "media": (
        "path", "file_name", "filename", "file_path", "filepath", "file", "video_path", "video_file", "video_name",
        "video_filename", "video", "media_path", "media_file", "media", "clip_path", "clip_file", "clip",
        "url", "video_url", "media_url", "clip_url", "content_url", "contenturl",
    ),
    "start": _times("start", "begin"),
    "end": _times("end", "stop"),
    "duration": tuple(f"duration{unit}" for unit in _UNITS),
    "timestamp": ("timestamp", "timestamps", "time_range", "time_span", "span", "segment"),
    "caption": ("text", "caption", "captions", "prompt", "cap", "sentence", "sentences"),
    "license": ("license", "licence"),
    "source_url": ("source_url", "page_url", "webpage_url", "url", "video_url", "link"),
}  # fmt: skip
"""The usual names of each role, of the tables of Open-Sora, VideoFolder, VideoX-Fun, LTX, musubi, OpenVid, InternVid,
FastVideo and others. An address is the media only where no column of paths is there."""

_LOOKS: Mapping[Role, str] = {
    "media": "path file filename video clip media url uri",
    "start": "start* begin* onset =from =in =t0",
    "end": "end ending endtime endtimestamp endsec stop* finish* =to =out =t1",
    "duration": "dur duration =length =len =seconds =secs",
    "timestamp": "timestamp timecode span segment interval",
    "caption": "caption* prompt* sentence description cap text",
    "license": "licen* copyright right",
    "source_url": "",
}
"""Words in a name that make it look like a role; `word*`: words that begin so; `=word`: the whole name."""
_OF_OTHER_THINGS = frozenset(
    {"len", "length", "score", "count", "num", "number", "id", "lang", "model", "created", "uploaded", "published"}
)

_OF_TIMES = ("start", "end", "duration", "timestamp")
_DATE_S = 1e8  # three years: no time in a video
_FRAMES_COUNTED = re.compile(r"^(?!.*_?(?:time|timestamp|s|sec|secs|seconds?|ms)$).*(?:^|_)frames?(?:_|$)")
_YAML_WORDS = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false", "null"})
_NAMELESS = re.compile(r"Unnamed: \d+(?:\.\d+)*|__index_level_\d+__")  # the index that pandas writes along


@dataclass(frozen=True, slots=True)
class Roles:
    """`columns`: the column of each role that has one. `others`: what has no role, in the table's order. `left`: what
    is not read at all, and why."""

    columns: Mapping[Role, str]
    others: tuple[str, ...]
    left: Mapping[str, str] = field(default_factory=dict)

    def unit(self, role: Role) -> tuple[str, int, int] | None:
        """What a column of times counts, where its name says that it is not seconds; so many are so many seconds."""
        name = normal(self.columns.get(role, "")) if role in _OF_TIMES else ""
        return _OTHER_UNITS.get(name.rpartition("_")[2]) if "_" in name else None

    @property
    def starts_at_timestamp(self) -> bool:
        """Whether one time in the column of timestamps is a start: no number of a `segment`, and with an end."""
        name = normal(self.columns.get("timestamp", ""))
        times = name.startswith("timestamp") or bool(name and name not in NAMES["timestamp"])
        return times and not self.columns.keys().isdisjoint(("end", "duration"))

    def no_start(self, value_s: float | None) -> str:
        """Why one time in the column of timestamps is not read as a start, and what to do; "" where it is."""
        column = self.columns["timestamp"]
        if not self.starts_at_timestamp:
            return (
                "one number, no pair of times, as in [1.5, 4]; if it is a start, say "
                f"`columns: {{start: {in_yaml(column)}}}`, if no time at all, `columns: {{timestamp: null}}`"
            )
        if value_s is not None and value_s >= _DATE_S:
            return f"{value_s:.0f} is a date; say `columns: {{timestamp: null}}`, or `ignore: [{in_yaml(column)}]`"
        return ""


def normal(name: str) -> str:
    """A name as it is compared: `Start Timestamp` and `startTimestamp` are start_timestamp."""
    seen = "".join(char for char in name.strip() if unicodedata.category(char) != "Cf")  # U+200B takes no place
    apart = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", seen)
    return re.sub(r"[^a-z0-9]+", "_", apart.lower()).strip("_")


def roles_of(names: Sequence[str], *, chosen: Mapping[Role, str | None], ignored: Collection[str], place: str) -> Roles:
    """The role of every column. `chosen`: what the recipe says; None: no column has this role. `place` begins messages.

    Raises RunError where a name is not there, where two columns fit, or where a name only looks like a missing role.
    """
    left = dict.fromkeys(ignored, "ignored")
    for name in [*ignored, *(name for name in chosen.values() if name is not None)]:
        if name not in names:
            raise RunError(f"{place}: no column {name!a}; the table has {listed(names)}")
    for role, chosen_name in chosen.items():
        if role in _OF_TIMES and _FRAMES_COUNTED.search(normal(chosen_name or "")):
            raise RunError(
                f"{place}: the column {chosen_name!a} is counted in frames, which is not read as {role}; add a column "
                "in seconds"
            )
    left.update({name: "has no name" for name in names if _NAMELESS.fullmatch(name)})
    named = [name for name in names if name not in left or name in chosen.values()]
    columns: dict[Role, str] = {role: name for role, name in chosen.items() if name is not None}
    for role in ROLES:
        if role in chosen or (role == "timestamp" and "start" in columns):
            continue
        free = [name for name in named if name not in columns.values()]
        if role == "timestamp" and "end" in columns:
            free = [name for name in free if normal(name).startswith("timestamp")]
        if column := _usual(role, free, place):
            columns[role] = column
    others = tuple(name for name in named if name not in columns.values())
    _refuse_lookalikes(columns, others, chosen, place)
    if "duration" in columns and "start" not in columns and not Roles(columns, ()).starts_at_timestamp:
        left[columns.pop("duration")] = "without a start it says what is measured anyway"
    return Roles(columns, others, {name: why for name, why in left.items() if name not in columns.values()})


def _usual(role: Role, free: Sequence[str], place: str) -> str | None:
    fits = [name for name in free if normal(name) in NAMES[role] or name.strip().lower() in NAMES[role]]
    if role == "media" and len(fits) > 1:
        fits = [name for name in fits if not normal(name).endswith("url")] or fits
    if len(fits) > 1:
        raise RunError(
            f"{place}: the columns {listed(fits)} could each be the {role}; say which: "
            f"`columns: {{{role}: {in_yaml(fits[0])}}}`"
        )
    return fits[0] if fits else None


def _refuse_lookalikes(
    columns: Mapping[Role, str], others: Sequence[str], chosen: Mapping[Role, str | None], place: str
) -> None:
    if "media" not in columns:
        looks = [name for name in others if _looks_like("media", name)]
        example = in_yaml(looks[0] if looks else others[0] if others else "path")
        raise RunError(
            f"{place}: no column of paths or addresses; the table has {listed(others)}; name it: "
            f"`columns: {{media: {example}}}` (a file without a header line needs one, as in path,text)"
        )
    for role in ROLES:
        if role in columns or role in chosen:
            continue
        if role == "timestamp" and not columns.keys().isdisjoint(("start", "end")):
            continue
        if role in ("start", "end") and "timestamp" in columns:
            continue
        if role == "end" and "duration" in columns and "start" in columns:
            continue
        if role == "duration" and ("start" not in columns or "end" in columns):
            continue
        for name in others:
            if _looks_like(role, name):
                raise RunError(f"{place}: {_lookalike(role, name)}")


def _looks_like(role: Role, name: str) -> bool:
    words = normal(name).split("_")
    words += [word.removesuffix("s") for word in words]
    for look in _LOOKS[role].split():
        if look.startswith("="):
            fits = normal(name) == look[1:]
        elif look.endswith("*"):
            fits = any(word.startswith(look[:-1]) for word in words)
        else:
            fits = look in words
        if fits and (look.startswith("=") or _OF_OTHER_THINGS.isdisjoint(words)):
            return True
    return False


def _lookalike(role: Role, name: str) -> str:
    if role in _OF_TIMES and _FRAMES_COUNTED.search(normal(name)):
        return (
            f"the column {name!a} looks like a {role} counted in frames, which is not read; add a column in "
            f"seconds, or leave it out with `ignore: [{in_yaml(name)}]`"
        )
    return (
        f"the column {name!a} looks like the {role} of the clips, and no column is read as that; say "
        f"`columns: {{{role}: {in_yaml(name)}}}`, or `ignore: [{in_yaml(name)}]` to leave it out"
    )


def in_yaml(name: str) -> str:
    """A name as a recipe has it: in quotation marks where YAML would read anything else."""
    plain = re.fullmatch(r"[A-Za-z_]\w*", name, re.ASCII) and name.lower() not in _YAML_WORDS
    quoted = json.dumps(name, ensure_ascii=False)
    return name if plain else "".join(char if char.isprintable() else f"\\U{ord(char):08x}" for char in quoted)
