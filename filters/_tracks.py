"""Texts over the frames of a clip: which lines are the same text, and whether it stands still."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from difflib import SequenceMatcher

import numpy as np

from ..builder.contract.engine import TextLine

_SAME_PLACE = 0.5  # intersection over union of two lines
_SIMILAR = 0.75  # of the letters of two texts at one place: a reader errs over a changing picture
_ALIKE = 0.85  # of two texts at different places
_LETTERS = 3  # of a text that is known by its words alone: "to" is everywhere
_STEADY = 0.6  # share of the sightings that must agree on the place of a text that stands still


@dataclass(frozen=True, slots=True)
class Box:
    """Upright, in pixels of the frames."""

    left: float
    top: float
    right: float
    bottom: float

    @property
    def height(self) -> float:
        return self.bottom - self.top

    @property
    def sides(self) -> tuple[float, float, float, float]:
        return self.left, self.top, self.right, self.bottom

    def scaled(self, across: float, down: float) -> Box:
        return Box(self.left * across, self.top * down, self.right * across, self.bottom * down)

    def overlap(self, other: Box) -> float:
        """Intersection over union."""
        wide = min(self.right, other.right) - max(self.left, other.left)
        high = min(self.bottom, other.bottom) - max(self.top, other.top)
        if wide <= 0 or high <= 0:
            return 0.0
        return wide * high / (self._area + other._area - wide * high)

    def agrees(self, other: Box) -> bool:
        """Whether a text in it stands where one in the other does: nearer than a third of its height. The end of a line
        may be missed, so one side is enough; zooming moves both, or changes the height.
        """
        near = max(2.0, 0.3 * other.height)
        beside = min(abs(self.left - other.left), abs(self.right - other.right))
        above = max(abs(self.top - other.top), abs(self.bottom - other.bottom))
        return beside <= near and above <= near

    def same(self, other: Box) -> bool:
        """Whether all sides are where the other's are, but for the reader's own error."""
        apart = np.abs(np.subtract(self.sides, other.sides)).max()
        return bool(apart <= max(3.0, 0.15 * self.height))

    @property
    def _area(self) -> float:
        return (self.right - self.left) * (self.bottom - self.top)


@dataclass(frozen=True, slots=True)
class Sighting:
    """A line in a frame."""

    frame: int
    line: TextLine
    box: Box


@dataclass(slots=True)
class Track:
    """One text, from frame to frame."""

    seen: list[Sighting] = field(default_factory=list)

    @property
    def box(self) -> Box:
        """Where it stands: the median of its sightings."""
        return Box(*np.median([one.box.sides for one in self.seen], axis=0).tolist())

    @property
    def text(self) -> str:
        """As it was read with the greatest certainty."""
        return max(self.seen, key=lambda one: one.line.score).line.text

    def steady(self) -> list[Sighting]:
        """The sightings that agree on one place; none where it moves, or was seen once."""
        place = self.box
        agreeing = [one for one in self.seen if one.box.agrees(place)]
        return agreeing if len(agreeing) >= max(2.0, _STEADY * len(self.seen)) else []


def tracked(lines: Sequence[Sequence[TextLine]], *, width: int, height: int) -> list[Track]:
    """The texts of a clip, in the order in which they come. `lines`: of each frame."""
    tracks: list[Track] = []
    for frame, found in enumerate(lines):
        rest = [Sighting(frame, line, _box(line, width, height)) for line in found]
        free = list(tracks)
        for fits in (_stands, _moved):
            for one in list(rest):
                if track := max((track for track in free if fits(track, one)), key=_last, default=None):
                    track.seen.append(one)
                    free.remove(track)
                    rest.remove(one)
        tracks += [Track([one]) for one in rest]
    return tracks


def _last(track: Track) -> int:
    return track.seen[-1].frame


def _stands(track: Track, one: Sighting) -> bool:
    last = track.seen[-1]
    return last.box.overlap(one.box) >= _SAME_PLACE and _likeness(last.line.text, one.line.text) >= _SIMILAR


def _moved(track: Track, one: Sighting) -> bool:
    told = track.seen[-1].line.text
    return len(letters(told)) >= _LETTERS and _likeness(told, one.line.text) >= _ALIKE


def _likeness(first: str, second: str) -> float:
    one, other = letters(first) or first, letters(second) or second
    return SequenceMatcher(None, one, other, autojunk=False).ratio()


def letters(text: str) -> str:
    """What tells a text: letters and digits. A texture is often read as strokes and dots."""
    return "".join(letter for letter in text.casefold() if letter.isalnum())


def _box(line: TextLine, width: int, height: int) -> Box:
    across, down = zip(*line.corners, strict=True)
    return Box(min(across) * width, min(down) * height, max(across) * width, max(down) * height)
