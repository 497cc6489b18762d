"""Whether a build is there already: its digest, kept beside the size, the time and the hash of each of its files."""

from __future__ import annotations

import json
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import cast

from ...cards.record import FORMAT, BuildRecord
from ..contract.engine import engine_digest
from ..contract.identity import Json, json_hash
from ..recipe.plan import Plan
from ..recipe.recipe import Recipe
from ..store.clips import ClipTable
from ..store.outputs import Output
from ..store.seal import note, read_state, write_state
from ..store.values import value_store
from .tars import sha256_of


def build_digest(recipe: Recipe, plan: Plan, clips: ClipTable) -> str:
    """Names the finished state: what is made from what, with every option that shows in the output."""
    what = {
        "shotscribe": version("shotscribe"),
        "format": FORMAT,
        "recipe": recipe.canonical(),
        "steps": [
            [planned.key, planned.step.model_dump(mode="json")] for stage in plan.stages for planned in stage.steps
        ],
        "clips": [piece.digest for piece in clips.pieces],
    }
    return json_hash(what)


def finished_record(output: Output, digest: str) -> BuildRecord | None:
    """The record of this very build, if it is done, no clip is to be tried again, and its files are there."""
    try:
        done = read_state(output.state("done.json"))
        if (
            done is None
            or not done["values"]
            or done["digest"] != digest
            or done["passing"]
            or not all(_is_as_written(output.folder / name, *about) for name, about in done["files"].items())
        ):
            return None
        return cast(BuildRecord, json.loads((output.folder / "build.json").read_text("utf-8")))
    except (OSError, ValueError, KeyError):
        return None


def _is_as_written(path: Path, size: int, mtime_ns: int, sha256: str) -> bool:
    """Whether a published file is what was built; one that nobody touched is not read. Raises OSError."""
    about = path.stat()
    if about.st_size == size and (about.st_mtime_ns == mtime_ns or sha256_of(path) == sha256):
        return True
    note(path)
    return False


@dataclass(frozen=True, slots=True)
class Needs:
    """What of the state a build stands on: folders of values, engines by their digests, pieces of the clip table;
    whether it is finished.
    """

    values: frozenset[str]
    engines: frozenset[str]
    pieces: frozenset[str]
    finished: bool


def mark_begun(output: Output, plan: Plan, clips: ClipTable) -> None:
    """From here on the folder is under way, and no finished build any more."""
    values = [
        value_store(output.work, planned.step, planned.key).folder.name
        for stage in plan.stages
        for planned in stage.steps
    ]
    engines = [engine_digest(engine) for engine in plan.recipe.engines.values()]
    _write(
        output, {"digest": None, "values": values, "engines": engines, "pieces": [piece.name for piece in clips.pieces]}
    )


def mark_finished(output: Output, digest: str, record: BuildRecord, *, passing: int) -> None:
    """Remember that the build of this digest is complete, but for the clips that the same command tries again."""
    begun = read_state(output.state("done.json"))
    hashes = {file["path"]: file["sha256"] for file in [*record["shards"], *record["files"]]}
    pages = [output.folder / name for name in ("README.md", "report.html", "build.json")]
    for path in [*pages, *sorted((output.folder / "assets").iterdir())]:
        hashes[path.relative_to(output.folder).as_posix()] = sha256_of(path)
    files: dict[str, tuple[int, int, str]] = {}
    for name, sha256 in hashes.items():
        about = (output.folder / name).stat()
        files[name] = (about.st_size, about.st_mtime_ns, sha256)
    _write(output, {**begun, "digest": digest, "files": files, "passing": passing})


def needs_of(output: Output) -> Needs | None:
    """None where no build was begun."""
    done = read_state(output.state("done.json"))
    if done is None:
        return None
    return Needs(
        values=frozenset(done["values"]),
        engines=frozenset(done["engines"]),
        pieces=frozenset(done["pieces"]),
        finished=done["digest"] is not None,
    )


def _write(output: Output, done: Json) -> None:
    write_state(output.state("done.json"), done)
