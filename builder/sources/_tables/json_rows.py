"""Rows of JSON: an object a line, or one list of objects, however it is laid out; never the whole list in memory."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ...contract.clip import Values
from ...contract.errors import RunError
from .lines import lines, pieces

MAX_OBJECT = 8 << 20
"""Characters of one row: parsed, it takes some 50 times as much memory at worst."""

Row = tuple[str, Values | str]
"""A row's place (`line 17`, `row 17`) and its cells; or what is wrong with it."""

_BLANK = re.compile(r"[ \t\r\n]*+")


def _unique(pairs: list[tuple[str, object]]) -> Values:
    cells = dict(pairs)
    if len(cells) < len(pairs):
        raise ValueError("a key stands twice in it")
    return cells


_DECODER = json.JSONDecoder(object_pairs_hook=_unique)


def json_lines(path: Path, encoding: str | None) -> Iterator[Row]:
    """The objects of a file that has one a line. Raises RunError."""
    for line in lines(path, encoding):
        place = f"line {line.number}"
        if line.fault is not None:
            yield place, line.fault
        elif len(line.text) > MAX_OBJECT:
            yield place, f"a row of more than {MAX_OBJECT >> 20} MiB"
        elif text := line.text.strip():
            try:
                value, end = _DECODER.raw_decode(text)
            except (ValueError, RecursionError) as error:
                yield place, _explained(error)
                continue
            whole = isinstance(value, dict) and end == len(text)
            yield place, value if whole else "not one JSON object"


def is_list(path: Path, encoding: str | None) -> bool:
    """Whether a .json file holds a list of objects (else an object a line). Raises RunError where it holds neither."""
    text = next(pieces(path, encoding), "").lstrip()
    if text.startswith("["):
        return True
    first = text.splitlines()[0] if text else ""
    try:
        value = json.loads(first)
    except (ValueError, RecursionError):
        value = None
    wrapped = isinstance(value, dict) and len(value) == 1 and isinstance(next(iter(value.values())), list)
    if wrapped or not isinstance(value, dict):
        key = re.match(r'\{\s*"([\w-]{1,40})"\s*:\s*\[', text)
        advice = f"; take it out: jq .{key[1]} {path.name} > rows.json" if key else ""
        raise RunError(
            f"{path}: a .json table is a list of objects, [{{...}}, {{...}}], or a map of ids or media names to "
            f'objects, {{"clip1": {{...}}}}, or of media names to captions; this is none{advice}'
        )
    return False


def json_list(path: Path, encoding: str | None) -> Iterator[Row]:
    """The objects of a file that is one list of them. Raises RunError, also where the list breaks off."""
    buffer = _Buffer(path, encoding)
    buffer.skip("[")
    index = 0
    while not buffer.ends("]", first=index == 0):
        index += 1
        value, size = buffer.value()
        if size > MAX_OBJECT:
            yield f"row {index}", f"a row of more than {MAX_OBJECT >> 20} MiB"
        else:
            yield f"row {index}", value if isinstance(value, dict) else "not a JSON object"


def json_pairs(path: Path, encoding: str | None) -> Iterator[tuple[str, Any]]:
    """The keys and values of a file that is one object; a value that is too long is None. Raises RunError, also where
    anything follows it."""
    buffer = _Buffer(path, encoding)
    buffer.skip("{")
    first = True
    while not buffer.ends("}", first=first):
        first = False
        key, _ = buffer.value()
        buffer.skip(":")
        value, size = buffer.value()
        yield str(key), None if size > MAX_OBJECT else value
    buffer.end()


class _Buffer:
    """The text of a JSON document, as much of it as the next value needs."""

    def __init__(self, path: Path, encoding: str | None) -> None:
        self._path, self._pieces = path, pieces(path, encoding)
        self._text, self._at, self._line = "", 0, 1

    def skip(self, mark: str) -> None:
        if not self._comes(mark):
            raise self._broken(f"{mark!r} should come here")

    def ends(self, mark: str, *, first: bool) -> bool:
        if self._comes(mark):
            return True
        if not first:
            self.skip(",")
        return False

    def end(self) -> None:
        self._blanks()
        if self._at < len(self._text):
            raise self._broken("the document should end here")

    def value(self) -> tuple[Any, int]:
        """The next value, and how many characters it takes."""
        self._blanks()
        while True:
            try:
                value, end = _DECODER.raw_decode(self._text, self._at)
            except (ValueError, RecursionError) as error:
                if len(self._text) - self._at > 2 * MAX_OBJECT:
                    raise self._broken(f"broken JSON, or a row of more than {2 * MAX_OBJECT >> 20} MiB") from None
                if not self._more():
                    raise self._broken(_explained(error)) from None
            else:
                size, self._at = end - self._at, end
                return value, size

    def _comes(self, mark: str) -> bool:
        self._blanks()
        if self._text.startswith(mark, self._at):
            self._at += 1
            return True
        return False

    def _blanks(self) -> None:
        while True:
            match = _BLANK.match(self._text, self._at)
            self._at = match.end() if match else self._at
            if self._at < len(self._text) or not self._more():
                return

    def _more(self) -> bool:
        """As much again as is held, so that a long value is tried a few times only."""
        wanted = max(1, len(self._text) - self._at)
        self._line += self._text.count("\n", 0, self._at)
        held = [self._text[self._at :]]
        self._at = 0
        while wanted > 0 and (piece := next(self._pieces, None)) is not None:
            held.append(piece)
            wanted -= len(piece)
        self._text = "".join(held)
        return len(held) > 1

    def _broken(self, detail: str) -> RunError:
        line = self._line + self._text.count("\n", 0, self._at)
        return RunError(f"{self._path}: line {line}: {detail}; the rows after it cannot be told apart: mend the file")


def _explained(error: Exception) -> str:
    return "not JSON: nested too deep" if isinstance(error, RecursionError) else f"not JSON: {str(error)[:80]}"
