"""Drops clips whose caption is on too many clips: a rewritten caption was once published on 4,000 videos of one set."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal

import numpy as np
from pydantic import Field

from ..builder.contract.clip import Columns
from ..builder.contract.errors import Reason, Rejection
from ..builder.contract.markers import Judges
from ..builder.contract.step import TableStep
from ._near_texts import Ints, near_counts, words

if TYPE_CHECKING:
    import pyarrow as pa

_SHOWN = 80  # characters of a caption in a reject's detail


class RepeatedCaptions(TableStep):
    """Rejects every clip whose caption is, the same or nearly the same, on more than `max_clips` clips.

    All that carry it go, the first as well: a caption that fits so many clips is more likely the model's than the
    clip's. Each caption is counted for itself, with those that are like it, so the order of clips is of no account.
    Case, punctuation and spacing do not count; a clip without a word is left alone.
    """

    use: Literal["repeated_captions"] = "repeated_captions"
    column: str
    """The text column with the captions."""
    max_clips: Judges[int] = Field(ge=1)
    """On how many clips a caption may be."""
    similarity: Judges[float] = Field(default=1.0, ge=0.5, le=1)
    """From what share of words and word pairs in common on two captions are one; at 1 their words must be the same.
    One word in twenty exchanged makes about 0.85."""

    def reads(self) -> Columns:
        return {self.column: "string"}

    def settle(self, table: pa.Table) -> Iterator[tuple[int, Rejection]]:
        captions = table.column(self.column)
        number, texts = numbered(captions)
        clips = np.bincount(number[number >= 0], minlength=len(texts))
        if self.similarity < 1:
            clips = near_counts(texts, clips, similarity=self.similarity)
        for row in np.flatnonzero((number >= 0) & (np.append(clips, 0)[number] > self.max_clips)):
            shown = " ".join(captions[int(row)].as_py().split())
            shown = shown if len(shown) <= _SHOWN else shown[: _SHOWN - 1] + "…"
            like = "the caption" if self.similarity == 1 else "nearly the same caption"
            detail = f'{like} is on {clips[number[row]]} clips, max_clips {self.max_clips}: "{shown}"'
            yield int(row), Rejection(Reason.EXCLUDED, detail, "max_clips")


def numbered(captions: pa.ChunkedArray) -> tuple[Ints, list[str]]:
    """From a chunked Arrow column of text: for each row the number of its caption, -1 where it has no word, and the
    captions that differ, as words with single spaces.
    """
    known: dict[str, int] = {}
    number = np.full(len(captions), -1, np.int64)
    row = 0
    for chunk in captions.chunks:
        for caption in chunk.to_pylist():
            if said := " ".join(words(caption or "")):
                number[row] = known.setdefault(said, len(known))
            row += 1
    return number, list(known)
