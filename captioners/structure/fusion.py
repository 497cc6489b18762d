"""What of a structured caption a language model is told that shall make prose of it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Literal

from ...builder.contract.clip import Row, Values
from .shots import has_expression

Mode = Literal["t2v", "i2v"]

Drops = Callable[[str], bool]
"""Whether to leave out a field by its place: subjects.0.appearance, subjects.0.position (of any number), lighting."""


def told_of(structure: Row, *, mode: Mode, drops: Drops) -> Values:
    """The fields in the order in which they shall be said, none of them empty; {} where there is nothing to say.

    How the camera moves is never told. i2v has the subjects alone that do something or have an expression; where there
    are none, it has the shot, the environment and the lighting.
    """
    subjects = [
        _subject(subject, mode=mode, drops=drops, place=f"subjects.{at}")
        for at, subject in enumerate(structure.get("subjects") or [])
    ]
    subjects = [subject for subject in subjects if subject]
    if mode == "i2v" and subjects:
        return {"subjects": subjects}
    shot = {name: said(structure.get(name)).replace("_", " ") for name in ("shot_type", "shot_angle", "shot_position")}
    lighting = "" if drops("lighting") else said(structure.get("lighting"))
    return _filled(
        {**shot, "subjects": subjects, "environment": said(structure.get("environment")), "lighting": lighting}
    )


def _subject(subject: Row, *, mode: Mode, drops: Drops, place: str) -> Values:
    name, action = said(subject.get("sub_type")), said(subject.get("action"))
    expression = said(subject.get("expression")) if has_expression(said(subject.get("type"))) else ""
    if mode == "i2v":
        return _filled({"name": name, "action": action, "expression": expression}) if action or expression else {}
    appearance, position = (
        "" if drops(f"{place}.{field}") else said(subject.get(field)) for field in ("appearance", "position")
    )
    return _filled(
        {"name": name, "action": action, "appearance": appearance, "expression": expression, "position": position}
    )


def said(text: str | None) -> str:
    """A text on one line; "" where it says nothing, which "other" does too."""
    line = " ".join((text or "").split())
    return "" if line.casefold() == "other" else line


def _filled(fields: Values) -> Values:
    return {name: value for name, value in fields.items() if value}


def dropout(rate: float, *, seed: int, clip_id: str) -> Drops:
    """Leaves out this share of the fields, by a hash of place, clip and seed: the same ones in every run."""

    def drops(place: str) -> bool:
        digest = hashlib.blake2b(f"{seed} {clip_id} {place}".encode(), digest_size=6).digest()
        return int.from_bytes(digest, "big") < rate * 2**48

    return drops


def camera_sentence(structure: Row) -> str:
    """How the camera moves, as a sentence; "" where nothing is said of it."""
    line = said(structure.get("camera_motion"))
    if not line:
        return ""
    return line[0].upper() + line[1:] + ("" if line.endswith((".", "!", "?")) else ".")
