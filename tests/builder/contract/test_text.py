from __future__ import annotations

import time
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from shotscribe.builder.contract.text import changed, clean, cleaned, escaped

FLAG = "\U0001f3f4\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f"


@pytest.mark.parametrize(
    ("raw", "clear"),
    [
        ("a \x1b[31mred\x1b[0m dog", "a red dog"),
        ("a\x1b]8;;http://evil.example\x07dog\x1b]8;;\x1b\\", "adog"),
        ("\x9b31mred\x9d0;title\x9c", "red"),
        ("\x1b]0;never ended, and all of it stays", "0;never ended, and all of it stays"),
        ("one\r\n\r\n  two\tthree    four ", "one two three    four"),
        ("a\0b\ufeff\ud800c", "abc"),
        ("\u202eevil\u202c \u200emark", "evil mark"),
        ("hid\U000e0041\U000e0042den", "hidden"),
        (f"{FLAG} \N{WAVING BLACK FLAG}\U000e0041", f"{FLAG} \N{WAVING BLACK FLAG}"),
        ("\N{MAN}\u200d\N{WOMAN} \u0645\u06cc\u200c\u062e", "\N{MAN}\u200d\N{WOMAN} \u0645\u06cc\u200c\u062e"),
        (" \u2028 ", ""),
    ],
)  # fmt: skip
def test_cleaned(raw: str, clear: str) -> None:
    assert clean(raw) == clear


@given(st.text(st.characters() | st.sampled_from("\x1b[]m;\x07\x9b\x9d\x9c \n\t\u202e\ud800\U000e0041\U0001f3f4")))
def test_nothing_is_left_and_a_second_time_changes_nothing(raw: str) -> None:
    cleaned = clean(raw)
    assert clean(cleaned) == cleaned
    assert cleaned == cleaned.strip()
    assert {unicodedata.category(mark) for mark in cleaned}.isdisjoint({"Cc", "Cs", "Zl", "Zp"})
    assert {unicodedata.bidirectional(mark) for mark in cleaned}.isdisjoint({"LRE", "RLE", "LRO", "RLO", "PDF", "LRI"})
    cleaned.encode("utf-8")


UNITS = [
    "\x1b]",
    "\x9d",
    "\x1b[0",
    "\x1b[ ",
    "\x1b",
    " ",
    "\n",
    "\x1b]x\x1b",
    "\U000e0041",
    "\U0001f3f4\U000e0067",
    "\x1b (",
    "\x9d\x1b",
]


@pytest.mark.parametrize("unit", UNITS)
def test_time_grows_with_the_length(unit: str) -> None:
    started = time.process_time()
    clean(unit * (200_000 // len(unit)))
    assert time.process_time() - started < 2  # what is quadratic takes many minutes


def test_every_text_of_a_json_value_is_cleaned() -> None:
    before = changed()
    assert cleaned({"a": ["\x1b[1mx", {"b": "y\nz"}], "n": 1, "none": None}) == {
        "a": ["x", {"b": "y z"}],
        "n": 1,
        "none": None,
    }
    assert changed() - before == 2


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\x1b]0;t\x07\n\tb\x9b", "a\\x1b]0;t\\x07\n\\tb\\x9b"),
        ("\u202emp4.exe \ud800\u200b\U000e0041", "\\u202emp4.exe \\ud800\\u200b\\U000e0041"),
        ("café 中文 👩\u200d🚀 /a\\b", "café 中文 👩\u200d🚀 /a\\b"),
    ],
)
def test_a_terminal_is_shown_what_it_must_not_obey(text: str, shown: str) -> None:
    assert escaped(text) == shown
