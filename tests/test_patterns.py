"""Every regular expression of the package, on text that is made to keep it busy: none takes more than linear time.

The patterns are found in the source, so a new one is tried by being there; the texts are made from the pattern itself:
what leads to one of its repetitions, what that repetition takes, over and over, and something that does not end it.
"""

from __future__ import annotations

import ast
import importlib
import itertools
import random
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import shotscribe
from shotscribe.builder.contract.address import published, without_secrets
from shotscribe.builder.contract.clip import clip_id
from shotscribe.builder.contract.text import clean
from shotscribe.captioners.quality.blank import blank
from shotscribe.captioners.quality.garbled import garbled, mended
from shotscribe.captioners.quality.loops import ends_in_loop, loops
from shotscribe.captioners.quality.markup import plain
from shotscribe.captioners.quality.mentions import cleaned, mentioned
from shotscribe.captioners.quality.notes import noted, without_notes
from shotscribe.captioners.quality.refusals import refuses
from shotscribe.captioners.quality.tidy import tidied, unfenced
from shotscribe.cards.text import (
    attribute,
    fenced,
    many_lines,
    markdown,
    markdown_block,
    markdown_code,
    one_line,
    shortened,
)

parser: Any = importlib.import_module("re._parser")

ROOT = Path(shotscribe.__file__).parent
SIZES = (1_000, 8_000)
QUICK_S = 0.005  # of the processor's time, for the larger: nothing that is worse than linear is as quick
SLOW_S = 0.25  # for the smaller
GROWTH = 24.0  # of the time, where the text grows eightfold: 8 where it is linear, 64 where it is quadratic
METHODS = ("search", "match", "fullmatch", "sub", "findall", "finditer", "split")
MOST = 500  # texts for one pattern: a few have thousands of ways through them
ANY = 1_000  # repetitions: what may be repeated more often than this is without end
OTHER = {"\n": "x", "x": "\n"}


@dataclass(frozen=True)
class Use:
    """A pattern and the method that it is used by."""

    place: str
    pattern: re.Pattern[str]
    method: str


def uses() -> Iterator[Use]:
    folders = [ROOT / name for name in ("builder", "captioners", "cards", "filters")]
    files = [*ROOT.glob("*.py"), *(path for folder in folders for path in folder.rglob("*.py"))]
    for path in sorted(files):
        tree = ast.parse(path.read_text("utf-8"))
        for node in ast.walk(tree):
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
                continue
            if not isinstance(node.func.value, ast.Name) or node.func.value.id != "re" or node.func.attr == "escape":
                continue
            place, name = f"{path.relative_to(ROOT).as_posix()}:{node.lineno}", name_of(tree, node)
            pattern = compiled(node, path, name)
            if node.func.attr != "compile":
                yield Use(place, pattern, node.func.attr)
                continue
            methods = {
                one.attr
                for one in ast.walk(tree)
                if isinstance(one, ast.Attribute) and isinstance(one.value, ast.Name) and one.value.id == name
            }
            assert methods & set(METHODS), f"{place}: who uses it, and how? give it a name of its module's own"
            yield from (Use(place, pattern, method) for method in sorted(methods & set(METHODS)))


def name_of(tree: ast.Module, call: ast.Call) -> str | None:
    for node in tree.body:
        if isinstance(node, ast.Assign) and node.value is call and isinstance(node.targets[0], ast.Name):
            return node.targets[0].id
    return None


def compiled(call: ast.Call, path: Path, name: str | None) -> re.Pattern[str]:
    """By its text where that stands there, else by the name that the module gives it."""
    if isinstance(call.args[0], ast.Constant):
        flags = [node.attr for node in ast.walk(call) if isinstance(node, ast.Attribute) and node.attr.isupper()]
        return re.compile(call.args[0].value, sum((getattr(re, flag) for flag in flags), re.RegexFlag(0)))
    assert name, f"{path}:{call.lineno}: a pattern that is put together gets a name at the top of its module"
    dotted = ".".join(["shotscribe", *path.relative_to(ROOT).with_suffix("").parts])
    pattern: re.Pattern[str] = getattr(importlib.import_module(dotted), name)
    return pattern


def least(parts: Any) -> str:
    """A short text that these parts of a pattern match, looking ahead and behind left out."""
    return "".join(shortest(kind, value) for kind, value in parts)


def shortest(kind: Any, value: Any) -> str:
    name = str(kind)
    if name == "LITERAL":
        return chr(value)
    if name == "NOT_LITERAL":
        return OTHER.get(chr(value), "x")
    if name == "ANY":
        return "x"
    if name == "IN":
        return next(members(value))
    if name == "BRANCH":
        return least(value[1][0])
    if name == "SUBPATTERN":
        return least(value[3])
    if name == "ATOMIC_GROUP":
        return least(value)
    if name.endswith("REPEAT"):
        return least(value[2]) * value[0]
    return ""


def members(items: Any) -> Iterator[str]:
    """Characters of a class, one of each kind."""
    kinds = {str(kind): value for kind, value in items}
    if "NEGATE" in kinds:
        taken = re.compile("[" + "".join(map(member, items)) + "]")
        yield next(char for char in "x 1-\n!é中" if not taken.match(char))
        return
    for kind, value in items:
        yield {"CATEGORY_DIGIT": "1", "CATEGORY_SPACE": " ", "CATEGORY_WORD": "a"}.get(str(value), "") or (
            chr(value) if str(kind) == "LITERAL" else chr(value[0]) if str(kind) == "RANGE" else "!"
        )


def member(item: Any) -> str:
    kind, value = str(item[0]), item[1]
    if kind == "LITERAL":
        return re.escape(chr(value))
    if kind == "RANGE":
        return f"{re.escape(chr(value[0]))}-{re.escape(chr(value[1]))}"
    if kind == "CATEGORY":
        letter = str(value).removeprefix("CATEGORY_").removeprefix("NOT_")[0].lower()
        return "\\" + (letter.upper() if "NOT_" in str(value) else letter)
    return ""


def endless(parts: Any, before: str = "") -> Iterator[tuple[str, set[str]]]:
    """Each repetition without end: what leads to it, and texts that it takes."""
    for kind, value in parts:
        name = str(kind)
        inner = {"SUBPATTERN": lambda v: [v[3]], "BRANCH": lambda v: v[1], "ATOMIC_GROUP": lambda v: [v]}.get(name)
        if name.endswith("REPEAT"):
            if int(value[1]) > ANY:
                yield before, set(taken(value[2]))
            yield from endless(value[2], before)
        for one in inner(value) if inner else []:
            yield from endless(one, before)
        before += shortest(kind, value)


def taken(parts: Any) -> Iterator[str]:
    yield least(parts)
    for kind, value in parts:
        if str(kind) == "IN":
            yield from members(value)
        elif str(kind) == "SUBPATTERN":
            yield from taken(value[3])
        elif str(kind) == "BRANCH":
            yield from (least(one) for one in value[1])


def hostile(pattern: re.Pattern[str]) -> Iterator[Callable[[int], str]]:
    """Texts of a wanted size."""
    points = list(endless(parser.parse(pattern.pattern, pattern.flags)))
    units = {unit for _, found in points for unit in found if unit} | {" ", "a", "1"}
    starts = {before for before, _ in points} | {""}
    pairs = list(itertools.product(sorted(starts), sorted(units), ("", "\0", "!a")))
    for start, unit, end in random.Random(0).sample(pairs, min(len(pairs), MOST)):
        yield lambda size, start=start, unit=unit, end=end: start + unit * (size // len(unit)) + end  # type: ignore[misc]
    for start, gap in itertools.product(sorted(starts - {""}), ("", " ", "\n", "x")):
        yield lambda size, unit=start + gap: unit * (size // len(unit))  # type: ignore[misc]


def seconds(run: Callable[[str], object], text: str, *, times: int) -> float:
    """The best of so many runs. Of the processor's time in this thread, as others use the machine too."""
    best = float("inf")
    for _ in range(times):
        began = time.thread_time()
        run(text)
        best = min(best, time.thread_time() - began)
    return best


def grows(run: Callable[[str], object], text: Callable[[int], str]) -> str:
    """What is wrong, if it takes more than linear time: measured again before it is said."""
    for times in (1, 5):
        small = seconds(run, text(SIZES[0]), times=times)
        if small > SLOW_S:
            return f"{text(60)!r}: {small:.3f} s"
        large = seconds(run, text(SIZES[1]), times=times)
        if large < QUICK_S or large / small < GROWTH:
            return ""
    return f"{text(60)!r}: {small:.4f} s, then {large:.4f} s"


USES = list(uses())


@pytest.mark.parametrize("use", USES, ids=[f"{use.place}-{use.method}" for use in USES])
def test_patterns(use: Use) -> None:
    method = getattr(use.pattern, use.method)

    def run(text: str) -> object:
        return (
            list(method(text))
            if use.method == "finditer"
            else method("", text)
            if use.method == "sub"
            else method(text)
        )

    for text in hostile(use.pattern):
        assert not (wrong := grows(run, text)), f"{use.place}: {wrong}"


FUNCTIONS = [
    *(tidied, unfenced, cleaned, mentioned, refuses, loops, ends_in_loop),
    *(blank, garbled, mended, plain, noted, without_notes),
    *(clean, without_secrets, published, lambda text: clip_id("a", text, None, None)),
    *(one_line, many_lines, markdown, markdown_block, markdown_code, attribute),
    *(lambda text: fenced(text, language="text"), lambda text: shortened(text, limit=100)),
]
PIECES = (
    *(" ", "\n", "\t", "`", "```", "```\n", '"', "“", "”", "'", "**", "*", "-", "a", "a ", "a\n", "1", "1:", "[", "("),
    *("<", "&", "|", "\x1b", "\x1b[", "\x1b]", "\u202e", "\ud800", "http://", "http://a:b@c/?sig=1&", "@", "#"),
    *(
        "<p>",
        "<b>",
        '<a b="',
        "&amp;",
        "&#39;",
        "**a**",
        "*a ",
        "# a\n",
        "1. a ",
        "Note: video ",
        "(30 words) ",
        "â€™",
        "ä¸",
    ),
    *("frame 1, ", "In the video, ", "the video shows ", "The video shows. ", "I'm sorry, but ", "in each of the "),
    *(
        "Das Video zeigt ",
        "dans la vidéo, on voit ",
        "à 3 s, ",
        "En el vídeo, ",
        "视频展示了",
        "第3帧，",
        "この動画では",
        "描述：",
    ),
)


@pytest.mark.parametrize("function", FUNCTIONS)
def test_functions(function: Callable[[str], object]) -> None:
    """What is built of patterns, in loops: an answer of three back quotes and 8,000 blanks held a run for 20 s."""
    for start, piece, end in itertools.product(("", "```", "In the video"), PIECES, ("", "a")):
        wrong = grows(function, lambda size, start=start, unit=piece, end=end: start + unit * (size // len(unit)) + end)
        assert not wrong, wrong
