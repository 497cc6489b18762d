"""A line of a CSV is in a row or in a reject, whatever quotes stand in it."""

from __future__ import annotations

import csv
import io
import time
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from shotscribe.builder.sources._tables.csv_rows import csv_head, csv_rows

Rows = list[tuple[int, list[str] | str]]


def read(path: Path, text: str | bytes, *, media: str | None = "path", encoding: str | None = None) -> Rows:
    path.write_bytes(text if isinstance(text, bytes) else text.encode("utf-8"))
    return list(csv_rows(path, encoding, media=media))


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("csv") / "t.csv"


CELL = st.text(st.characters(codec="utf-8", exclude_characters="\0") | st.sampled_from('",\n\r;|\t'), max_size=12)


@settings(max_examples=60)
@given(st.lists(st.tuples(st.integers(0, 9), CELL, CELL), max_size=6), st.sampled_from(",;\t|"))
def test_what_a_writer_wrote_is_read(path: Path, rows: list[tuple[int, str, str]], separator: str) -> None:
    """Cells that hold line breaks and quotes, written by the book, come back as they were, with their first lines."""
    written = io.StringIO(newline="")
    writer = csv.writer(written, delimiter=separator)
    writer.writerow(["path", "text", "more"])
    lines = []
    for number, text, more in rows:
        before = written.getvalue()
        lines.append(1 + sum(before.count(end) for end in ("\n", "\r")) - before.count("\r\n"))
        writer.writerow([f"v{number}.mp4", text, more])
    got = read(path, written.getvalue())
    assert got == [
        (line, [f"v{number}.mp4", text, more]) for line, (number, text, more) in zip(lines, rows, strict=True)
    ]


WHOLE = ["plain", '"quoted"', '"a ""b"" c"', '12" wide', ""]
BROKEN = ['"two\nlines"', '"x"y', '"', '"open', 'shut"', '"",', '"""']


@settings(max_examples=100)
@given(st.lists(st.sampled_from(WHOLE + BROKEN), min_size=1, max_size=8))
def test_no_row_vanishes(path: Path, captions: list[str]) -> None:
    """Whatever stray quotes do, every row that is whole by itself comes out, and every other line is named."""
    lines = ["path,text", *(f"v{index}.mp4,{caption}" for index, caption in enumerate(captions))]
    text = "\n".join(lines) + "\n"
    rows = read(path, text)
    seen = {cells[0] for _, cells in rows if isinstance(cells, list)}
    rejected = {number for number, cells in rows if isinstance(cells, str)}
    first = 2
    for index, caption in enumerate(captions):
        taken = f"v{index}.mp4" in seen or first in rejected
        assert taken, (text, rows)
        if caption in WHOLE:
            assert f"v{index}.mp4" in seen, (text, rows)
        first += 1 + caption.count("\n")
    for _, cells in rows:
        if isinstance(cells, list) and len(cells) == 2:
            assert ".mp4" not in cells[1], (text, rows)


def test_a_stray_quote_costs_its_row(path: Path) -> None:
    text = 'path,text\nv0.mp4,a\nv1.mp4,"a dog\nv2.mp4,b\nv3.mp4,a cat"\nv4.mp4,"well\nwritten, by hand"\nv5.mp4,"x"y\n'
    rows = read(path, text)
    assert [number for number, cells in rows if isinstance(cells, str)] == [3, 8]
    assert dict(rows)[3] == "a quote is opened and not closed before line 4, which is a row by itself"
    assert str(dict(rows)[8]).startswith("a stray quote: ")
    assert [cells for _, cells in rows if isinstance(cells, list)] == [
        ["v0.mp4", "a"],
        ["v2.mp4", "b"],
        ["v3.mp4", 'a cat"'],
        ["v4.mp4", "well\nwritten, by hand"],
    ]


@pytest.mark.parametrize("media", ["path", "text"])
def test_a_quote_that_is_never_closed(path: Path, media: str) -> None:
    rows = read(path, 'path,text\nv1,"a dog\nv2,b\nv3,c\n', media=media)
    assert rows == [(2, "a quote is opened and never closed"), (3, ["v2", "b"]), (4, ["v3", "c"])]


def test_many_stray_quotes_take_linear_time(path: Path) -> None:
    started = time.process_time()
    rows = read(path, "path,text\n" + 'v,"a dog\nv,""\n' * 10_000, media=None)
    assert len(rows) >= 10_000
    assert time.process_time() - started < 10  # what is quadratic takes an hour


@pytest.mark.parametrize(
    ("text", "columns", "separator", "comments"),
    [
        ("path;text\n", ("path", "text"), ";", 0),
        ("path\ttext, long\n", ("path", "text, long"), ",", 0),
        ("path\ttext\tmore, and more\n", ("path", "text", "more, and more"), "\t", 0),
        ("path|text\n", ("path", "text"), "|", 0),
        ('path,"text;a;b;c"\n', ("path", "text;a;b;c"), ",", 0),
        ("path\n", ("path",), ",", 0),
        ("# made in 2026\n#\n\npath , text\n", ("path", "text"), ",", 2),
        ("sep=;\npath;text\n", ("path", "text"), ";", 0),
        (",,path\n", ("Unnamed: 0", "Unnamed: 1", "path"), ",", 0),
        ("\ufeffpath,text\r\n", ("path", "text"), ",", 0),
    ],
)
def test_heads(path: Path, text: str, columns: tuple[str, ...], separator: str, comments: int) -> None:
    if "\ttext, long" in text:
        columns = ("path\ttext", "long")  # one of each: the comma
    path.write_text(text, "utf-8", newline="")
    head = csv_head(path, None)
    assert (head.columns, head.separator, head.comments) == (columns, separator, comments)


def test_blanks_after_the_separator_belong_to_no_cell(path: Path) -> None:
    assert read(path, 'path, text\nv.mp4, "a, b"\n') == [(2, ["v.mp4", "a, b"])]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "cp1252"])
def test_encodings(path: Path, encoding: str, end: str) -> None:
    """U+0A0D and U+0D0A hold the bytes of line ends."""
    words = "caf\xe9" if encoding == "cp1252" else "caf\xe9 \u0a0d\u0d0a \N{CLAPPER BOARD}"
    text = end.join(["path,text", f'v0.mp4,"{words}{end}two"', f"v1.mp4,{words}", ""])
    named = encoding if encoding in ("cp1252", "utf-16-le", "utf-16-be") else None
    rows = read(path, text.encode(encoding), encoding=named)
    assert rows == [(2, ["v0.mp4", f"{words}{end}two"]), (4, ["v1.mp4", words])]


def test_a_wrong_byte_costs_its_row(path: Path) -> None:
    rows = read(path, b'path,text\nv0.mp4,caf\xe9\nv1.mp4,b\nv2.mp4,"two\ncaf\xe9"\nv3.mp4,c\n')
    assert [number for number, cells in rows if isinstance(cells, str)] == [2, 4, 5]
    assert str(dict(rows)[2]).startswith("not UTF-8: byte 0xe9; if all of it is another encoding, name that:")
    assert [cells for _, cells in rows if isinstance(cells, list)] == [["v1.mp4", "b"], ["v3.mp4", "c"]]


def test_long_lines_are_never_held(path: Path) -> None:
    with path.open("w") as file:
        file.write("path,text\nv0.mp4,")
        for _ in range(40):
            file.write("x" * (1 << 20))
        file.write("\nv1.mp4,b\n")
    tracemalloc.start()
    rows = list(csv_rows(path, None, media="path"))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert rows == [(2, "a line of more than 16 MiB"), (3, ["v1.mp4", "b"])]
    assert peak < 80 << 20
