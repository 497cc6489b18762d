"""The contract of a step: what a filter, a signal, a captioner or a dedup is. Everything else is discovery.

A step is one file with one public class whose fields are its YAML. It says which columns it reads and adds, measures
or writes them, and may judge a clip by them. Measuring and judging are apart: what was measured is stored under the
step's identity, and `verdict` is applied to the stored values at every run, so the fields marked `Judges`
(thresholds) can change without anything being decoded, embedded or captioned again.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Awaitable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

from pydantic import BaseModel, ConfigDict

from .clip import Clip, Columns, Row, Values
from .engine import Ask, Engine
from .errors import Reason, Rejection
from .frames import Sampling
from .identity import Json
from .markers import JUDGES, marked
from .sound import SoundSampling

if TYPE_CHECKING:
    import pyarrow as pa


class Step(BaseModel):
    """A step that only judges columns which are there already, or derives some from them. See the subclasses for the
    ones that look at a clip, or at the whole table.

    A subclass declares `use: Literal["<file name>"] = "<file name>"` and its options. Behaviour that changes for the
    same options bumps `version`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    version: ClassVar[int] = 1

    use: str

    def reads(self) -> Columns:
        """Columns that must be there, with their types; `Optional(type)`: one that is used where it is there;
        `AnyType()` for a type: of any.
        """
        return {}

    def misfits(self, columns: Columns) -> Mapping[str, str]:
        """By option, what the types of the columns that are there do not allow: for a step that reads `AnyType`. Called
        when a recipe is checked, where all that must be there is.
        """
        return {}

    def adds(self) -> Columns:
        """Columns that this step makes. `Hidden(type)`: one for other steps, which is not published; `Derived(type)`:
        one that `derive` makes anew at every run from those that are kept.
        """
        return {}

    def derive(self, row: Row) -> Values:
        """The `Derived` columns, from a row that has the columns read and the others of `adds`: where a column depends
        on an option that `Judges` (a label, on its threshold).
        """
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

    def identity(self) -> Json:
        """What the values it makes depend on, besides the columns that it reads: JSON-able, no place and no speed."""
        fields = self.model_dump(mode="json", exclude=self.judging())
        return {"version": self.version, **fields}


class ClipStep(Step):
    """Looks at one clip at a time: in a fenced worker process, over one decode with its neighbours in the recipe, or in
    the process of the engine that it asks, hundreds of clips at once. What it makes is stored, so that it is made once.
    """

    asks: ClassVar[Ask] = "complete"
    """What it wants of its engine, where it asks one."""

    def engine_name(self) -> str | None:
        """The engine that it asks, by its name in the recipe; None where it asks none."""
        return None

    def prompts(self) -> Mapping[str, str]:
        """The texts that it asks with, by the names of their files: printed in the dataset's card."""
        return {}

    def samplings(self, row: Row) -> tuple[Sampling, ...]:
        """The frames that it will ask for, all of them: so a clip is decoded once for all steps. Called with the row as
        it is when the step's turn comes, or earlier where all that it reads is there.
        """
        return ()

    def sounds(self, row: Row) -> tuple[SoundSampling, ...]:
        """The forms of the clip's sound that it will ask for, as `samplings`; not for a step that asks an engine."""
        return ()

    @classmethod
    def sees(cls) -> bool:
        """Whether it looks at frames."""
        return cls.samplings is not ClipStep.samplings

    @classmethod
    def hears(cls) -> bool:
        """Whether it listens to sound."""
        return cls.sounds is not ClipStep.sounds

    @abstractmethod
    def make(self, clip: Clip, engine: Engine) -> Values | Awaitable[Values]:
        """The columns of `adds`, but for the `Derived` ones, of one clip. A ClipError rejects the clip.

        `async` where it asks its engine: straight-line code for ONE clip. The engine batches over clips.
        """


@dataclass(frozen=True, slots=True)
class Range:
    """A part of a clip, in seconds from its start. `values`: the columns that the step adds; `rejection`: why the part
    is left out, if it is.
    """

    start: float
    end: float
    values: Row = field(default_factory=dict)
    rejection: Rejection | None = None


class SplitStep(Step):
    """Makes one clip into many, each with an id of its own, which its range and the clip that it was cut from decide.

    Parts begin as a corpus lists its clips: probed anew, with the corpus's own columns and those that the step adds.
    What steps before it made is of the whole clip, and ends there. A clip of which all is one part stays as it is.
    """

    def before(self) -> tuple[ClipStep, ...]:
        """Steps that run before it and make what it reads; one that the recipe has already is not run again."""
        return ()

    @abstractmethod
    def split(self, row: Row) -> Sequence[Range]:
        """The parts of a clip, in order, from the columns read; at least one, even if it is left out."""


class TableStep(Step):
    """Sees all clips at once. What it needs of each clip is a column of a step before it."""

    def before(self) -> tuple[ClipStep, ...]:
        """Steps that run before it and make what it reads; one that the recipe has already is not run again."""
        return ()

    @abstractmethod
    def settle(self, table: pa.Table) -> Iterator[tuple[int, Rejection]]:
        """From a pyarrow Table (clip_id, and the columns read) the positions to drop, and why.

        Deterministic: it is run again whenever its input or options change. Columns are chunked: read them through
        `.column(name)`; memory is the caller's table once, never a copy a row.
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

    values: dict[str, Values] = field(default_factory=dict)
    failed: str | None = None
    rejection: Rejection | None = None
