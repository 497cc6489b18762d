"""The corpora of a recipe as a table of clips on disk, in pieces whose borders do not move.

A piece ends where the hash of a clip's id says so, not at a row count, as rsync finds its blocks: a file added to a
folder changes the one piece that it falls into, and the values stored for all others stay where they are. A piece is
named after the row that its predecessor ends with.
"""

from __future__ import annotations

import hashlib
import itertools
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pyarrow as pa

from ..contract.clip import REJECT_COLUMNS, SOURCE_COLUMNS, Columns, Values
from ..contract.errors import ClipError, Reason, Rejection
from ..contract.locations import MediaIdentity
from ..contract.source import Source, SourceClip, SourceNote, SourceReject
from ..contract.text import changed, clean
from ..contract.urls import is_url
from ..store.arrow import arrow_schema, read_table, write_table
from ..store.clips import ClipTable, Piece, names_of, row_of, version_of
from ..store.seal import DamagedError, note
from .executors.blame import Blame

_FILE = ("media", "media_stat")
_READERS = 8  # files of a piece that are read at once to know them again
_LARGEST = 4  # a piece is closed at this many times its usual size, whatever the hashes say
_LARGEST_TEXT = 32 << 20  # and at so many characters of text


def ingest(
    sources: Sequence[Source],
    *,
    folder: Path,
    media_folder: Path,
    piece_rows: int,
    limit: int | None,
    on_row: Callable[[Values], None] = lambda row: None,
) -> ClipTable:
    """List the sources (no media is opened) into `folder`; what is there already and did not change stays untouched.

    So do the pieces of clips that are listed no longer: a disk may not be mounted.
    """
    folder.mkdir(parents=True, exist_ok=True)
    columns = {**SOURCE_COLUMNS, **{name: kind for source in sources for name, kind in source.adds().items()}}
    remarks: dict[str, list[str]] = {source.shown_as: [] for source in sources}
    every = (_rows(source, media_folder, remarks[source.shown_as]) for source in sources)
    listed = itertools.islice(itertools.chain.from_iterable(every), limit)
    told, before = _telling(_unique(listed), on_row), changed()
    identities = {source.shown_as: source.media_identity for source in sources}
    with ThreadPoolExecutor(_READERS) as readers:
        pieces = tuple(
            _write(folder, name, _versioned(rows, folder / f"{name}.arrow", identities, readers), columns)
            for name, rows in _cut(told, piece_rows)
        )
    return ClipTable(folder, pieces, columns, changed() - before, remarks)


def _rows(source: Source, media_folder: Path, remarks: list[str]) -> Iterator[Values]:
    """Rows of SOURCE_COLUMNS and the source's own; or of REJECT_COLUMNS, told apart by their `reason`."""
    for listed in _listed(source, media_folder):
        if isinstance(listed, SourceNote):
            remarks.append(listed.text)
        elif isinstance(listed, SourceReject):
            yield _reject(source, listed, listed.rejection)
        else:
            try:
                yield row_of(source, listed)
            except ClipError as error:
                yield _reject(source, listed, error.rejection)


def _listed(source: Source, media_folder: Path) -> Iterator[SourceClip | SourceReject | SourceNote]:
    """What a source lists. Raises StepError for a bug of its own, OSError where a disk fails it."""
    blame = Blame(source, name=source.shown_as, method="clips", about="before its first row")
    listed = iter(source.clips(media_folder))
    failed: OSError | None = None
    while True:
        with blame:
            try:
                following = next(listed, None)
            except OSError as error:
                failed = error
        if failed is not None:
            raise failed
        if following is None:
            return
        if not isinstance(following, SourceNote):
            blame.about = f"after {following.source_id}"
        yield following


def _reject(source: Source, listed: SourceClip | SourceReject, rejection: Rejection) -> Values:
    return {
        **names_of(source, listed),
        "step": "source",
        "reason": str(rejection.reason),
        "passing": False,  # the sources are listed anew by every run
        "option": rejection.option,
        "detail": clean(rejection.detail),
    }


def _telling(rows: Iterator[Values], on_row: Callable[[Values], None]) -> Iterator[Values]:
    for row in rows:
        on_row(row)
        yield row


def _unique(rows: Iterator[Values]) -> Iterator[Values]:
    """A clip that is listed twice is a clip and a reject. Costs 100 bytes a clip, 200 where it has an address."""
    seen: dict[bytes, str] = {}
    for row in rows:
        digest = hashlib.blake2b(row["clip_id"].encode(), digest_size=8).digest()
        if "reason" in row:
            yield row
            continue
        file = row["media_version"] if is_url(row["media"]) else ""
        if digest not in seen:
            seen[digest] = file
            yield row
        elif seen[digest] == file:
            yield _again(row, Reason.DUPLICATE, "listed twice: same source, file and range")
        else:
            advice = "put #1, #2, ... at the ends of such addresses"
            detail = f"another row has this address but for a token, which is not published; {advice}"
            yield _again(row, Reason.BAD_ROW, detail)


def _again(row: Values, reason: Reason, detail: str) -> Values:
    who = {name: row[name] for name in ("clip_id", "source", "source_id")}
    return {**who, "step": "source", "reason": str(reason), "option": None, "detail": detail, "passing": False}


def _cut(rows: Iterator[Values], piece_rows: int) -> Iterator[tuple[str, list[Values]]]:
    """Names and rows. Only a clip is a border: rejects share ids, and some are named by a line number, which moves."""
    name, pending, size = "head", list[Values](), 0
    named: Counter[str] = Counter()
    for row in rows:
        pending.append(row)
        digest = hashlib.sha256(row["clip_id"].encode()).hexdigest()
        size += _size(row)
        border = "reason" not in row and int(digest[:12], 16) % piece_rows == 0
        if border or len(pending) >= _LARGEST * piece_rows or size > _LARGEST_TEXT:
            yield name, pending
            name, pending, size = digest[:16], [], 0
            named[name] += 1
            if named[name] > 1:  # a piece that was too large ended with a reject: its id may be another row's too
                name = f"{name}-{named[name]}"
    if pending:
        yield name, pending


def _size(row: Values) -> int:
    """Characters of its texts."""
    texts = itertools.chain.from_iterable(value if isinstance(value, list) else [value] for value in row.values())
    return sum(len(value) for value in texts if isinstance(value, str))


def _versioned(
    rows: list[Values], former: Path, identities: Mapping[str, MediaIdentity], readers: Executor
) -> list[Values]:
    """The rows with their `media_version`; a file that is listed as before is not read again."""
    known: dict[tuple[str, str, str], Future[str] | str] = {}
    with suppress(OSError, DamagedError):  # it is written anew
        table = read_table(former).select([*_FILE, "media_version"])
        known = {(media, stat, version.split("-")[1]): version for media, stat, version in _tuples(table) if stat}
    for row in rows:
        if "reason" not in row and row["media_version"] is None:
            identity = identities[row["source"]]
            file = (row["media"], row["media_stat"], identity)
            if file not in known:
                known[file] = readers.submit(version_of, *file)
            row["media_version"] = known[file]
    for row in rows:
        if isinstance(version := row.get("media_version"), Future):
            row["media_version"] = version.result()
    return rows


def _tuples(table: pa.Table) -> Iterator[tuple[str, ...]]:
    return zip(*(column.to_pylist() for column in table.columns), strict=True)


def _write(folder: Path, name: str, rows: list[Values], columns: Columns) -> Piece:
    good = [row for row in rows if "reason" not in row]
    bad = [row for row in rows if "reason" in row]
    clips = _table(good, columns)
    rejects = _table(bad, REJECT_COLUMNS)
    for path, table in ((folder / f"{name}.arrow", clips), (folder / f"{name}.rejects.arrow", rejects)):
        if not _holds(path, table):
            write_table(path, table)
    digest = hashlib.sha256()
    for table in (clips.drop_columns([*_FILE]), rejects):  # where a file lies makes no difference to what is made of it
        digest.update(_digest(table.replace_schema_metadata(None)).encode())
    return Piece(name, len(good), len(bad), digest.hexdigest())


def _table(rows: list[Values], columns: Columns) -> pa.Table:
    schema = arrow_schema(columns)
    arrays = [pa.array([row.get(field.name) for row in rows], type=field.type) for field in schema]
    table = pa.table(arrays, schema=schema)
    return table.replace_schema_metadata({"digest": _digest(table)})


def _digest(table: pa.Table) -> str:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return hashlib.sha256(sink.getvalue()).hexdigest()


def _holds(path: Path, table: pa.Table) -> bool:
    """Whether the file is there with this very content."""
    try:
        return bool(read_table(path).schema.metadata == table.schema.metadata)
    except DamagedError:
        note(path)
    except OSError:
        pass
    return False
