"""The errors of shotscribe.

    ShotscribeError
    ├── RecipeError     the recipe is wrong: exit code 2
    ├── RunError        the run failed or cannot start: exit code 1
    │   └── StepError   a step's own code failed
    └── ClipError       one clip is bad: it becomes a row of the rejects table, the run goes on

A message names the place, the value, and the next thing to do. Only a `ClipError` is ever caught by the machinery of a
run; whatever else a step raises is a bug and ends the run, as a `StepError` (`blame.py`).
"""

from __future__ import annotations

import difflib
import errno
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Self

from .address import without_secrets
from .text import clean


class Reason(StrEnum):
    """Why a clip is not in the dataset: the whole vocabulary. The step and the detail beside it say the rest. README.md
    has a row for each.
    """

    # the recipe asked for it
    BELOW_MIN = "below_min"
    ABOVE_MAX = "above_max"
    EXCLUDED = "excluded"
    DUPLICATE = "duplicate"
    NOT_SAMPLED = "not_sampled"
    # something is wrong with the clip, or with its row: these count against `max_reject_rate`
    BAD_ROW = "bad_row"
    OUT_OF_RANGE = "out_of_range"
    MISSING_FILE = "missing_file"
    HTTP_404 = "http_404"
    REMOVED = "removed"
    GEO_BLOCKED = "geo_blocked"
    DENIED = "denied"
    THROTTLED = "throttled"
    UNREADABLE = "unreadable"
    REFUSED = "refused"
    NOT_A_VIDEO = "not_a_video"
    DECODE_ERROR = "decode_error"
    LIMIT = "limit"
    TIMEOUT = "timeout"
    WORKER_DIED = "worker_died"
    ENGINE_ERROR = "engine_error"
    CONTEXT_OVERFLOW = "context_overflow"
    BAD_CAPTION = "bad_caption"
    NO_CAPTION = "no_caption"

    @property
    def is_error(self) -> bool:
        """False where the recipe asked for the drop, true where something was wrong."""
        return self not in _ASKED_FOR


_ASKED_FOR = frozenset({Reason.BELOW_MIN, Reason.ABOVE_MAX, Reason.EXCLUDED, Reason.DUPLICATE, Reason.NOT_SAMPLED})


@dataclass(frozen=True, slots=True)
class Rejection:
    """A reason and one line of detail, such as `luma 0.1 < min_luma 0.2` or `no video stream`; never an absolute path.

    `option`: the option of the step, or of the source, that asked for it, where one did: what to change, to have the
    clip back. `passing`: the doing of the surroundings (a disk that is gone, a process that was killed from outside)
    and no verdict on the clip: it is not kept, so that the same command tries the clip again.
    """

    reason: Reason
    detail: str
    option: str | None = None
    passing: bool = False

    def __post_init__(self) -> None:
        """The detail may quote a name, a cell, a server: it is published, so it is one clean line without secrets.

        Raises ValueError for a reason that there is not: a step of a user's own is not type-checked.
        """
        object.__setattr__(self, "reason", Reason(self.reason))
        object.__setattr__(self, "detail", clean(without_secrets(self.detail)))


class ShotscribeError(Exception):
    """Base of all errors that a user may meet; shown without a traceback."""

    exit_code = 1


class RecipeError(ShotscribeError):
    """The recipe is wrong; nothing was run."""

    exit_code = 2


class RunError(ShotscribeError):
    """The run cannot start or cannot go on; what was done is kept."""


class StepError(RunError):
    """The own code of a step or a source failed: its bug ends the run. `stack`: all that Python says, for the log
    `log_name`.
    """

    def __init__(self, step: str, what: str, stack: str) -> None:
        super().__init__(step, what, stack)  # all, so that it survives pickling between processes
        self.step, self.what, self.stack = step, what, stack
        self.log_name = f"step-{step}.txt"

    def __str__(self) -> str:
        return (
            f"{self.step}: {self.what}\n"
            f"the whole stack is in .work/logs/{self.log_name} in the output folder; mend it and run the same "
            "command again: what was done is kept"
        )


class ClipError(ShotscribeError):
    """One clip cannot be used. `option`: of the source that leaves it out; a step's options judge in `verdict`.
    `passing`: as a Rejection has it.
    """

    def __init__(self, reason: Reason, detail: str, option: str | None = None, *, passing: bool = False) -> None:
        super().__init__(reason, detail, option)
        self.rejection = Rejection(reason, detail, option, passing)

    def __reduce__(self) -> tuple[object, ...]:
        """By its rejection, so that it survives pickling between processes."""
        return type(self).of, (self.rejection,)

    @classmethod
    def of(cls, rejection: Rejection) -> Self:
        """The error that has this rejection."""
        return cls(rejection.reason, rejection.detail, rejection.option, passing=rejection.passing)

    def __str__(self) -> str:
        return f"{self.rejection.reason}: {self.rejection.detail}"


def did_you_mean(given: str, known: Iterable[str]) -> str:
    """`; did you mean "luma"?` where something is near, else the list of what there is."""
    names = list(known)
    near = difflib.get_close_matches(given.lower(), names, n=1)
    return f'; did you mean "{near[0]}"?' if near else f"; there is: {', '.join(names) or 'nothing'}"


OUTPUT_ERRORS = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EFBIG})
"""Errors of a place that is written to: never the fault of a file that is read."""
