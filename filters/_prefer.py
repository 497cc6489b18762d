"""Which of two clips that are alike stays: `prefer: [resolution, duration]`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict

from ..builder.contract.clip import Columns
from ..builder.contract.columns import AnyType, type_name
from ..builder.contract.conditions import family

if TYPE_CHECKING:
    import pyarrow as pa

_PIXELS = "resolution"  # no column: width times height


class Least(BaseModel):
    """A column of which the smaller value is the better one."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    least: str
    """The column, or `resolution`."""


Preferred = str | Least
"""A numeric column, larger first; `resolution`, which is width times height; or `{least: column}`, smaller first."""


def preferred_columns(prefer: Sequence[Preferred]) -> Columns:
    """The columns that are read for it."""
    names = [_name(one) for one in prefer]
    pixels: Columns = {"width": "int64", "height": "int64"} if _PIXELS in names else {}
    return {**pixels, **{name: AnyType() for name in names if name != _PIXELS and name not in pixels}}


def unfit(prefer: Sequence[Preferred], columns: Columns) -> Mapping[str, str]:
    """By the option `prefer`, the first column that is no number, if one is."""
    for name in map(_name, prefer):
        if name != _PIXELS and family(columns[name]) != "number":
            return {"prefer": f'"{name}" is {type_name(columns[name])}; name a column of numbers, or resolution'}
    return {}


def best_first(table: pa.Table, prefer: Sequence[Preferred]) -> npt.NDArray[np.int64]:
    """The positions of the rows, the best first: by the first column, among equals by the next, and then as they stand.
    A row that has no value comes after those that have one.
    """
    keys = [_key(table, one) for one in prefer]
    order: npt.NDArray[np.int64] = np.lexsort((np.arange(table.num_rows), *reversed(keys)))
    return order


def _name(one: Preferred) -> str:
    return one.least if isinstance(one, Least) else one


def _key(table: pa.Table, one: Preferred) -> npt.NDArray[np.float64]:
    """What sorts the best first; NaN, which is last, where there is no value."""
    name = _name(one)
    values = _numbers(table, "width") * _numbers(table, "height") if name == _PIXELS else _numbers(table, name)
    return values if isinstance(one, Least) else -values


def _numbers(table: pa.Table, name: str) -> npt.NDArray[np.float64]:
    column = table.column(name).cast("float64")
    return np.asarray(column.to_numpy(), np.float64)
