"""Scores captions against references: `shotscribe score predictions references [--out scores.json]`.

Both are a `.jsonl` file, a `.parquet` file or a folder of such, with `clip_id` and the column that is scored.
Structured captions, our column `structure` or SkyCaptioner's own JSON, get the accuracy of what has classes and the
likeness of what has words (`structure.py`); free ones the likeness of their words (`text.py`). All scores
are in percent. A clip without a prediction is wrong in everything; one without a reference is named, not scored.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict

from .files import Pairs, Unusable, paired
from .shape import shaped
from .structure import FIELDS, FieldScore, StructureScores, problem, structure_scores
from .text import bleu_4, rouge_l, token_f1, words

if TYPE_CHECKING:
    from rich.table import Table

_NAMED = 5  # clip ids on the screen; the file has all
_TITLES = {"sub_type": "sub-type", "is_main_subject": "is_main_subject"}

LIKENESS = (
    "token F1, ROUGE-L and BLEU-4 are likeness, not accuracy: words in common with the reference. They cannot tell a\n"
    "fact from its opposite, nor a paraphrase from a mistake: read the captions, or ask a judge."
)


class TextScores(TypedDict):
    rouge_l: float
    """Mean F1 of the longest common subsequence of words."""
    token_f1: float
    """Mean F1 of the words, in any order."""
    bleu_4: float
    """Of all captions together, smoothed."""
    length: float
    """Words of the predictions for 100 of the references."""


class Scores(TypedDict):
    column: str
    clips: int
    """Those that were scored."""
    missing: list[str]
    """Clips of the references without a prediction: they are scored, as wrong."""
    unexpected: list[str]
    """Clips of the predictions without a reference."""
    unlabelled: list[str]
    """Clips whose reference is null."""
    structure: StructureScores | None
    text: TextScores | None


def scored(predictions: Path, references: Path, *, column: str | None = None) -> Scores:
    """Scores of two files. A clip whose prediction is null or missing is wrong in everything. Raises Unusable."""
    pairs = paired(predictions, references, column=column)
    structured = pairs.structured or any(not isinstance(wanted, str) for _, _, wanted in pairs.scored)
    if structured:
        pairs = replace(pairs, scored=[(clip, shaped(made), shaped(wanted)) for clip, made, wanted in pairs.scored])
        _check(pairs, references)
    values = [(made, wanted) for _, made, wanted in pairs.scored]
    structure = structure_scores(values) if structured else None
    if not values or (structured and structure is None):
        raise Unusable(f"{references}: column {pairs.column}: no clip is labelled; label some")
    return {
        "column": pairs.column,
        "clips": len(values),
        "missing": pairs.missing,
        "unexpected": pairs.unexpected,
        "unlabelled": pairs.unlabelled,
        "structure": structure,
        "text": None if structured else _text_scores(pairs, predictions),
    }


def _check(pairs: Pairs, references: Path) -> None:
    for clip, _, wanted in pairs.scored:
        if found := problem(wanted):
            raise Unusable(f"{references}: clip {clip}: {found} (column {pairs.column}; --column NAME picks another)")


def _text_scores(pairs: Pairs, predictions: Path) -> TextScores:
    for clip, made, _ in pairs.scored:
        if not isinstance(made, str | None):
            raise Unusable(
                f"{predictions}: clip {clip}: {pairs.column} is no text (--column NAME picks another column)"
            )
    texts = [(made or "", wanted) for _, made, wanted in pairs.scored]
    split = [(words(made), words(wanted)) for made, wanted in texts]
    lengths = [sum(len(pair[side]) for pair in split) for side in (0, 1)]
    if not lengths[1]:
        raise Unusable(f"the references' column {pairs.column} has no words (--column NAME picks another column)")
    return {
        "rouge_l": 100 * sum(rouge_l(*pair) for pair in split) / len(split),
        "token_f1": 100 * sum(token_f1(*pair) for pair in texts) / len(texts),
        "bleu_4": 100 * bleu_4(split),
        "length": 100 * lengths[0] / lengths[1],
    }


def table(scores: Scores) -> Table:
    from rich.table import Table

    table = Table("", box=None, pad_edge=False)
    if (structure := scores["structure"]) is not None:
        for title in ("accuracy", "token F1", "ROUGE-L", "count"):
            table.add_column(title, justify="right")
        table.add_row("average", _shown(structure["average"]), "", "", "")
        for field in FIELDS:
            score = structure["fields"].get(field)
            cells = ("–", "", "", "0") if score is None else _cells(score)
            table.add_row(_TITLES.get(field, field.replace("_", " ")), *cells)
    if (text := scores["text"]) is not None:
        table.add_column("%", justify="right")
        table.add_row("ROUGE-L", f"{text['rouge_l']:.1f}")
        table.add_row("token F1", f"{text['token_f1']:.1f}")
        table.add_row("BLEU-4", f"{text['bleu_4']:.1f}")
        table.add_row("length", f"{text['length']:.1f}")
    return table


def _cells(score: FieldScore) -> tuple[str, str, str, str]:
    return (
        _shown(score.get("accuracy")),
        _shown(score.get("token_f1")),
        _shown(score.get("rouge_l")),
        str(score["count"]),
    )


def _shown(percent: float | None) -> str:
    return "" if percent is None else f"{percent:.1f}"


def left_out(scores: Scores, predictions: Path, references: Path) -> list[str]:
    """A line for each kind of clip that has no pair."""
    kinds = (
        (scores["missing"], "counted as wrong", f"of {references} without a prediction"),
        (scores["unexpected"], "not scored", f"of {predictions} without a reference"),
        (scores["unlabelled"], "not scored", f"whose reference is null in {references}"),
    )
    return [
        f"{how}: {len(clips)} clips {what}: {', '.join(clips[:_NAMED])}{', ...' if len(clips) > _NAMED else ''}"
        for clips, how, what in kinds
        if clips
    ]
