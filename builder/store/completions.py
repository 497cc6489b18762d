"""What engines answered, kept for good: what was paid for once is not asked for again.

    .work/completions/<engine>/<piece>.jsonl     clip_id, request, max_tokens, the completion

The engine is known by a digest of its identity (its model and revision among it), a request by its content without its
limit of tokens. A captioner's rules for answers (which it takes, how often it asks again, in which column they go) are
no part of either: they are applied to what is here.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .files import unwritable
from .lines import line_of, read_lines, write_line

Answer = Mapping[str, Any]
"""The fields of a Completion, and `max_tokens`."""

Answers = Mapping[str, Sequence[Answer]]
"""Of one clip: request -> what was answered, in time order."""

FOLDER = "completions"
DIGITS = 16
"""of an engine's digest that name its folder."""


def completions_path(work: Path, engine: str, piece: str) -> Path:
    """`engine`: the digest of its identity."""
    return work / FOLDER / engine[:DIGITS] / f"{piece}.jsonl"


def read_completions(path: Path) -> dict[str, dict[str, list[Answer]]]:
    """What was answered about the clips of a piece, by clip."""
    answers: dict[str, dict[str, list[Answer]]] = {}
    for entry in read_lines(path):
        answers.setdefault(entry["clip_id"], {}).setdefault(entry["request"], []).append(entry["answer"])
    return answers


def fitting(answers: Sequence[Answer], *, max_tokens: int) -> Answer | None:
    """The latest answer that a request with this limit may have had: one that ended by itself holds for every limit
    that is not below its length, one that was cut off for its own.
    """
    for answer in reversed(answers):
        ended = answer["finish"] != "length" and answer["output_tokens"] <= max_tokens
        if ended or answer["max_tokens"] == max_tokens:
            found: Answer = answer
            return found
    return None


@dataclass(frozen=True, slots=True)
class ClipLog:
    """The answers about one clip: those that there are, and the log that new ones are written to; None: to none."""

    clip_id: str
    known: Answers
    path: Path | None

    def append(self, request: str, answer: Answer) -> None:
        """Log an answer, from any process. Raises RunError (full disk)."""
        if self.path is None:
            return
        line = line_of({"clip_id": self.clip_id, "request": request, "answer": dict(answer)})
        try:
            handle = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
            try:
                write_line(handle, line, self.path)
            finally:
                os.close(handle)
        except OSError as error:
            raise unwritable(self.path, error) from error
