"""The files of an Ego4D download: its videos, their redacted intervals, their narrations."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from ..contract.clip import Row, Values
from ..contract.errors import ClipError, Reason, Rejection, RunError
from ..contract.source import SourceReject
from ._root import Place, Root
from ._tables.cells import number, text

Entry = Row
Span = tuple[float, float]

_FOLDERS = ("full_scale", "video_540ss")  # the first that has the video


@dataclass(frozen=True, slots=True)
class Video:
    """A video of ego4d.json. `length_s` of its video stream, which may end before the container does."""

    uid: str
    redacted: tuple[Span, ...]
    length_s: float | None
    scenarios: tuple[str, ...]

    def parts(self) -> list[Span]:
        """What lies between the redacted intervals. Raises ClipError (bad_row) without a length."""
        if self.length_s is None:
            raise ClipError(Reason.BAD_ROW, "redacted, and without a duration_sec")
        parts, at = [], 0.0
        for start, end in [*self.redacted, (self.length_s, self.length_s)]:
            if min(start, self.length_s) > at:
                parts.append((at, min(start, self.length_s)))
            at = max(at, end)
        return parts

    def check_clear(self, start: float, end: float) -> None:
        """Raises ClipError (excluded) where a range touches a redacted interval."""
        for first, last in self.redacted:
            if start < last and end > first:
                raise ClipError(Reason.EXCLUDED, f"touches the redacted interval {first:g}-{last:g} s")

    def file(self, root: Root) -> Place:
        """Raises ClipError (missing_file)."""
        for folder in _FOLDERS:
            if place := root.find(f"{folder}/{self.uid}"):
                return place
        raise ClipError(Reason.MISSING_FILE, f"video is neither in {' nor in '.join(_FOLDERS)}")


def video_of(entry: Entry) -> Video:
    """An entry of `videos[]`. Raises ClipError (bad_row, excluded): what was redacted must never show by mistake."""
    intervals = entry.get("redacted_intervals") or []
    if not isinstance(intervals, list):
        raise ClipError(Reason.BAD_ROW, "redacted_intervals is no list")
    redacted = tuple(sorted(_span(interval) for interval in intervals))
    if entry.get("has_redacted_regions") and not redacted:
        raise ClipError(Reason.EXCLUDED, "has redacted regions, and does not say which")
    if entry.get("is_stereo"):
        raise ClipError(Reason.EXCLUDED, "is_stereo: both eyes side by side in one picture")
    scenarios = entry.get("scenarios")
    named = [text(name) for name in scenarios] if isinstance(scenarios, list) else []
    return Video(str(entry["video_uid"]), redacted, _length(entry), tuple(name for name in named if name))


def _span(interval: object) -> Span:
    if isinstance(interval, dict):
        start = number(interval.get("start_sec"), name="redacted start_sec")
        end = number(interval.get("end_sec"), name="redacted end_sec")
        if start is not None and end is not None and start <= end:
            return start, end
    raise ClipError(Reason.BAD_ROW, "a redacted interval without start_sec and end_sec")


def _length(entry: Entry) -> float | None:
    meta = entry.get("video_metadata")
    stream = number(meta.get("video_duration_sec"), name="video_duration_sec") if isinstance(meta, dict) else None
    whole = number(entry.get("duration_sec"), name="duration_sec")
    return min((length for length in (stream, whole) if length), default=None)


def load(path: Path) -> Values:
    """A JSON file of the download, read whole. Raises RunError."""
    try:
        with path.open("rb") as file:
            whole = json.load(file)
    except FileNotFoundError:
        raise RunError(f"ego4d: no {path}; `root` is the output directory of the `ego4d` command") from None
    except (OSError, ValueError, RecursionError) as error:
        raise RunError(f"ego4d: {path}: cannot be read as JSON: {error}") from error
    if not isinstance(whole, dict):
        raise RunError(f"ego4d: {path}: not a JSON object; download it again")
    return whole


def by_uid(entries: object, *, key: str) -> tuple[dict[str, Entry], list[SourceReject]]:
    """Entries by uid, sorted; those without a uid that could name a file are rejects."""
    found: dict[str, Entry] = {}
    rejects = []
    for index, entry in enumerate(entries if isinstance(entries, list) else []):
        uid = entry.get(key) if isinstance(entry, dict) else None
        if isinstance(uid, str) and re.fullmatch(r"[A-Za-z0-9_-]{1,64}", uid):
            found[uid] = entry
        else:
            rejects.append(SourceReject(f"{key} {index}", Rejection(Reason.BAD_ROW, f"{key} is no uid")))
    return dict(sorted(found.items())), rejects


def narrations_of(narrated: object, passes: Iterable[int]) -> Iterable[tuple[str, object]]:
    """(`pass_1/00007`, narration) of the passes that are there, in order."""
    for one in passes:
        told = narrated.get(f"narration_pass_{one}") if isinstance(narrated, dict) else None
        narrations = told.get("narrations") if isinstance(told, dict) else None
        for index, narration in enumerate(narrations if isinstance(narrations, list) else []):
            yield f"pass_{one}/{index:05d}", narration


def readable(narration: str) -> str:
    """A narration without its tags: `#C C opens the #unsure` gives `The camera wearer opens the something`.

    `#C C` is the wearer, `#O man X` another person, `#unsure` a thing that the annotator could not tell; other tags go.
    """
    plain = re.sub(r"^\s*#C\s*C\b", "The camera wearer", narration, flags=re.IGNORECASE)
    plain = re.sub(r"#unsure\b", "something", plain, flags=re.IGNORECASE)
    return re.sub(r"\s+", " ", re.sub(r"#\w+", " ", plain)).strip()
