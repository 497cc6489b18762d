"""The contract of a step: what a filter, a signal, a captioner or a barrier is. Everything else is discovery.

A step is one file with one public class whose fields are its YAML. It says which columns it reads and adds, measures
or writes them, and may judge a clip by them. Measuring and judging are apart: what was measured is stored under the
step's identity, and `verdict` is applied to the stored values at every run, so the fields marked `Judges`
(thresholds) can change without anything being decoded, embedded or captioned again.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict

from .clip import Clip, Columns, Row
from .engine import Engine
from .errors import Reason, Rejection
from .frames import Sampling
from .markers import JUDGES, marked


class Step(BaseModel):
    """A step that only judges columns which are there already. See the subclasses for the ones that make columns.

    A subclass declares `use: Literal["<file name>"] = "<file name>"` and its options. Behaviour that changes for the
    same options bumps `version`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    version: ClassVar[int] = 1
    internal: ClassVar[frozenset[str]] = frozenset()
    """Added columns that are for other steps and are not published (embeddings)."""

    use: str

    def reads(self) -> Columns:
        """Columns that must be there, with their types."""
        return {}

    def may_read(self) -> Columns:
        """Columns that are used where an earlier step adds them."""
        return {}

    def adds(self) -> Columns:
        """Columns that this step makes."""
        return {}

    def verdict(self, row: Row) -> Rejection | None:
        """Judge a row by the columns read and added; None keeps it. Called only where the class overrides it."""
        return None

    def requires(self) -> Mapping[str, str]:
        """Modules that the base install lacks, each with the extra that brings it: checked before a run starts."""
        return {}

    @classmethod
    def judging(cls) -> set[str]:
        """The names of the fields that are marked `Judges`."""
        return marked(cls, JUDGES)

    def identity(self) -> dict[str, Any]:
        """What the values it makes depend on, besides the columns that it reads: JSON-able, no place and no speed."""
        fields = self.model_dump(mode="json", exclude=self.judging())
        return {"version": self.version, **fields}


class ColumnStep(Step):
    """Makes columns from columns, a batch at a time, without touching the media. Cheap: computed anew, never stored."""

    @abstractmethod
    def compute(self, batch: Mapping[str, list[Any]]) -> Mapping[str, Any]:
        """Columns of a batch (n values each) to the columns of `adds` (n values each: lists, numpy or Arrow arrays)."""


class Signal(Step):
    """Measures one clip, in a fenced worker process. Values are stored, so that they are measured once.

    Where a column depends on an option that `Judges` (a label, on its threshold), `stored` names the raw values that
    are kept, and `derive` makes the column from them at every run.
    """

    def stored(self) -> Columns:
        """The columns that `measure` makes and that are stored."""
        return self.adds()

    def derive(self, row: Row) -> dict[str, Any]:
        """The columns of `adds` that are not stored, from a row that has the stored ones."""
        return {}

    def samplings(self) -> tuple[Sampling, ...]:
        """The frames it will ask for: what lets the whole stage decode a clip once."""
        return ()

    def startup_s(self) -> float:
        """How much longer a worker's first clip may take: what loading a model (and fetching it, once) needs."""
        return 0

    @abstractmethod
    def measure(self, clip: Clip) -> dict[str, Any]:
        """The values of `stored` for one clip. A ClipError rejects the clip."""


class Captioner(Step):
    """Writes text about one clip: straight-line async code for ONE clip. Hundreds are in flight at once on an engine,
    which batches their requests. One without an engine runs in a worker process.
    """

    def engine_name(self) -> str | None:
        """The engine that it asks, by its name in the recipe; None where it asks none."""
        return None

    def prompts(self) -> Mapping[str, str]:
        """The texts that it asks with, by the names of their files: printed in the dataset's card."""
        return {}

    def samplings(self, row: Row) -> tuple[Sampling, ...]:
        """The frames that it will ask for, all of them: they are decoded ahead, while the engine works."""
        return ()

    @abstractmethod
    async def caption(self, clip: Clip, engine: Engine) -> dict[str, Any]:
        """The values of `adds` for one clip. A ClipError rejects the clip."""


class Barrier(Step):
    """Sees all clips at once.

    First `prepare` makes the costly per-clip values, which are stored; then `settle` looks at the whole table in order
    and names the rows to drop. `settle` must be deterministic and is run again whenever its input or options change.
    """

    def prepares(self) -> Columns:
        """The columns that `prepare` makes; stored, seen by `settle`, not part of the dataset."""
        return {}

    def prepare(self, batch: Mapping[str, list[Any]]) -> Mapping[str, Any]:
        """Columns of a batch (n values each) to the columns of `prepares` (n values each)."""
        return {}

    @abstractmethod
    def settle(self, table: Any) -> Iterator[tuple[int, Rejection]]:
        """From a pyarrow Table (clip_id, the columns read and prepared) the positions to drop, and why.

        Columns are chunked: read them through `.column(name)`; memory is the caller's table once, never a copy a row.
        """


def below(name: str, value: float | None, minimum: float | None, *, option: str) -> Rejection | None:
    """The rejection of a value under a minimum, if both are there. `option`: the field that holds the minimum."""
    if value is None or minimum is None or value >= minimum:
        return None
    return Rejection(Reason.BELOW_MIN, f"{name} {value:.4g} < {option} {minimum:g}", option)


def above(name: str, value: float | None, maximum: float | None, *, option: str) -> Rejection | None:
    """The rejection of a value over a maximum, if both are there. `option`: the field that holds the maximum."""
    if value is None or maximum is None or value <= maximum:
        return None
    return Rejection(Reason.ABOVE_MAX, f"{name} {value:.4g} > {option} {maximum:g}", option)


@dataclass(frozen=True, slots=True)
class Measured:
    """What came of one clip: the values of each step by its name, up to the one that failed, if one did."""

    values: dict[str, dict[str, Any]] = field(default_factory=dict)
    failed: str | None = None
    rejection: Rejection | None = None


def stored_columns(step: Step) -> Columns:
    """The columns of a step that are made clip by clip and kept."""
    return step.stored() if isinstance(step, Signal) else step.adds()
