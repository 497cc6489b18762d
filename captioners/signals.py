"""Describes a clip in plain English from what was measured, and from nothing else. No model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from pydantic import Field

from ..builder.contract.clip import Clip, Columns, Row, Values
from ..builder.contract.columns import Optional
from ..builder.contract.engine import Engine
from ..builder.contract.step import ClipStep

_BRIGHTNESS = ((0.12, "very dark"), (0.3, "dark"), (0.6, ""), (0.8, "bright"))
"""Up to which mean luma a word holds; of an ordinary picture nothing is said, and one above is very bright."""
_MUTED, _VIVID = 15, 59  # colourfulness: "slightly" and "quite colourful" of Hasler and Suesstrunk
_MOST = 0.5  # share of the picture from which on colours are most of it
_BARS = 0.02  # share of the picture from which on bars are worth a word

# diagonals of the frame a second, as the motion signal gives them: talk is 0.01, a slow pan 0.05, a fast one 0.2
_STILL, _SLOW, _LIVELY, _VIOLENT = 0.003, 0.06, 0.2, 0.5

_CAMERA = {
    "pan_left": "pans left",
    "pan_right": "pans right",
    "tilt_up": "tilts up",
    "tilt_down": "tilts down",
    "zoom_in": "zooms in",
    "zoom_out": "zooms out",
}


class Signals(ClipStep):
    """Says how long and how large a clip is, and, where earlier steps measured them, its brightness, colours, movement,
    camera movement, bars, and number of keyframes. What was not measured is not mentioned.
    """

    use: Literal["signals"] = "signals"
    column: str = Field(default="caption", pattern=r"^[a-z][a-z0-9_]*$")
    """The column that the text goes to."""

    def reads(self) -> Columns:
        return {
            "duration": "float64",
            "width": "int64",
            "height": "int64",
            "fps": "float64",
            "luma": Optional("float64"),
            "colors": Optional(["string"]),
            "color_shares": Optional(["float64"]),
            "colorfulness": Optional("float64"),
            "motion": Optional("float64"),
            "camera_motion": Optional(["string"]),
            "letterbox": Optional("float64"),
            "keyframes": Optional(["float64"]),
        }

    def adds(self) -> Columns:
        return {self.column: "string"}

    def make(self, clip: Clip, engine: Engine) -> Values:
        return {self.column: describe(clip.row)}


def describe(row: Row) -> str:
    """The caption of a row; columns that are missing or null are passed over."""
    sentences = (_format(row), _look(row), _movement(row), _bars(row), _keyframes(row))
    return " ".join(sentence for sentence in sentences if sentence)


def _format(row: Row) -> str:
    width, height = row["width"], row["height"]
    shape = "landscape" if width > height else "portrait" if width < height else "square"
    return (
        f"A {shape} clip of {_length(row['duration'])}, {width} by {height} pixels at {row['fps']:.4g} frames a second."
    )


def _length(seconds: float) -> str:
    whole = round(seconds)
    if whole < 60:
        return f"{seconds:.1f} seconds"
    return _join(
        [_count(part, unit) for part, unit in zip(divmod(whole, 60), ("minute", "second"), strict=True) if part]
    )


def _look(row: Row) -> str:
    luma, colorfulness = row.get("luma"), row.get("colorfulness")
    words = []
    if luma is not None:
        words.append(next((word for limit, word in _BRIGHTNESS if luma < limit), "very bright"))
    if colorfulness is not None:
        words.append("muted" if colorfulness < _MUTED else "vivid" if colorfulness >= _VIVID else "")
    words = [word for word in [*words, _colors(row)] if word]
    return f"It is {_join(words)}." if words else ""


def _colors(row: Row) -> str:
    """The fewest colours that make most of the picture, three at most."""
    names, shares = row.get("colors") or [], row.get("color_shares") or []
    for count in range(1, min(len(names), len(shares), 3) + 1):
        if sum(shares[:count]) >= _MOST:
            return f"mostly {_join(names[:count])}"
    return "of many colors" if names and shares else ""


def _movement(row: Row) -> str:
    labels, motion = row.get("camera_motion") or [], row.get("motion")
    moves = [_CAMERA[label] for label in labels if label in _CAMERA]
    sentences = []
    if moves:
        slowly = " slowly" if motion is not None and motion < _SLOW else ""
        sentences.append(f"The camera {_join(moves)}{slowly}.")
    elif "static" in labels:
        sentences.append("The camera is static.")
    if motion is not None and (not moves or motion >= _LIVELY):
        sentences.append(_pace(motion))
    return " ".join(sentences)


def _pace(motion: float) -> str:
    if motion < _STILL:
        return "Hardly anything moves."
    for limit, word in ((_SLOW, "calm"), (_LIVELY, "lively"), (_VIOLENT, "fast")):
        if motion < limit:
            return f"The movement is {word}."
    return "The movement is violent."


def _bars(row: Row) -> str:
    share = row.get("letterbox")
    return f"Bars cover {share:.0%} of the frame." if share is not None and share >= _BARS else ""


def _keyframes(row: Row) -> str:
    keyframes = row.get("keyframes")
    return f"It has {_count(len(keyframes), 'keyframe')}." if keyframes else ""


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _join(words: Sequence[str]) -> str:
    """a; a and b; a, b and c."""
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)
