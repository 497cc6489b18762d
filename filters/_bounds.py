"""What every step with limits asks of a recipe."""

from __future__ import annotations

from ..builder.contract.step import Step

Pair = tuple[str, str]
"""The names of a minimum and a maximum among a step's fields; each may be None."""


def check_bounds(step: Step, *pairs: Pair) -> None:
    """For a step that does nothing but judge: ValueError where no limit is given, or a minimum is above its maximum."""
    names = [name for pair in pairs for name in pair]
    if all(getattr(step, name) is None for name in names):
        raise ValueError(f"{step.use} drops nothing: give at least one of {', '.join(names)}")
    check_order(step, *pairs)


def check_order(step: Step, *pairs: Pair) -> None:
    """ValueError where a minimum is above its maximum."""
    for low, high in pairs:
        minimum, maximum = getattr(step, low), getattr(step, high)
        if minimum is not None and maximum is not None and minimum > maximum:
            raise ValueError(f"{low} {minimum:g} is above {high} {maximum:g}: no clip would be left")
