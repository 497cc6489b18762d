"""Whether a build is there already: its digest, kept beside the sizes of its files."""

from __future__ import annotations

import hashlib
import json
from importlib.metadata import version
from pathlib import Path
from typing import cast

from ..cards.record import FORMAT, BuildRecord
from .files import canonical_json, write_text
from .ingest import ClipTable
from .plan import Plan
from .recipe import Recipe


def build_digest(recipe: Recipe, plan: Plan, clips: ClipTable) -> str:
    """Names the finished state: what is made from what, with every option that shows in the output."""
    what = {
        "shotscribe": version("shotscribe"),
        "format": FORMAT,
        "recipe": recipe.canonical(),
        "steps": [
            [planned.key, planned.step.model_dump(mode="json")] for stage in plan.stages for planned in stage.steps
        ],
        "clips": [shard.digest for shard in clips.shards],
    }
    return hashlib.sha256(canonical_json(what).encode()).hexdigest()


def finished_record(folder: Path, digest: str) -> BuildRecord | None:
    """The record of this very build, if it is done and its files are there."""
    try:
        done = json.loads((folder / ".work" / "done.json").read_text())
        if done["digest"] != digest or any(
            (folder / name).stat().st_size != size for name, size in done["files"].items()
        ):
            return None
        return cast(BuildRecord, json.loads((folder / "build.json").read_text("utf-8")))
    except (OSError, ValueError, KeyError):
        return None


def mark_finished(folder: Path, digest: str, record: BuildRecord) -> None:
    """Remember that the build of this digest is complete."""
    names = [one["path"] for one in [*record["shards"], *record["files"]]]
    sizes = {name: (folder / name).stat().st_size for name in [*names, "README.md", "report.html", "build.json"]}
    write_text(folder / ".work" / "done.json", json.dumps({"digest": digest, "files": sizes}))
