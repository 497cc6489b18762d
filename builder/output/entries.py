"""From a clip to the entry of a tar: its mp4 is found where it lies already, or cut by a worker."""

from __future__ import annotations

import hashlib
import os
from concurrent.futures import Future
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from ..contract.executor import Executor
from ..contract.identity import canonical_json
from ..contract.limits import Decode
from ..contract.locations import media_of, path_of
from ..media.cut import VERSION, Form, cut
from ..media.local import check_unchanged, reading
from ..media.mp4 import blanks_of
from ..store.files import unwritable, write_atomically
from .extent import Extent
from .tar_store import TarStore, keep_cut
from .tars import Entry

_PATIENCE = 10  # seconds of work for a second of video: 4K at 60 frames a second on one slow core takes about 8


@dataclass(frozen=True, slots=True)
class Sample:
    """A clip to publish.

    `digest`: of all that shows in its members. `media` is a local file, as `clip.media_of` gives it; an empty
    `media_stat` is not compared with the file's. `form`: what its mp4 must be. `record`: canonical JSON of all that
    is published. No `text`, no `.txt` member.
    """

    clip_id: str
    digest: int
    media: str
    media_version: str
    media_stat: str
    form: Form
    text: str | None
    record: bytes


def entry_of(sample: Sample, *, key: str = "", video: Extent | None = None) -> Entry:
    """The entry of a clip, with the mp4 of its cut key; without, by reference."""
    text = None if sample.text is None else sample.text.encode("utf-8")
    return Entry(sample.clip_id, sample.digest, key, video, text, sample.record)


def cut_key(sample: Sample) -> str:
    """What the bytes of a clip's mp4 depend on; with the clip's id, so that no two clips ever share a file."""
    clip = [sample.clip_id, sample.media_version, asdict(sample.form)]
    exact = canonical_json([VERSION, *clip])
    return hashlib.sha256(exact.encode("utf-8", "surrogatepass")).hexdigest()[:40]


def mp4_of(sample: Sample, key: str, *, store: TarStore, executor: Executor, limits: Decode) -> Future[Extent]:
    """The mp4 of a clip and its cut key: from where it lies already, or from a worker."""
    if (found := store.find(key)) is not None:
        return _settled(found)
    return executor.submit(
        cut_file,
        str(store.cut_path(key)),
        sample=replace(sample, text=None, record=b""),
        limits=limits,
        timeout_s=limits.timeout_s + sample.form.end + _PATIENCE * (sample.form.end - sample.form.start),
    )


def _settled(extent: Extent) -> Future[Extent]:
    future: Future[Extent] = Future()
    future.set_result(extent)
    return future


def cut_file(target: str, *, sample: Sample, limits: Decode) -> Extent:
    """The mp4 of a clip: its media file where that may be published as it lies, else cut into a file of the store,
    whole or not at all. Runs in a worker process.
    """
    check_unchanged(sample.media, sample.media_stat)
    if sample.form.whole and (extent := _as_it_lies(sample)) is not None:
        return extent

    def write(temporary: Path) -> None:
        cut(sample.media, str(temporary), form=sample.form, limits=limits)
        check_unchanged(sample.media, sample.media_stat)

    path = Path(target)
    try:
        write_atomically(path, write, durable=False)  # its name has its hash
        path = keep_cut(path)
    except OSError as error:
        raise unwritable(path, error) from error
    return Extent(media_of(path), 0, path.stat().st_size)


def _as_it_lies(sample: Sample) -> Extent | None:
    path = path_of(sample.media)
    with reading():
        blanks = blanks_of(path, timing=sample.form.timing, sound=sample.form.audio_rate is not None)
        size = os.stat(path).st_size  # noqa: PTH116  (perhaps undecodable bytes)
    return None if blanks is None else Extent(sample.media, 0, size, sample.media_stat, tuple(blanks))
