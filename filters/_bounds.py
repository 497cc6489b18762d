"""What every step with limits asks of a recipe."""

from __future__ import annotations

from ..builder.step import Step


def check_bounds(step: Step, *pairs: tuple[str, str]) -> None:
    """ValueError where no limit is given, or a minimum is above its maximum. `pairs`: fields that may be None."""
    limits = [(low, getattr(step, low), high, getattr(step, high)) for low, high in pairs]
    if all(value is None for _, low, _, high in limits for value in (low, high)):
        raise ValueError(f"{step.use} drops nothing: give at least one of {', '.join(sum(pairs, ()))}")
    for low_name, low, high_name, high in limits:
        if low is not None and high is not None and low > high:
            raise ValueError(f"{low_name} {low:g} is above {high_name} {high:g}: no clip would be left")
