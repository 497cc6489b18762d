"""Rejects as rows of a table."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa

from ..contract.clip import REJECT_COLUMNS, Row, Values
from ..contract.errors import Rejection
from .arrow import arrow_schema


def reject_of(row: Row, step: str, rejection: Rejection) -> Values:
    """A row of REJECT_COLUMNS: the clip of `row`, dropped by a step."""
    who = {name: row[name] for name in ("clip_id", "source", "source_id")}
    return {
        **who,
        "step": step,
        "reason": str(rejection.reason),
        "option": rejection.option,
        "detail": rejection.detail,
        "passing": rejection.passing,
    }


def rejects_table(rejects: Sequence[Row]) -> pa.Table:
    """Rejects as a table of REJECT_COLUMNS."""
    return pa.Table.from_pylist(list(rejects), schema=arrow_schema(REJECT_COLUMNS))
