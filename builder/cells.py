"""The cells of a corpus's table as values: text, numbers, times. What cannot be read raises ClipError (bad_row)."""

from __future__ import annotations

import math
import re
from typing import Any

from .errors import ClipError, Reason

_CLOCK = re.compile(r"(?:(\d{1,6}):)?(\d{1,6}):(\d{1,6}(?:\.\d{1,9})?)")


def text(value: Any) -> str | None:
    """A cell as text that Arrow takes: stripped, None where empty; lone surrogates and NUL replaced."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return None
    whole = str(value).encode("utf-8", "replace").decode("utf-8").replace("\0", "\ufffd").strip()
    return whole or None


def number(value: Any, *, name: str) -> float | None:
    """A cell as a finite number; None where it is empty or NaN."""
    if value is None or (isinstance(value, str) and not value.strip()):
        return None
    if isinstance(value, int | float | str) and not isinstance(value, bool):
        try:
            parsed = float(value)
        except (ValueError, OverflowError):
            parsed = math.inf
        if math.isnan(parsed):
            return None
        if math.isfinite(parsed):
            return parsed
    raise ClipError(Reason.BAD_ROW, f"{name}: {_short(value)} is no finite number")


def seconds(value: Any, *, name: str) -> float | None:
    """A cell as seconds: a number, `MM:SS.mmm` or `H:MM:SS.mmm`; None where it is empty."""
    clock = _CLOCK.fullmatch(value.strip()) if isinstance(value, str) else None
    if clock is None:
        return number(value, name=name)
    hours, minutes, rest = clock.groups()
    return round(int(hours or 0) * 3600 + int(minutes) * 60 + float(rest), 9)


def time_range(start: Any, end: Any) -> tuple[float | None, float | None]:
    """A clip's start and end in seconds; an end alone means from zero. Raises ClipError (bad_row, out_of_range)."""
    first, last = seconds(start, name="start"), seconds(end, name="end")
    if first is None and last is not None:
        first = 0.0
    if first is not None and first < 0:
        raise ClipError(Reason.OUT_OF_RANGE, f"start {first:g} is before zero")
    if first is not None and last is not None and last <= first:
        raise ClipError(Reason.OUT_OF_RANGE, f"end {last:g} is not after start {first:g}")
    return first, last


def _short(value: Any) -> str:
    shown = ascii(value)
    return shown if len(shown) <= 40 else shown[:37] + "..."
