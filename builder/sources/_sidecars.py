"""The caption files beside videos: which belongs to which, and what they say."""

from __future__ import annotations

import json
import os
import unicodedata
from collections.abc import Iterable, Sequence

from ..contract.disguises import no_caption
from ..contract.errors import ClipError, Reason
from ..contract.locations import path_of, printable
from ._root import Root
from ._tables.cells import captions, words
from ._tables.lines import decoded
from ._tables.roles import NAMES, normal

ENDINGS = (".txt", ".caption", ".json")
_MAX_BYTES = 1 << 20


class Sidecars:
    """The caption files of one folder. Of `name.mp4` it is the first that is there of name.mp4.txt and name.txt, then
    the same with .caption and .json; a name that differs in case or in its Unicode form only where none is exact.
    """

    def __init__(self, videos: Sequence[str], others: Iterable[str]) -> None:
        there = set(others)
        self._of = {video: name for video in videos if (name := _first(_names(video), {one: one for one in there}))}
        taken = set(self._of.values())
        folded = {_folded(name): name for name in sorted(there - taken, reverse=True)}
        for video in videos:
            if video not in self._of and (name := _first(map(_folded, _names(video)), folded)):
                self._of[video] = name
        self.unused = there - set(self._of.values())

    def caption(self, video: str, folder: str, *, root: Root, encoding: str | None) -> str | None:
        """What the file beside a video of this folder says. Raises ClipError (bad_row, limit, unreadable)."""
        name = self._of.get(video)
        if name is None:
            return None
        path = root.place(os.path.join(folder, name))  # noqa: PTH118  (undecodable bytes)
        told = _read(path_of(path.media), printable(name), encoding)
        claims = sorted(printable(other) for other, claimed in self._of.items() if claimed == name)
        if told is not None and len(claims) > 1:
            hint = f"name it {claims[0]}.txt, or leave one of them out"
            raise ClipError(
                Reason.BAD_ROW, f"{printable(name)} could be the caption of {' and of '.join(claims)}: {hint}"
            )
        return told


def _names(video: str) -> list[str]:
    stem = os.path.splitext(video)[0]  # noqa: PTH122
    return [begin + ending for ending in ENDINGS for begin in (video, stem)]


def _first(names: Iterable[str], there: dict[str, str]) -> str | None:
    return next((there[name] for name in names if name in there), None)


def _folded(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold()


def _read(path: str, shown: str, encoding: str | None) -> str | None:
    try:
        with open(path, "rb") as file:  # noqa: PTH123  (undecodable bytes)
            raw = file.read(_MAX_BYTES + 1)
    except OSError as error:
        raise ClipError(Reason.UNREADABLE, f"caption file: {error.strerror}") from None
    if len(raw) > _MAX_BYTES:
        raise ClipError(Reason.LIMIT, f"caption file of more than {_MAX_BYTES} bytes")
    try:
        text = decoded(raw, encoding)
    except ValueError as error:
        raise ClipError(Reason.BAD_ROW, f"caption file {shown}: {error}") from None
    if what := no_caption(text):
        raise ClipError(Reason.BAD_ROW, f"caption file {shown}: {what}")
    return _of_json(text, shown) if shown.lower().endswith(".json") else words(text)


def _of_json(text: str, shown: str) -> str | None:
    """The caption in an object, under one of its usual names; None where it has none of them. A list of captions in it,
    or the whole file as one, may hold a single one: which of several is meant, only a table can say.
    """
    try:
        whole = json.loads(text)
    except (ValueError, RecursionError):
        raise ClipError(Reason.BAD_ROW, f"caption file {shown}: not JSON") from None
    cells = {normal(name): value for name, value in whole.items()} if isinstance(whole, dict) else {}
    named = next((cells[name] for name in NAMES["caption"] if name in cells), None)
    value = whole if isinstance(whole, list) else named
    caption, every = captions(value)
    if len(every) > 1 and not (isinstance(value, list) and isinstance(value[0], dict)):  # of those, one is the clip's
        advice = "leave one there, or list the clips in a table, where a clip may have several"
        raise ClipError(Reason.BAD_ROW, f"caption file {shown}: {len(every)} captions; {advice}")
    return caption
