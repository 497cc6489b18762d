"""Which block of `embed` is meant: one that names an engine, or one without a model."""

from __future__ import annotations

from pydantic import Discriminator


def by_engine(plain: str, engine: str) -> Discriminator:
    """Tags "model" where an engine is named, else what `use` says. `plain`: what that may be; `engine`: an example."""
    return Discriminator(
        _tag,
        custom_error_type="embed",
        custom_error_message=f"should be {{use: {plain}}}, or name an engine of the recipe, as in {{engine: {engine}}}",
    )


def _tag(given: object) -> str | None:
    if isinstance(given, dict):
        return "model" if "engine" in given else given.get("use")
    return "model" if getattr(given, "engine", None) else getattr(given, "use", None)
