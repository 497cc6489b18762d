"""The cells of a corpus's table as values: text, numbers, times. What cannot be read raises ClipError (bad_row)."""

from __future__ import annotations

import ast
import datetime as dt
import json
import math
import re
from collections.abc import Mapping

from ...contract.errors import ClipError, Reason

_NO_VALUE = frozenset({"", "nan", "none", "null", "nil", "n/a", "#n/a", "na", "<na>", "nat", "undefined", "-", "--"})
_NUMBER = re.compile(r"[-+]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d{1,4})?", re.ASCII)
_COMMA_NUMBER = re.compile(r"[-+]?\d*,\d+", re.ASCII)
_OBJECT = re.compile(r"""\s*+\{\s*+(?:\}|["'][^"']{0,200}["']\s*+:)""")  # written as JSON or as Python has it
_CLOCK = re.compile(r"(?:(\d{1,6}):)?(\d{1,6}):(\d{1,6}(?:[.,]\d{1,9})?)", re.ASCII)


def text(value: object) -> str | None:
    """A cell as text, stripped; None where it is empty. What may be published of it, `source_rows` settles."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return None
    return str(value).strip() or None


def words(value: object) -> str | None:
    """A caption; None where it is empty or a word for none (nan, None, null, N/A, -)."""
    told = text(value)
    return None if told is None or told.lower() in _NO_VALUE else told


def captions(value: object) -> tuple[str | None, list[str]]:
    """A clip's caption, and all that a list holds of them: a list, or one written as text (`['one', 'two']`).

    The first is the caption. Of objects with `idx` and `content` (ShareGPT4Video) it is that of idx -1: the others are
    about single frames. Raises ClipError, also for an object, whose text is no caption.
    """
    if isinstance(value, str) and value.lstrip().startswith("["):
        value = written_list(value) or value
    if isinstance(value, Mapping | bool) or (isinstance(value, str) and _OBJECT.match(value)):
        raise ClipError(Reason.BAD_ROW, f"caption: {_short(value)} is no text")
    if not isinstance(value, list | tuple):
        return words(value), []
    if all(isinstance(one, Mapping) and {"idx", "content"} <= one.keys() for one in value):
        whole = next((words(one["content"]) for one in value if str(one["idx"]) == "-1"), None)
        return whole, [told for one in value if (told := words(one["content"]))]
    if not all(one is None or isinstance(one, str) for one in value):
        raise ClipError(Reason.BAD_ROW, f"caption: {_short(value)} is no list of texts")
    every = [told for one in value if (told := words(one))]
    return (every[0] if every else None), every


def number(value: object, *, name: str, decimal_comma: bool = False) -> float | None:
    """A cell as a finite number; None where it is empty, NaN or a word for none."""
    if value is None or (isinstance(value, str) and value.strip().lower() in _NO_VALUE):
        return None
    if isinstance(value, str):
        told = value.strip()
        if decimal_comma and _COMMA_NUMBER.fullmatch(told):
            told = told.replace(",", ".")
        parsed = float(told) if _NUMBER.fullmatch(told) else math.inf
    else:
        parsed = _float(value)
    if math.isnan(parsed):
        return None
    if math.isfinite(parsed):
        return parsed + 0.0  # -0.0 is 0.0
    raise ClipError(Reason.BAD_ROW, f"{name}: {_short(value)} is no finite number")


def _float(value: object) -> float:
    """What is no number at all is infinite here."""
    if isinstance(value, bool) or not hasattr(value, "__float__"):
        return math.inf
    try:
        return float(value)
    except (ValueError, OverflowError, TypeError):
        return math.inf


def seconds(value: object, *, name: str, decimal_comma: bool = False) -> float | None:
    """A cell as seconds: a number, `MM:SS.mmm` or `H:MM:SS.mmm` (also `,mmm`, as in subtitles), or one of parquet's
    times and durations; None where empty."""
    if isinstance(value, dt.time):
        value = dt.timedelta(
            hours=value.hour, minutes=value.minute, seconds=value.second, microseconds=value.microsecond
        )
    if isinstance(value, dt.timedelta):
        return value.total_seconds()
    clock = _CLOCK.fullmatch(value.strip()) if isinstance(value, str) else None
    if clock is None:
        return number(value, name=name, decimal_comma=decimal_comma)
    hours, minutes, rest = clock.groups()
    return round(int(hours or 0) * 3600 + int(minutes) * 60 + float(rest.replace(",", ".")), 9)


def time_range(start: object, end: object) -> tuple[float | None, float | None]:
    """A clip's start and end in seconds; an end alone means from zero. Raises ClipError (bad_row, out_of_range)."""
    first, last = seconds(start, name="start"), seconds(end, name="end")
    if first is None and last is not None:
        first = 0.0
    if first is not None and first < 0:
        raise ClipError(Reason.OUT_OF_RANGE, f"start {first:g} is before zero")
    if first is not None and last is not None and last <= first:
        raise ClipError(Reason.OUT_OF_RANGE, f"end {last:g} is not after start {first:g}")
    return first, last


def is_time(value: object) -> bool:
    """Whether a cell is one time or number, not two."""
    if isinstance(value, str):
        return _NUMBER.fullmatch(value.strip()) is not None or _CLOCK.fullmatch(value.strip()) is not None
    return isinstance(value, dt.timedelta | dt.time) or math.isfinite(_float(value))


def time_pair(value: object, *, name: str) -> tuple[object, object]:
    """The two times of a cell that holds both: a list, or one written as text. Raises ClipError (bad_row)."""
    if isinstance(value, str) and value.strip().lower() in _NO_VALUE:
        value = None
    if value is None:
        return None, None
    pair = written_list(value) if isinstance(value, str) else value
    if not isinstance(pair, list | tuple) or len(pair) != 2 or any(isinstance(edge, list | tuple) for edge in pair):
        advice = f"if these are no times, say `columns: {{{name}: null}}`"
        raise ClipError(Reason.BAD_ROW, f"{name}: {_short(value)} is no pair of times, as in [1.5, 4]; {advice}")
    return pair[0], pair[1]


# Strings, numbers and brackets: what literal_eval may be given. A long chain of operators ends the interpreter's parser
# in a MemoryError, or worse.
_PLAIN = re.compile(r"""(?:'(?:[^'\\]|\\.)*+'|"(?:[^"\\]|\\.)*+"|[\[\](),\s]|[-+]?[\w.]++(?:[-+]\d++)?)*+""", re.DOTALL)


def literal_list(cell: object) -> list[object] | None:
    """A list written as a Python literal of plain values; None where it is none."""
    if not isinstance(cell, str) or not _PLAIN.fullmatch(cell):
        return None
    try:
        value = ast.literal_eval(cell.strip())
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return None
    return value if isinstance(value, list) else None


def written_list(cell: str) -> list[object] | None:
    """A list written as JSON or as a Python literal; None where it is none."""
    try:
        value = json.loads(cell)
    except (ValueError, RecursionError):
        return literal_list(cell)
    return value if isinstance(value, list) else None


def _short(value: object) -> str:
    shown = ascii(value)
    return shown if len(shown) <= 40 else shown[:37] + "..."
