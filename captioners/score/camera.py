"""The camera's movement in a text as labels: pan_left, tilt_up, zoom_in, move_out, follow, handheld, static, ...

One pass over the words, so linear in the length of the text. A text is cut into clauses; in each, a direction belongs
to the movement named last ("pans slowly to the left"), or to the next where none was ("a leftward pan"); of "from left
to right" the second counts. What is negated ("does not pan, tilt or zoom") is not said, and a camera that does not move
is static. Other people's movements share the words ("walks to the left"): only verbs of cameras are read.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from .text import words

_FAMILIES = {
    "pan": "pan pans panned panning swivel swivels swivelling",
    "tilt": "tilt tilts tilted tilting",
    "zoom": "zoom zooms zoomed zooming",
    "move": "move moves moved moving movement movements motion dolly dollies dollying push pushes pushing pull pulls "
    "pulling truck trucks trucking slide slides sliding glide glides gliding crane cranes craning rise rises rising "
    "ascend ascends ascending descend descends descending advance advances advancing retreat retreats retreating",
    "follow": "follow follows followed following track tracks tracking",
    "orbit": "orbit orbits orbiting circle circles circling arc arcs arcing revolve revolves revolving",
    "roll": "roll rolls rolling rotate rotates rotating spin spins spinning",
    "handheld": "handheld shaky shake shakes shaking wobble wobbles wobbling jitter jitters jittery unsteady",
    "static": "static still stationary fixed locked motionless unmoving immobile steady",
}
_FAMILY = {word: family for family, listed in _FAMILIES.items() for word in listed.split()}
_DIRECTIONS = {
    "left": "left leftward leftwards",
    "right": "right rightward rightwards",
    "up": "up upward upwards top above",
    "down": "down downward downwards bottom below",
    "in": "in inward inwards into forward forwards closer nearer toward towards",
    "out": "out outward outwards back backward backwards away",
}
_DIRECTION = {word: way for way, listed in _DIRECTIONS.items() for word in listed.split()}
_OF_VERB = {"rise": "up", "asce": "up", "desc": "down", "adva": "in", "retr": "out"}  # by its first letters
_TAKES = {
    "pan": ("left", "right", "up", "down"),
    "tilt": ("left", "right", "up", "down"),
    "zoom": ("in", "out"),
    "move": ("left", "right", "up", "down", "in", "out"),
}
_TURNS = {"left": "pan_left", "right": "pan_right", "up": "tilt_up", "down": "tilt_down"}  # "pans up" is a tilt
_NOT = frozenset(
    {"not", "no", "without", "never", "neither", "nor", "cannot", "doesn", "isn", "don", "didn", "hardly", "lacks"}
)
_NEW = frozenset(["but", "while", "as", "then", "and", "it", "before", "after"])  # of which negation is over
_LINKS = frozenset({"and", "then", "or", "to", "the", "a", "back", "again", "slowly", "quickly", "from", "towards"})
_SENTENCE_ENDS = re.compile(r"[.;:!?]")
_OPPOSITE_ENDS = {"left": "right", "right": "left", "up": "down", "down": "up", "in": "out", "out": "in"}


@dataclass(slots=True)
class _Said:
    """A movement named in a clause."""

    family: str
    negated: bool
    ways: list[str] = field(default_factory=list)

    def labels(self) -> Iterator[str]:
        turns = self.family in ("pan", "tilt")
        for way in self.ways:
            yield _TURNS[way] if turns else f"{self.family}_{way}"
        if not self.ways and self.family != "move":
            yield self.family


def camera_labels(text: str | Iterable[str]) -> frozenset[str]:
    """What a text, or a list of labels, says of the camera; empty where it names nothing that is known."""
    said = text if isinstance(text, str) else ", ".join(text)
    labels, still = set[str](), False
    for sentence in _SENTENCE_ENDS.split(said):
        listed = False  # of what is negated: "does not pan, tilt or zoom"
        for clause in sentence.split(","):
            movements = _movements(words(clause))
            listed = listed and not any(movement.ways for movement in movements)
            for movement in movements:
                if movement.negated or listed:
                    still |= movement.family == "move" and not movement.ways
                else:
                    labels.update(movement.labels())
            listed = listed or any(movement.negated for movement in movements)
    return frozenset(labels - {"static"} or ({"static"} if still or labels else ()))


def _movements(clause: list[str]) -> list[_Said]:
    said: list[_Said] = []
    ahead: list[str] = []  # directions that no movement was named for yet
    negated = linked = False
    for at, word in enumerate(clause):
        before, after = clause[at - 1] if at else "", clause[at + 1] if at + 1 < len(clause) else ""
        family = _FAMILY.get(word)
        if word == "hand" and after == "held":
            family = "handheld"
        way = _DIRECTION.get(word)
        if word in _NOT:
            negated = True
        elif word in _NEW:
            negated = False
        if family is not None:
            said.append(_Said(family, negated))
            takes = _TAKES.get(family, ())
            said[-1].ways = [way for way in ahead if way in takes]
            if family == "move" and (own := _OF_VERB.get(word[:4])):
                said[-1].ways = [own]
            ahead, linked = [], True
        elif way is not None and not _is_origin(clause, at, before):
            if not said:
                ahead.append(way)
            elif way in _TAKES.get(said[-1].family, ()) and (linked or not said[-1].ways):
                said[-1].ways.append(way)
        elif word not in _LINKS:
            linked = False
    return said


def _is_origin(clause: list[str], at: int, before: str) -> bool:
    """Of "from left to right", "from the top", "left to right": where a movement comes from."""
    if before == "from" or (before == "the" and at > 1 and clause[at - 2] == "from"):
        return True
    rest = [word for word in clause[at + 1 : at + 4] if word != "the"]
    return rest[:1] == ["to"] and len(rest) > 1 and _DIRECTION.get(rest[1]) == _OPPOSITE_ENDS[_DIRECTION[clause[at]]]
