"""Structured captions against labelled ones: the accuracy of what has classes, the likeness of what has words.

| field | measure |
|---|---|
| shot_type, shot_angle, shot_position, type | accuracy: it is the same class ("Close-up shot" is "close_up") |
| is_main_subject | accuracy: it is the same |
| camera_motion | accuracy: the text names the same movements of the camera (`camera.py`), all of them |
| the others: text | likeness: F1 of the words, and ROUGE-L of their order |

Likeness is no accuracy: words tell no fact from its opposite, and no paraphrase from a mistake. A field that the
reference leaves null has no label and is not counted; an empty text says that there is nothing to say, and a
camera_motion that names no movement is not counted. A clip's subjects are paired so that their texts are most alike. A
subject that only one side has counts as wrong in each field that it fills in, so nothing is gained by leaving out
subjects or making them up. The average is over the accuracies.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NotRequired, TypedDict

from .camera import camera_labels
from .match import best_pairs
from .shape import class_of
from .text import rouge_l, token_f1, words

Kind = Literal["label", "text", "flag", "motion"]
Structure = Mapping[str, Any]

FIELDS: Mapping[str, Kind] = {
    "shot_type": "label",
    "shot_angle": "label",
    "shot_position": "label",
    "camera_motion": "motion",
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
_PAIRED_BY = ("sub_type", "appearance", "action", "expression", "position", "type")  # never by the flag: it tells apart


class FieldScore(TypedDict):
    accuracy: NotRequired[float]
    """Of a class: percent of the cases that are right."""
    token_f1: NotRequired[float]
    """Of a text, in percent: the mean F1 of its words."""
    rouge_l: NotRequired[float]
    """Of a text, in percent: the mean F1 of the longest common subsequence of its words."""
    count: int


class StructureScores(TypedDict):
    average: float | None
    """Mean accuracy of the fields that have one."""
    fields: dict[str, FieldScore]
    """Those that the references label."""


@dataclass(slots=True)
class _Tally:
    alike: float = 0.0
    in_order: float = 0.0
    count: int = 0

    def add(self, alike: float, in_order: float) -> None:
        self.alike += alike
        self.in_order += in_order
        self.count += 1


def structure_scores(pairs: Sequence[tuple[object, Structure]]) -> StructureScores | None:
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
            if wanted.get(field) is not None and (field != "camera_motion" or camera_labels(wanted[field])):
                tallies[field].add(*((0.0, 0.0) if made is None else _compared(field, made.get(field), wanted[field])))
        if wanted.get("subjects") is not None:
            subjects = (made or {}).get("subjects")
            found = [one for one in subjects if isinstance(one, Mapping)] if isinstance(subjects, list) else []
            _add_subjects(tallies, found, wanted["subjects"], labelled)
    fields = {field: _score(field, tally) for field, tally in tallies.items() if tally.count}
    if not fields:
        return None
    right = [score["accuracy"] for score in fields.values() if "accuracy" in score]
    return {"average": sum(right) / len(right) if right else None, "fields": fields}


def _add_subjects(
    tallies: Mapping[str, _Tally], made: Sequence[Structure], wanted: Sequence[Structure], labelled: set[str]
) -> None:
    pairs = best_pairs([[_alike(one, other) for other in wanted] for one in made])
    for at, of in pairs:
        for field in _OF_SUBJECTS:
            if wanted[of].get(field) is not None:
                tallies[field].add(*_compared(field, made[at].get(field), wanted[of][field]))
    alone = [made[at] for at in range(len(made)) if at not in {at for at, _ in pairs}]
    missed = [wanted[of] for of in range(len(wanted)) if of not in {of for _, of in pairs}]
    for subject in (*alone, *missed):
        for field in labelled:
            if subject.get(field) not in (None, ""):
                tallies[field].add(0.0, 0.0)


def _alike(made: Structure, wanted: Structure) -> float:
    given = [field for field in _PAIRED_BY if wanted.get(field) is not None]
    return sum(_compared(field, made.get(field), wanted[field])[0] for field in given)


def _compared(field: str, made: Any, wanted: Any) -> tuple[float, float]:
    """0 to 1: of a class whether it is right (twice), of a text the likeness of its words and of their order.

    `made`: anything; null is an empty text.
    """
    kind = FIELDS[field]
    if kind == "flag":
        right = float(made is wanted)
    elif kind == "motion" and isinstance(made, list) and all(isinstance(label, str) for label in made):
        right = float(camera_labels(made) == camera_labels(wanted))
    elif not isinstance(made, str | None):
        return 0.0, 0.0
    elif kind == "text":
        return token_f1(made or "", wanted), rouge_l(words(made or ""), words(wanted))
    elif kind == "motion":
        right = float(camera_labels(made or "") == camera_labels(wanted))
    else:
        right = float(class_of(field, made or "") == class_of(field, wanted))
    return right, right


def _score(field: str, tally: _Tally) -> FieldScore:
    if FIELDS[field] != "text":
        return {"accuracy": 100 * tally.alike / tally.count, "count": tally.count}
    return {
        "token_f1": 100 * tally.alike / tally.count,
        "rouge_l": 100 * tally.in_order / tally.count,
        "count": tally.count,
    }


def problem(reference: object) -> str | None:
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
