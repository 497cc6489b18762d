"""How many fields of structured captions are right, field by field, as SkyCaptioner-V1's table counts them.

| field | right where |
|---|---|
| shot_type, shot_angle, shot_position, type | it is the same label ("Close-up" is "close_up") |
| is_main_subject | it is the same |
| the others: text | at least half of the words are the same: `token_f1` is 0.5 or more |

A field that the reference leaves null has no label and is not counted; an empty text says that there is nothing to
say. A clip's subjects are paired so that they are most alike. A subject that only one side has counts as wrong in each
field that it fills in, so nothing is gained by leaving out subjects or making them up. The average is over the fields.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NotRequired, TypedDict

from ._score_match import best_pairs
from ._score_text import token_f1, words

Kind = Literal["label", "text", "flag"]
Structure = Mapping[str, Any]

FIELDS: Mapping[str, Kind] = {
    "shot_type": "label",
    "shot_angle": "label",
    "shot_position": "label",
    "camera_motion": "text",
    "expression": "text",
    "type": "label",
    "sub_type": "text",
    "appearance": "text",
    "action": "text",
    "position": "text",
    "is_main_subject": "flag",
    "environment": "text",
    "lighting": "text",
}
"""In the order of the table."""
_OF_SUBJECTS = ("expression", "type", "sub_type", "appearance", "action", "position", "is_main_subject")
_OF_CLIPS = tuple(field for field in FIELDS if field not in _OF_SUBJECTS)
_ENOUGH = 0.5


class FieldScore(TypedDict):
    accuracy: float
    """Percent of the cases that are right."""
    f1: NotRequired[float]
    """Of a text: the mean F1 of its words, in percent."""
    count: int


class StructureScores(TypedDict):
    average: float
    """Mean accuracy of the fields."""
    fields: dict[str, FieldScore]
    """Those that the references label."""


@dataclass(slots=True)
class _Tally:
    right: int = 0
    likeness: float = 0.0
    count: int = 0

    def add(self, likeness: float) -> None:
        self.right += likeness >= _ENOUGH
        self.likeness += likeness
        self.count += 1


def structure_scores(pairs: Sequence[tuple[Any, Structure]]) -> StructureScores | None:
    """Scores of (prediction, reference) of each clip; None where no reference labels a field.

    References are as `problem` wants them. A prediction may be anything: what has not the form of a field is wrong.
    """
    tallies = {field: _Tally() for field in FIELDS}
    labelled = {
        field
        for _, wanted in pairs
        for subject in wanted.get("subjects") or []
        for field in _OF_SUBJECTS
        if subject.get(field) is not None
    }
    for predicted, wanted in pairs:
        made = predicted if isinstance(predicted, Mapping) else None
        for field in _OF_CLIPS:
            if wanted.get(field) is not None:
                tallies[field].add(0.0 if made is None else _likeness(field, made.get(field), wanted[field]))
        if wanted.get("subjects") is not None:
            subjects = (made or {}).get("subjects")
            found = [one for one in subjects if isinstance(one, Mapping)] if isinstance(subjects, list) else []
            _add_subjects(tallies, found, wanted["subjects"], labelled)
    fields = {field: _score(field, tally) for field, tally in tallies.items() if tally.count}
    if not fields:
        return None
    return {"average": sum(score["accuracy"] for score in fields.values()) / len(fields), "fields": fields}


def _add_subjects(
    tallies: Mapping[str, _Tally], made: Sequence[Structure], wanted: Sequence[Structure], labelled: set[str]
) -> None:
    pairs = best_pairs([[_alike(one, other) for other in wanted] for one in made])
    for at, of in pairs:
        for field in _OF_SUBJECTS:
            if wanted[of].get(field) is not None:
                tallies[field].add(_likeness(field, made[at].get(field), wanted[of][field]))
    alone = [made[at] for at in range(len(made)) if at not in {at for at, _ in pairs}]
    missed = [wanted[of] for of in range(len(wanted)) if of not in {of for _, of in pairs}]
    for subject in (*alone, *missed):
        for field in labelled:
            if subject.get(field) not in (None, ""):
                tallies[field].add(0.0)


def _alike(made: Structure, wanted: Structure) -> float:
    given = [field for field in _OF_SUBJECTS if wanted.get(field) is not None]
    return sum(_likeness(field, made.get(field), wanted[field]) for field in given)


def _likeness(field: str, made: Any, wanted: Any) -> float:
    """0 to 1. `made`: anything; null is an empty text."""
    if FIELDS[field] == "flag":
        return float(made is wanted)
    if not isinstance(made, str | None):
        return 0.0
    return float(words(made or "") == words(wanted)) if FIELDS[field] == "label" else token_f1(made or "", wanted)


def _score(field: str, tally: _Tally) -> FieldScore:
    score: FieldScore = {"accuracy": 100 * tally.right / tally.count, "count": tally.count}
    if FIELDS[field] == "text":
        score["f1"] = 100 * tally.likeness / tally.count
    return score


def problem(reference: Any) -> str | None:
    """What is wrong with the form of a reference; None where it can be scored against."""
    if not isinstance(reference, Mapping):
        return "the structure is no object"
    if found := _wrong(reference, (*_OF_CLIPS, "subjects"), "structure"):
        return found
    subjects = reference.get("subjects")
    if not isinstance(subjects, list | None):
        return "structure.subjects is no list"
    for at, subject in enumerate(subjects or []):
        if not isinstance(subject, Mapping):
            return f"structure.subjects[{at}] is no object"
        if found := _wrong(subject, _OF_SUBJECTS, f"structure.subjects[{at}]"):
            return found
    return None


def _wrong(given: Structure, fields: Iterable[str], where: str) -> str | None:
    known = tuple(fields)
    for field, value in given.items():
        if field not in known:
            return f"{where} has no field {field!r}; its fields are {', '.join(known)}"
        kind = FIELDS.get(field)
        if value is not None and kind is not None and not isinstance(value, bool if kind == "flag" else str):
            return f"{where}.{field} is {value!r}; give {'true or false' if kind == 'flag' else 'text'}, or null"
    return None
