"""A step's own bug, told in two lines: the step, the clip, the file and the line; the whole stack is for a log."""

from __future__ import annotations

import inspect
import traceback
from asyncio import CancelledError
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
import pyarrow as pa

from ...contract.clip import Columns, Values
from ...contract.engine import EngineDied
from ...contract.errors import ShotscribeError, StepError
from ...contract.source import Source
from ...contract.step import Step
from ...store.arrow import arrow_schema

_PACKAGE = Path(__file__).parents[3]
_SHOWN = 200  # characters of an error's own words: a library's may hold a whole table


class Blame:
    """Around what a step or a source does: an exception that is no error of ours comes out as a StepError.

    `about`: the clip that it is at; it may be set on the way.
    """

    def __init__(self, step: Step | Source, *, name: str, method: str, about: str) -> None:
        self._step, self._name, self._method, self.about = step, name, method, about

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not isinstance(error, Exception | CancelledError) or isinstance(error, ShotscribeError | EngineDied):
            return  # a step is never cancelled: that is a library's own, gone astray
        words = " ".join(str(error).split())
        said = f"{type(error).__name__}: {words[:_SHOWN]}" if words else type(error).__name__
        stack = "".join(traceback.format_exception(error))
        raise StepError(self._name, f"{self.about}: {said} ({self._place(error)})", stack) from None

    def _place(self, error: BaseException) -> str:
        """The last line of the step's own file that was running; where there is none, the method's first."""
        method = inspect.unwrap(getattr(type(self._step), self._method))
        own = method.__code__.co_filename
        inside = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename == own]
        line = inside[-1].lineno if inside else method.__code__.co_firstlineno
        path = Path(own)
        shown = path.relative_to(_PACKAGE) if path.is_relative_to(_PACKAGE) else path
        return f"{shown}, line {line}, in {inside[-1].name if inside else self._method}"


Kinds = Mapping[str, pa.DataType]


def kinds_of(columns: Columns) -> Kinds:
    """The columns' types, for `checked`: to make them takes longer than to check a row."""
    return {field.name: field.type for field in arrow_schema(columns)}


def checked(values: Values, kinds: Kinds) -> Values:
    """What a step made of one clip, by the columns that it declares. Raises TypeError where it does not fit them."""
    if missing := [name for name in kinds if name not in values]:
        raise TypeError(f"it returns no value of {', '.join(missing)}")
    for name, kind in kinds.items():
        if not _fits(values[name], kind):
            raise TypeError(f"its {name} is {values[name]!r:.60}, not {kind}")
    return {name: values[name] for name in kinds}


def _fits(value: object, kind: pa.DataType) -> bool:
    """Whether Arrow keeps a value as it is: it would make 2 of 2.5 and the list of its letters of a text."""
    if value is None:
        return True
    if isinstance(value, np.ndarray):
        return pa.types.is_list(kind) and value.ndim == 1 and value.dtype == kind.value_type.to_pandas_dtype()
    if pa.types.is_struct(kind):
        fields = {field.name: field.type for field in kind}
        return isinstance(value, Mapping) and all(key in fields and _fits(value[key], fields[key]) for key in value)
    if pa.types.is_list(kind):
        return isinstance(value, list | tuple) and all(_fits(item, kind.value_type) for item in value)
    if pa.types.is_boolean(kind):
        return isinstance(value, bool)
    if pa.types.is_integer(kind):
        return isinstance(value, int) and not isinstance(value, bool) and -(2**63) <= value < 2**63
    if pa.types.is_floating(kind):
        return isinstance(value, int | float) and not isinstance(value, bool)
    return isinstance(value, str)
