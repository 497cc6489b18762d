"""What packing has done so far, so that none of it is done twice.

    .work/tars/<digest>.tar, .json     complete tars: the digest names the entries; the json says where each mp4 lies
    .work/cuts/<cut key>.<hash>.mp4    finished cuts that are in no complete tar; the hash is of their content
    data/train-00000-of-00012.tar      hard links to the tars (copies where there are no links)

Everything appears whole or not at all, so a run that was killed is continued by looking at what is there. An mp4 that
was cut once stays until `shotscribe prune`, in one copy: a tar goes once nothing published is a link to it, and what no
other tar has is put back into `cuts/` before. So a clip that comes back, by a threshold or with a disk, costs nothing.

What lies there may be damaged. A tar that was touched since it was written is compared with its hash, and so is any
before an mp4 is taken out of it, and a cut of an earlier run before it is used: one that is damaged is forgotten, told,
and made again.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import uuid
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Self

from ..contract.errors import Rejection
from ..contract.locations import media_of, path_of
from ..store.files import sync, unwritable, write_atomically
from ..store.outputs import outputs
from ..store.seal import note, read_state, write_state
from .extent import Extent
from .tars import Entry, Written, sha256_of, write_tar

_HASH_DIGITS = 32


class TarStore:
    """The tars and cuts of a state, which is this process's alone, for one of the datasets that are made from it."""

    def __init__(self, folder: Path, work: Path) -> None:
        self._folder, self._data = folder, folder / "data"
        self._work = work
        self._tars = work / "tars"
        self._cuts = work / "cuts"
        self._written: dict[str, Written] = {}
        self._packed: dict[str, tuple[str, int, int]] = {}
        self._loose: dict[str, Path] = {}
        self._sound = set[str]()

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
                if about := _read(path):
                    store._take(path.stem, *about)
            for path in store._tars.iterdir():
                if path.stem not in store._written:
                    path.unlink()
            for path in store._cuts.iterdir():
                key, _, rest = path.name.partition(".")
                if key in store._packed or len(rest) != _HASH_DIGITS + len(".mp4"):
                    path.unlink()
                else:
                    store._loose[key] = path
        return store

    def cut_path(self, key: str) -> Path:
        """Where to cut it; `keep_cut` gives it its name."""
        return self._cuts / f"{key}.mp4"

    def find(self, key: str) -> Extent | None:
        """The mp4 of a cut key, if there is one that is as it was made. Raises RunError."""
        if (packed := self._packed.get(key)) and self._is_sound(packed[0]):
            digest, offset, size = packed
            return Extent(media_of(self._tars / f"{digest}.tar"), offset, size)
        if (path := self._loose.get(key)) is None:
            return None
        if key not in self._sound:
            if path != _hashed_name(self.cut_path(key), path):
                with _writing(self._cuts):
                    self._loose.pop(key).unlink()
                note(path)
                return None
            self._sound.add(key)
        return Extent(media_of(path), 0, path.stat().st_size)

    def has(self, digest: str) -> bool:
        """Whether the tar of these clips is there."""
        return digest in self._written

    def write(self, entries: Iterable[Entry]) -> tuple[str | None, dict[str, Rejection]]:
        """Write the tar of these entries; its digest, None where no clip is left for it, and the clips whose media
        vanished or changed meanwhile. May run in a thread. Raises RunError.
        """
        half = self._tars / f".{uuid.uuid4().hex}.tmp"
        with _writing(self._tars):
            try:
                written, digest, gone = write_tar(half, entries)
                if written.rows == 0 or digest in self._written:
                    return (digest if written.rows else None), gone
                tar = half.replace(self._tars / f"{digest}.tar")
                self._describe(tar, written)
            finally:
                half.unlink(missing_ok=True)
        self._know(digest, written)
        self._sound.add(digest)
        return digest, gone

    def _describe(self, tar: Path, written: Written) -> None:
        """Remember a tar as it is now."""
        write_state(tar.with_suffix(".json"), {**asdict(written), "mtime_ns": tar.stat().st_mtime_ns})

    def _is_sound(self, digest: str) -> bool:
        """Whether a tar is as it was written, by its hash; one that is not is forgotten."""
        if digest not in self._written:
            return False
        if digest not in self._sound:
            tar = self._tars / f"{digest}.tar"
            if sha256_of(tar) != self._written[digest].sha256:
                self._forget(digest)
                note(tar)
                return False
            self._sound.add(digest)
        return True

    def _forget(self, digest: str) -> None:
        for key, *_ in self._written.pop(digest).videos:
            if self._packed.get(key, ("",))[0] == digest:
                del self._packed[key]
        with _writing(self._tars):
            (self._tars / f"{digest}.tar").unlink(missing_ok=True)
            (self._tars / f"{digest}.json").unlink(missing_ok=True)

    def drop_cuts(self, entries: Iterable[Entry]) -> None:
        """Remove the cuts of entries whose tar is complete."""
        for entry in entries:
            if entry.video is not None and (path := Path(path_of(entry.video.media))).parent == self._cuts:
                path.unlink(missing_ok=True)

    def publish(self, tars: Mapping[str, str]) -> dict[str, Written]:
        """Make `data/` these tars: digests by their paths below the dataset's folder. What each of them is."""
        targets = {self._folder / path: digest for path, digest in tars.items()}
        with _writing(self._data):
            for target, digest in targets.items():
                _link(self._tars / f"{digest}.tar", target)
            for stale in set(self._data.glob("train-*.tar")) - targets.keys():
                stale.unlink()
            sync(self._data)
        self._dissolve()
        return {path: self._written[digest] for path, digest in tars.items()}

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
            lone = [video for video in self._written[digest].videos if video[0] not in kept]
            if lone and not self._is_sound(digest):
                continue
            for key, offset, size in lone:
                path = self.cut_path(key)
                if not any(self._cuts.glob(f"{key}.*")):
                    with _writing(self._cuts):
                        write_atomically(path, Extent(media_of(self._tars / f"{digest}.tar"), offset, size).copy_into)
                        keep_cut(path)
            self._forget(digest)

    def _know(self, digest: str, written: Written) -> None:
        self._written[digest] = written
        for key, offset, size in written.videos:
            self._packed[key] = (digest, offset, size)

    def _take(self, digest: str, written: Written, mtime_ns: int) -> None:
        """Know a tar, if it is as it was when it was written."""
        tar = self._tars / f"{digest}.tar"
        if not tar.exists():
            return
        self._know(digest, written)
        about = tar.stat()
        if about.st_size != written.bytes:
            self._forget(digest)
            note(tar)
        elif about.st_mtime_ns != mtime_ns and self._is_sound(digest):
            self._describe(tar, written)


def keep_cut(path: Path) -> Path:
    """Name a finished cut after its content, so that it can be checked; its new path. Raises OSError."""
    return path.replace(_hashed_name(path, path))


def _hashed_name(cut: Path, file: Path) -> Path:
    """What the cut at a path is called with the content of a file. Raises OSError."""
    with file.open("rb") as content:
        digest = hashlib.file_digest(content, lambda: hashlib.blake2b(digest_size=_HASH_DIGITS // 2))
    return cut.with_suffix(f".{digest.hexdigest()}.mp4")


def _read(path: Path) -> tuple[Written, int] | None:
    """A tar as it was written, and its time; None for what another version of this program wrote differently."""
    about = read_state(path) or {}
    try:
        return Written(**{name: value for name, value in about.items() if name != "mtime_ns"}), about["mtime_ns"]
    except (TypeError, KeyError):
        return None


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
