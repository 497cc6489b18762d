"""Listing opens no media: the files of these tests are names with a byte in them."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest
from shotscribe.builder.contract.source import Source, SourceClip, SourceReject

Put = Callable[..., None]
Listed = tuple[list[SourceClip], list[SourceReject]]


@pytest.fixture
def put() -> Put:
    """Make files of one byte below a folder."""

    def put(folder: Path, *names: str | bytes) -> None:
        for name in names:
            path = folder / os.fsdecode(name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"x")

    return put


@pytest.fixture
def split(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Source], Listed]:
    """List a source twice, check that the order is stable, and part its clips from its rejects."""

    def split(source: Source) -> Listed:
        work = tmp_path_factory.mktemp("work")
        listed = list(source.clips(work))
        assert list(source.clips(work)) == listed
        return (
            [one for one in listed if isinstance(one, SourceClip)],
            [one for one in listed if isinstance(one, SourceReject)],
        )

    return split


@pytest.fixture
def reasons() -> Callable[[Iterable[SourceReject]], list[tuple[str, str]]]:
    def reasons(rejects: Iterable[SourceReject]) -> list[tuple[str, str]]:
        return [(reject.source_id, str(reject.rejection.reason)) for reject in rejects]

    return reasons
