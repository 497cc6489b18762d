"""What packing has done so far, so that none of it is done twice.

    .work/tars/<digest>.tar, .json     complete tars: the digest names the entries; the json says where each mp4 lies
    .work/cuts/<cut key>.mp4           finished cuts that are in no complete tar
    data/train-00000-of-00012.tar      hard links to the tars (copies where there are no links)

Everything appears whole or not at all, so a run that was killed is continued by looking at what is there. An mp4 that
was cut once stays until `shotscribe prune`, in one copy: a tar goes once nothing published is a link to it, and what no
other tar has is put back into `cuts/` before. So a clip that comes back, by a threshold or with a disk, costs nothing.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Self

from ..contract.locations import media_of
from ..store.files import sync, unwritable, write_atomically
from ..store.outputs import outputs
from ..store.seal import read_state, write_state
from .extent import Extent
from .tars import VERSION, Entry, Written, write_tar


class TarStore:
    """The tars and cuts of a state, which is this process's alone, for one of the datasets that are made from it."""

    def __init__(self, folder: Path, work: Path) -> None:
        self._data = folder / "data"
        self._work = work
        self._tars = work / "tars"
        self._cuts = work / "cuts"
        self._written: dict[str, Written] = {}
        self._packed: dict[str, tuple[str, int, int]] = {}

    @classmethod
    def open(cls, folder: Path, work: Path) -> Self:
        """Take stock, and clear away what an interrupted run left half done. Raises RunError.

        `folder`: where the dataset is published; `work`: the state.
        """
        store = cls(folder.absolute(), work.absolute())
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
                write_state(self._tars / f"{digest}.json", asdict(written))
            self._written[digest] = written
        return digest

    def drop_cuts(self, entries: Sequence[Entry]) -> None:
        """Remove the cuts of entries whose tar is complete and will not be filled anew."""
        for entry in entries:
            if entry.video is not None:
                self.cut_path(entry.cut_key).unlink(missing_ok=True)

    def publish(self, digests: Sequence[str]) -> list[tuple[str, Written]]:
        """Make `data/` these tars, in order. Returns their paths below the dataset's folder."""
        names = [f"train-{index:05}-of-{len(digests):05}.tar" for index in range(len(digests))]
        with _writing(self._data):
            for name, digest in zip(names, digests, strict=True):
                _link(self._tars / f"{digest}.tar", self._data / name)
            for stale in set(self._data.glob("train-*.tar")) - {self._data / name for name in names}:
                stale.unlink()
            sync(self._data)
        self._dissolve()
        return [(f"data/{name}", self._written[digest]) for name, digest in zip(names, digests, strict=True)]

    def _unpublished(self) -> list[str]:
        """The digests of the tars that no published dataset of this state has."""
        published = set[tuple[str, int, int]]()
        for output in outputs(self._work):
            for path in (output.folder / "data").glob("train-*.tar"):
                published.update(_identities(path))
        return sorted(
            digest for digest in self._written if published.isdisjoint(_identities(self._tars / f"{digest}.tar"))
        )

    def spare(self) -> list[Path]:
        """Files that no published dataset needs; they would save the next build from cutting."""
        tars = [self._tars / f"{digest}{suffix}" for digest in self._unpublished() for suffix in (".json", ".tar")]
        return [*sorted(self._cuts.iterdir()), *tars]

    def _dissolve(self) -> None:
        """Remove tars that nothing published has, once their mp4s are elsewhere."""
        unpublished = self._unpublished()
        kept = {key for digest in self._written.keys() - set(unpublished) for key, *_ in self._written[digest].videos}
        for digest in unpublished:
            tar = self._tars / f"{digest}.tar"
            for key, offset, size in self._written[digest].videos:
                if key not in kept and not self.cut_path(key).exists():
                    with _writing(self._cuts):
                        write_atomically(self.cut_path(key), Extent(media_of(tar), offset, size).copy_into)
            with _writing(self._tars):
                tar.unlink()
                tar.with_suffix(".json").unlink()
            del self._written[digest]

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
        return Written(**(read_state(path) or {}))
    except TypeError:
        return None


def _digest(entries: Sequence[Entry]) -> str:
    digest = hashlib.sha256(f"tar {VERSION}\n".encode())
    for entry in entries:
        for part in (entry.clip_id.encode(), entry.cut_key.encode() if entry.video else None, entry.text, entry.record):
            digest.update(b"-" if part is None else b"%d:%b" % (len(part), part))
    return digest.hexdigest()


def _link(tar: Path, target: Path) -> None:
    if target.exists() and not _identities(tar).isdisjoint(_identities(target)):
        return

    def write(temporary: Path) -> None:
        try:
            os.link(tar, temporary)
        except OSError:  # no hard links there; a full or read-only disk fails the copy too
            shutil.copy2(tar, temporary)

    write_atomically(target, write)


def _identities(path: Path) -> frozenset[tuple[str, int, int]]:
    """Two files that share one are the same file, or a copy and its original that nobody touched since."""
    about = path.stat()
    return frozenset({("file", about.st_dev, about.st_ino), ("content", about.st_size, about.st_mtime_ns)})


@contextmanager
def _writing(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise unwritable(folder, error) from error
