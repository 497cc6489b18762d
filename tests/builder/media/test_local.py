"""Whose fault it is that a file cannot be decoded: its own, or its disk's."""

from __future__ import annotations

import builtins
import errno
import os
from pathlib import Path
from typing import Any

import pytest
from shotscribe.builder.contract.errors import ClipError, Reason, Rejection
from shotscribe.builder.contract.frames import Sampling
from shotscribe.builder.contract.limits import Decode
from shotscribe.builder.media.local import blamed
from shotscribe.builder.run.executors.work import decoded

BAD = Rejection(Reason.DECODE_ERROR, "frame at 1.00 s cannot be decoded")


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reading fails after the first MiB, as on a disk that is gone."""
    opened = builtins.open

    class Failing:
        def __init__(self, file: Any) -> None:
            self._file, self._reads = file, 0

        def __enter__(self) -> Failing:
            return self

        def __exit__(self, *_: object) -> None:
            self._file.close()

        def read(self, size: int) -> bytes:
            self._reads += 1
            if self._reads > 1:
                raise OSError(errno.EIO, os.strerror(errno.EIO))
            return bytes(self._file.read(size))

    def failing_open(path: Any, *arguments: Any, **options: Any) -> Any:
        file = opened(path, *arguments, **options)
        return Failing(file) if str(path).endswith(".mp4") else file

    monkeypatch.setattr(builtins, "open", failing_open)


def test_a_file_that_can_be_read_to_its_end_is_bad_itself(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    path.write_bytes(bytes(3 << 20))
    assert blamed(BAD, str(path)) is BAD


@pytest.mark.usefixtures("failing")
def test_one_that_cannot_be_is_no_verdict_on_the_clip(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    path.write_bytes(bytes(3 << 20))
    why = blamed(BAD, str(path))
    assert (why.reason, why.passing) == (Reason.UNREADABLE, True)
    assert "Input/output error" in why.detail
    for other in (Rejection(Reason.LIMIT, "max_pixels"), Rejection(Reason.TIMEOUT, "20 s")):
        assert blamed(other, str(path)) is other


@pytest.mark.usefixtures("failing")
def test_frames_for_a_captioner_are_judged_alike(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    path.write_bytes(b"no video at all" * 100_000)
    row = {"media": str(path), "start": 0.0, "end": 1.0, "interlaced": False}
    with pytest.raises(ClipError) as raised:
        decoded(row, [Sampling(fractions=(0.5,))], limits=Decode(), media_folder=tmp_path)
    assert raised.value.rejection.passing


def test_a_file_that_vanished_meanwhile_may_come_back(tmp_path: Path) -> None:
    assert blamed(BAD, str(tmp_path / "gone.mp4")).passing
