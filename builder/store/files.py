"""Files that are whole or not there: written under a temporary name, synced, renamed. The lock of an output folder."""

from __future__ import annotations

import errno
import fcntl
import os
import socket
import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from ..contract.errors import RunError


def write_atomically(path: Path, write: Callable[[Path], None], *, durable: bool = True) -> None:
    """Let `write` fill a temporary file beside `path`, then make it durable and rename it into place.

    One that need not be durable may be anything after the power was cut; whoever reads it must be able to tell.
    """
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex[:12]}.tmp")
    try:
        write(temporary)
        if durable:
            sync(temporary)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    if durable:
        sync(path.parent)


def clear_halves(folders: Iterable[Path]) -> None:
    """Remove what writers that were killed left in folders which are this process's alone."""
    for folder in folders:
        for half in folder.glob(".*.tmp"):
            half.unlink(missing_ok=True)


def sync(path: Path) -> None:
    """fsync a file or a folder."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write_text(path: Path, text: str) -> None:
    write_atomically(path, lambda temporary: _write_bytes(temporary, text.encode("utf-8")))


def write_bytes(path: Path, data: bytes) -> None:
    write_atomically(path, lambda temporary: _write_bytes(temporary, data))


def _write_bytes(path: Path, data: bytes) -> None:
    path.write_bytes(data)


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the folder for this process alone. Raises RunError if another run holds it, or it cannot be written."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        handle = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise unwritable(folder, error) from error
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if not isinstance(error, BlockingIOError):  # a file system without locks
                raise unwritable(folder, error) from error
            holder = os.read(handle, 200).decode("utf-8", "replace").strip() or "unknown"
            raise RunError(
                f"{folder.parent}: another run holds this output folder ({holder}); "
                "wait for it, or give this run another folder with --out"
            ) from None
        try:
            os.ftruncate(handle, 0)
            os.pwrite(handle, f"process {os.getpid()} on {socket.gethostname()}".encode(), 0)
        except OSError as error:
            raise unwritable(folder, error) from error
        yield
    finally:
        os.close(handle)


def unwritable(path: Path, error: OSError) -> RunError:
    """What to tell when the output cannot be written."""
    advice = {
        errno.ENOSPC: "free some space and run the same command again: what was done is kept",
        errno.EDQUOT: "your quota is used up; free some space and run the same command again: what was done is kept",
        errno.EROFS: "the file system is read-only; choose another folder with --out",
        errno.EACCES: "no permission to write there; choose another folder with --out",
        errno.EPERM: "no permission to write there; choose another folder with --out",
        errno.EFBIG: "the file may not grow that large there (a limit of the system); raise it and run again",
    }.get(error.errno or 0, "mend that and run the same command again: what was done is kept")
    return RunError(f"{path}: cannot write: {error.strerror or error}; {advice}")
