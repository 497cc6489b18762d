"""The structure of a shot as SkyCaptioner-V1 has it: what a model is asked for, and the column that it becomes."""

from __future__ import annotations

from ...builder.contract.clip import Columns, Row, Values
from .schema import Schema, a_list, a_text, an_object, one_of, whole

SHOT_TYPES = ("long_shot", "full_shot", "medium_shot", "close_up", "extreme_close_up", "other")
SHOT_ANGLES = ("eye_level", "high_angle", "low_angle", "other")
SHOT_POSITIONS = (
    "front_view",
    "back_view",
    "side_view",
    "over_the_shoulder",
    "overhead_view",
    "point_of_view",
    "aerial_view",
    "overlooking_view",
    "other",
)

_KIND_CHARS = 40  # of a type or a sub-type: a word or two

STRUCTURE: Columns = {
    "subjects": [
        {
            "type": "string",
            "sub_type": "string",
            "appearance": "string",
            "action": "string",
            "expression": "string",
            "position": "string",
            "is_main_subject": "bool",
        }
    ],
    "shot_type": "string",
    "shot_angle": "string",
    "shot_position": "string",
    "camera_motion": "string",
    "environment": "string",
    "lighting": "string",
}
"""The column `structure`. Texts are "" where there is nothing to say; what the three shot_ fields may be is above."""


def structure_schema(*, max_subjects: int, max_chars: int) -> Schema:
    """What the model is asked for: the names and the order in which SkyCaptioner-V1 answers."""
    text, kind = a_text(max_chars), a_text(_kind_chars(max_chars))
    subject = an_object(
        {
            "TYPES": an_object({"type": kind, "sub_type": kind}),
            "appearance": text,
            "action": text,
            "expression": text,
            "position": text,
            "is_main_subject": {"type": "boolean"},
        }
    )
    return an_object(
        {
            "subjects": a_list(subject, at_most=max_subjects),
            "shot_type": one_of(SHOT_TYPES),
            "shot_angle": one_of(SHOT_ANGLES),
            "shot_position": one_of(SHOT_POSITIONS),
            "camera_motion": text,
            "environment": text,
            "lighting": text,
        }
    )


def structure_of(answer: Row, *, max_chars: int) -> Values:
    """The value of STRUCTURE from an answer that fits the schema; an expression only where there is a face."""
    texts = {name: whole(answer[name], max_chars) for name in ("camera_motion", "environment", "lighting")}
    shot = {name: answer[name] for name in ("shot_type", "shot_angle", "shot_position")}
    return {"subjects": [_subject(one, max_chars) for one in answer["subjects"]], **shot, **texts}


def _subject(said: Row, max_chars: int) -> Values:
    types = {name: whole(said["TYPES"][name], _kind_chars(max_chars)) for name in ("type", "sub_type")}
    texts = {name: whole(said[name], max_chars) for name in ("appearance", "action", "expression", "position")}
    if not has_expression(types["type"]):
        texts["expression"] = ""
    return {**types, **texts, "is_main_subject": said["is_main_subject"]}


def has_expression(kind: str) -> bool:
    """Whether a subject of this type can have one: people and animals."""
    return kind.strip().casefold() in ("human", "animal")


def _kind_chars(max_chars: int) -> int:
    return min(_KIND_CHARS, max_chars)
