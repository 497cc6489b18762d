"""The generations of clips of a published dataset: how many tars each has, and which clips are in the closed ones."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from ..store.arrow import read_or_drop, write_table
from ..store.files import locked
from ..store.outputs import Output
from ..store.seal import read_state, write_state
from .layout import Generation, Hashes


def id_hashes(clip_ids: Iterable[str]) -> Hashes:
    """What tells to which tar a clip belongs: 64 bits of its id."""
    digests = b"".join(hashlib.blake2b(clip_id.encode(), digest_size=8).digest() for clip_id in clip_ids)
    return np.frombuffer(digests, ">u8").astype(np.uint64)


def read_generations(output: Output) -> tuple[list[Generation], list[Hashes]]:
    """The generations so far, and the clips of those that are closed: all but the last, at most.

    What was damaged is forgotten: its clips are spread anew.
    """
    settled = [Generation(**about) for about in read_state(output.state("generations.json")) or []]
    members: list[Hashes] = []
    for number, generation in enumerate(settled):
        if generation.closed:
            table = read_or_drop(_members(output, number))
            if table is None:
                return settled[:number], members
            members.append(table.column("hash").to_numpy())
    return settled, members


def write_generations(output: Output, generations: Sequence[Generation]) -> None:
    """Remember what was published."""
    write_state(output.state("generations.json"), [asdict(generation) for generation in generations])


def close_generation(output: Output) -> None:
    """What the folder holds was pushed: clips that come from now on are no part of it. Raises RunError."""
    with locked(output.work):
        generations, members = read_generations(output)
        if len(members) == len(generations):
            return
        prefix = "train-" if not members else f"train-g{len(generations)}-"
        files = sorted((output.folder / "metadata").glob(f"{prefix}[0-9]*.parquet"))
        ids = [pq.read_table(path, columns=["clip_id"]).column("clip_id").to_pylist() for path in files]
        hashes = np.sort(id_hashes(clip_id for some in ids for clip_id in some))
        write_table(_members(output, len(members)), pa.table({"hash": hashes}))
        write_generations(output, [*generations[:-1], replace(generations[-1], closed=True)])


def _members(output: Output, number: int) -> Path:
    return output.state(f"generation-{number + 1}.arrow")
