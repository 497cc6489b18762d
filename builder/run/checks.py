"""What would spoil a run late is found before it starts."""

from __future__ import annotations

import importlib.util

from ..contract.errors import RunError
from ..contract.source import forbids_redistribution
from ..recipe.plan import Plan
from ..recipe.recipe import Recipe
from ..store.clips import ClipTable


def check_installed(plan: Plan) -> None:
    """Missing libraries are found now, not after a day of decoding: of steps that others bring with them, too."""
    recipe = plan.recipe
    needed = {"decord": "decord"} if recipe.decode.decoder == "decord" else {}
    blocks = [(planned.name, planned.step.requires()) for stage in plan.stages for planned in stage.steps]
    blocks += [(f"the engine {name}", engine.requires()) for name, engine in recipe.engines.items()]
    for place, requires in [("decode", needed), *blocks]:
        for module, extra in requires.items():
            if importlib.util.find_spec(module) is None:
                raise RunError(
                    f'{recipe.name}: {place} needs {module}, which is not installed: pip install "shotscribe[{extra}]"'
                )


def check_engines(recipe: Recipe) -> None:
    """A key that is not there is missed now, not when the first clip comes to its captioner. Raises RunError."""
    for engine in recipe.engines.values():
        engine.check()


def check_licenses(recipe: Recipe, clips: ClipTable) -> None:
    """A corpus may name a license a clip: none that forbids to publish the media may be embedded. Raises RunError."""
    if recipe.publish.media != "embed":
        return
    for piece in clips.pieces:
        for name in clips.clips(piece).column("license").unique().to_pylist():
            if name and forbids_redistribution(name):
                raise RunError(
                    f'{recipe.name}: there are clips of the license "{name}", whose media may not be published; set '
                    "publish.media: reference, which publishes ids, times, addresses and captions only"
                )
