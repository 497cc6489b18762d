from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from shotscribe.builder.contract.clip import Clip
from shotscribe.builder.contract.columns import read_by, required
from shotscribe.builder.contract.engine import NO_ENGINE
from shotscribe.builder.contract.frames import Frames, Sampling
from shotscribe.captioners.signals import Signals, describe
from shotscribe.filters.colors import NAMES

PROBED: dict[str, Any] = {"duration": 4.0, "width": 320, "height": 180, "fps": 30.0}
FORMAT = "A landscape clip of 4.0 seconds, 320 by 180 pixels at 30 frames a second."
LABELS = ["pan_left", "pan_right", "tilt_up", "tilt_down", "zoom_in", "zoom_out", "static", "unclassified"]


def said(**measured: Any) -> str:
    """What is said beside the format."""
    text = describe({**PROBED, **measured})
    assert text.startswith(FORMAT)
    return text.removeprefix(FORMAT).strip()


def undecoded(sampling: Sampling) -> Frames:
    raise AssertionError("frames were asked for")


def test_the_whole_caption_is_written_without_decoding() -> None:
    row = {
        **PROBED,
        "luma": 0.7,
        "colors": ["green", "blue", "white"],
        "color_shares": [0.4, 0.3, 0.1],
        "colorfulness": 70.0,
        "motion": 0.05,
        "camera_motion": ["pan_right"],
        "letterbox": 0.256,
        "keyframes": [0.0, 2.0, 3.9],
    }
    made = Signals(column="text").make(Clip(row, undecoded), NO_ENGINE)
    assert made == {
        "text": f"{FORMAT} It is bright, vivid and mostly green and blue. The camera pans right slowly. "
        "Bars cover 26% of the frame. It has 3 keyframes."
    }
    assert Signals(column="text").adds() == {"text": "string"}
    assert Signals().adds() == {"caption": "string"}


@pytest.mark.parametrize(
    ("row", "text"),
    [
        ({"width": 180, "height": 320}, "A portrait clip of 4.0 seconds, 180 by 320 pixels at 30 frames a second."),
        (
            {"width": 64, "height": 64, "fps": 30000 / 1001},
            "A square clip of 4.0 seconds, 64 by 64 pixels at 29.97 fra",
        ),
        ({"duration": 0.04}, "A landscape clip of 0.0 seconds"),
        ({"duration": 59.4}, "A landscape clip of 59.4 seconds"),
        ({"duration": 59.6}, "A landscape clip of 1 minute,"),
        ({"duration": 61.2}, "A landscape clip of 1 minute and 1 second,"),
        ({"duration": 3725.0}, "A landscape clip of 62 minutes and 5 seconds,"),
    ],
)
def test_format(row: dict[str, Any], text: str) -> None:
    assert describe({**PROBED, **row}).startswith(text)


@pytest.mark.parametrize(
    ("measured", "text"),
    [
        ({"luma": 0.05}, "It is very dark."),
        ({"luma": 0.2}, "It is dark."),
        ({"luma": 0.45}, ""),
        ({"luma": 1.0}, "It is very bright."),
        ({"colorfulness": 4.0}, "It is muted."),
        ({"colorfulness": 30.0}, ""),
        ({"colors": ["red"], "color_shares": [0.9]}, "It is mostly red."),
        ({"colors": ["red", "gray", "blue"], "color_shares": [0.2, 0.2, 0.15]}, "It is mostly red, gray and blue."),
        ({"colors": ["red", "gray", "blue"], "color_shares": [0.12, 0.11, 0.1]}, "It is of many colors."),
        ({"colors": ["red"]}, ""),
        ({"camera_motion": ["static"]}, "The camera is static."),
        ({"camera_motion": ["unclassified"]}, ""),
        ({"camera_motion": ["pan_left", "tilt_up", "zoom_out"]}, "The camera pans left, tilts up and zooms out."),
        ({"camera_motion": ["zoom_in"], "motion": 0.3}, "The camera zooms in. The movement is fast."),
        ({"camera_motion": ["static"], "motion": 0.02}, "The camera is static. The movement is calm."),
        ({"motion": 0.0}, "Hardly anything moves."),
        ({"motion": 0.1}, "The movement is lively."),
        ({"motion": 0.9}, "The movement is violent."),
        ({"letterbox": 0.0}, ""),
        ({"letterbox": 0.25}, "Bars cover 25% of the frame."),
        ({"keyframes": [0.0]}, "It has 1 keyframe."),
        ({"keyframes": []}, ""),
    ],
)
def test_words(measured: dict[str, Any], text: str) -> None:
    assert said(**measured) == text


ROWS = st.fixed_dictionaries(
    {
        "duration": st.floats(0.01, 40000),
        "width": st.integers(1, 9000),
        "height": st.integers(1, 9000),
        "fps": st.floats(0.1, 1000),
    },
    optional={
        "luma": st.none() | st.floats(0, 1),
        "colors": st.none() | st.lists(st.sampled_from(NAMES), max_size=6, unique=True),
        "color_shares": st.none() | st.lists(st.floats(0, 1), max_size=6),
        "colorfulness": st.none() | st.floats(0, 300),
        "motion": st.none() | st.floats(0, 10),
        "camera_motion": st.none() | st.lists(st.sampled_from(LABELS), max_size=4),
        "letterbox": st.none() | st.floats(0, 1),
        "keyframes": st.none() | st.lists(st.floats(0, 100), max_size=4),
    },
)

WORDS = {
    "luma": r"\bdark\b|\bbright\b",
    "colors": "mostly|many colors|" + "|".join(NAMES),
    "color_shares": "mostly|many colors",
    "colorfulness": "muted|vivid",
    "motion": "[Mm]ovement|moves|slowly",
    "camera_motion": "camera|pans|tilts|zooms|static",
    "letterbox": "[Bb]ars",
    "keyframes": "keyframe",
}


@given(row=ROWS)
def test_what_was_not_measured_is_not_mentioned(row: dict[str, Any]) -> None:
    text = describe(row)
    for column, words in WORDS.items():
        if row.get(column) is None:
            assert not re.search(words, text), (column, text)
    assert set(WORDS) == set(read_by(Signals())) - set(required(Signals()))
    assert re.fullmatch(r"([A-Z][^.]*(\d\.\d+[^.]*)*\.)( [A-Z][^.]*\.)*", text), text
    assert "  " not in text


@given(row=ROWS, column=st.sampled_from(sorted(WORDS)))
def test_a_null_reads_as_a_column_that_is_missing(row: dict[str, Any], column: str) -> None:
    without = {name: value for name, value in row.items() if name != column}
    assert describe({**without, column: None}) == describe(without)


@given(row=ROWS)
def test_colours_are_those_measured(row: dict[str, Any]) -> None:
    mentioned = set(re.findall(r"\b(" + "|".join(NAMES) + r")\b", describe(row)))
    assert mentioned <= set(row.get("colors") or [])


def test_wrong_column() -> None:
    with pytest.raises(ValidationError):
        Signals(column="My caption")
