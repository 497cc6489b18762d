"""What packing has done so far, so that none of it is done twice.

    .work/tars/<digest>.tar, .json     complete tars: the digest names the entries; the json says where each mp4 lies
    .work/cuts/<cut key>.mp4           finished cuts that are in no complete tar yet
    data/train-00000-of-00012.tar      hard links to the tars (copies where there are no links)

Everything appears whole or not at all, so a run that was killed is continued by looking at what is there.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Self

from .clip import media_of
from .extent import Extent
from .files import canonical_json, sync, unwritable, write_atomically, write_text
from .tars import VERSION, Entry, Written, write_tar


class TarStore:
    """The tars and cuts of one output folder, which is this process's alone."""

    def __init__(self, out: Path) -> None:
        self._data = out / "data"
        self._tars = out / ".work" / "tars"
        self._cuts = out / ".work" / "cuts"
        self._written: dict[str, Written] = {}
        self._packed: dict[str, tuple[str, int, int]] = {}

    @classmethod
    def open(cls, out: Path) -> Self:
        """Take stock, and clear away what an interrupted run left half done. Raises RunError."""
        store = cls(out.absolute())
        with _writing(store._tars):
            for folder in (store._data, store._tars, store._cuts):
                folder.mkdir(parents=True, exist_ok=True)
                for half in folder.glob(".*.tmp"):
                    half.unlink()
            for path in store._tars.glob("*.json"):
                if written := _read(path):
                    store._take(path.stem, written)
            for path in store._tars.iterdir():
                if path.stem not in store._written:
                    path.unlink()
            for path in store._cuts.iterdir():
                if path.stem in store._packed:
                    path.unlink()
        return store

    def cut_path(self, key: str) -> Path:
        return self._cuts / f"{key}.mp4"

    def find(self, key: str) -> Extent | None:
        """The mp4 of a cut key, if there is one already."""
        if packed := self._packed.get(key):
            digest, offset, size = packed
            return Extent(media_of(self._tars / f"{digest}.tar"), offset, size)
        path = self.cut_path(key)
        return Extent(media_of(path), 0, path.stat().st_size) if path.exists() else None

    def write(self, entries: Sequence[Entry]) -> str:
        """The digest of the entries; their tar is written if it is not there. May run in several threads.

        Raises GoneError, RunError.
        """
        digest = _digest(entries)
        if digest not in self._written:
            with _writing(self._tars):
                written = write_tar(self._tars / f"{digest}.tar", entries)
                write_text(self._tars / f"{digest}.json", canonical_json(asdict(written)))
            self._written[digest] = written
        return digest

    def drop_cuts(self, entries: Sequence[Entry]) -> None:
        """Remove the cuts of entries whose tar is complete and will not be filled anew."""
        for entry in entries:
            if entry.video is not None:
                self.cut_path(entry.cut_key).unlink(missing_ok=True)

    def publish(self, digests: Sequence[str]) -> list[tuple[str, Written]]:
        """Make `data/` these tars, in order, and forget all others. Returns their paths below the output folder."""
        names = [f"train-{index:05}-of-{len(digests):05}.tar" for index in range(len(digests))]
        with _writing(self._data):
            for name, digest in zip(names, digests, strict=True):
                _link(self._tars / f"{digest}.tar", self._data / name)
            _remove(self._data.glob("train-*.tar"), but=names)
            sync(self._data)
            _remove(self._tars.iterdir(), but=[digest + suffix for digest in digests for suffix in (".tar", ".json")])
            _remove(self._cuts.iterdir(), but=[])
        return [(f"data/{name}", self._written[digest]) for name, digest in zip(names, digests, strict=True)]

    def _take(self, digest: str, written: Written) -> None:
        """Know a tar, if it is as it was when it was written."""
        path = self._tars / f"{digest}.tar"
        if path.exists() and path.stat().st_size == written.bytes:
            self._written[digest] = written
            for key, offset, size in written.videos:
                self._packed[key] = (digest, offset, size)


def _read(path: Path) -> Written | None:
    """None for what another version of this program wrote differently."""
    try:
        return Written(**json.loads(path.read_text(encoding="utf-8")))
    except (ValueError, TypeError):
        return None


def _digest(entries: Sequence[Entry]) -> str:
    digest = hashlib.sha256(f"tar {VERSION}\n".encode())
    for entry in entries:
        for part in (entry.clip_id.encode(), entry.cut_key.encode() if entry.video else None, entry.text, entry.record):
            digest.update(b"-" if part is None else b"%d:%b" % (len(part), part))
    return digest.hexdigest()


def _link(tar: Path, target: Path) -> None:
    if target.exists() and _same(tar, target):
        return

    def write(temporary: Path) -> None:
        try:
            os.link(tar, temporary)
        except OSError:  # no hard links there; a full or read-only disk fails the copy too
            shutil.copy2(tar, temporary)

    write_atomically(target, write)


def _same(tar: Path, target: Path) -> bool:
    """One file, or a copy that nobody touched since."""
    ours, theirs = tar.stat(), target.stat()
    return os.path.samestat(ours, theirs) or (ours.st_size, ours.st_mtime_ns) == (theirs.st_size, theirs.st_mtime_ns)


def _remove(paths: Iterable[Path], *, but: Sequence[str]) -> None:
    kept = set(but)
    for path in paths:
        if path.name not in kept:
            path.unlink()


@contextmanager
def _writing(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise unwritable(folder, error) from error
