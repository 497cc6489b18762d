"""Take the clip table through the stages of a plan, and stop where too much fails."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from ..contract.errors import Reason
from ..contract.limits import Decode
from ..recipe.plan import Stage
from ..store.arrow import read_table
from .stage import RunningStage
from .state import Outcome, Settings, too_many_errors


def run_stages(outcome: Outcome, stages: Sequence[Stage], *, settings: Settings, decode: Decode, listed: int) -> None:
    """Take the outcome through all stages, in place. `listed`: rows of the sources, those that are no clips with them.

    Raises RunError when a stage rejects more than `max_reject_rate` of its clips for errors: the outcome has the
    rejects then.
    """
    scratch = settings.work / "scratch"
    shutil.rmtree(scratch, ignore_errors=True)
    before, rows = 0, listed  # rows that are no clips count with the first stage, which probes
    for number, stage in enumerate(stages):
        read = outcome.tables
        running = RunningStage(stage, settings, decode, scratch / f"{number:02}", outcome.rows, of=rows)
        running.run(outcome)
        reasons = error_reasons(outcome.rejects[before:])
        if reasons.total() > settings.max_reject_rate * rows:
            raise too_many_errors(running.title, reasons, rows, settings.max_reject_rate, work=settings.work)
        if stage.engine and stage.engine not in [later.engine for later in stages[number + 1 :]]:
            settings.engines.close(stage.engine)
        before, rows = len(outcome.rejects), outcome.rows
        if number:  # not the table of clips itself: a stage's table is as large as the embeddings in it
            for path in read:
                path.unlink()


def error_reasons(rejects: Sequence[Path]) -> Counter[str]:
    """How often each reason that is an error stands in the rejects tables."""
    reasons = Counter(reason for path in rejects for reason in read_table(path).column("reason").to_pylist())
    return Counter({reason: count for reason, count in reasons.items() if Reason(reason).is_error})
