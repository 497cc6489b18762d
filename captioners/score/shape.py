"""One form for a structured caption, however it was written: our column `structure`, or SkyCaptioner's own JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping

from .text import words

_VALUES: Mapping[str, Mapping[str, str]] = {
    "shot_type": {
        "extreme close up": "extreme_close_up",
        "close up": "close_up",
        "medium": "medium_shot",
        "full": "full_shot",
        "long": "long_shot",
        "wide": "long_shot",
    },
    "shot_angle": {"eye level": "eye_level", "high": "high_angle", "low": "low_angle"},
    "shot_position": {
        "over the shoulder": "over_the_shoulder",
        "point of view": "point_of_view",
        "first person": "point_of_view",
        "overhead": "overhead_view",
        "overlooking": "overlooking_view",
        "aerial": "aerial_view",
        "front": "front_view",
        "back": "back_view",
        "side": "side_view",
    },
    "type": {"person": "human", "people": "human", "human": "human", "animal": "animal"},
}
"""Words that name a class in a text; the longer ones come first."""


def shaped(value: object) -> object:
    """A structure in our form: JSON text is read, also between fences, and a subject's TYPES become two of its fields.

    What is no structure stays as it is.
    """
    if isinstance(value, str):
        start, end = value.find("{"), value.rfind("}")
        try:
            value = json.loads(value[start : end + 1])
        except (ValueError, RecursionError):
            return value
    if not isinstance(value, Mapping) or not isinstance(value.get("subjects"), list):
        return value
    return {**value, "subjects": [_flat(subject) for subject in value["subjects"]]}


def _flat(subject: object) -> object:
    if not isinstance(subject, Mapping):
        return subject
    types = subject.get("TYPES")
    flat = {name: inner for name, inner in subject.items() if name != "TYPES" or not isinstance(types, Mapping)}
    flat |= types if isinstance(types, Mapping) else {}
    flag = str(flat.get("is_main_subject")).casefold()
    if flag in ("true", "false"):
        flat["is_main_subject"] = flag == "true"
    return flat


def class_of(name: str, text: str) -> str:
    """The class that a text names ("Close-up shot of a man" is close_up); its own words where it names none."""
    said = " ".join(words(text)).replace("closeup", "close up")
    known = _VALUES.get(name, {})
    return next((label for named, label in known.items() if f" {named} " in f" {said} "), said.replace(" ", "_"))
