from __future__ import annotations

import asyncio
from itertools import pairwise
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from shotscribe.builder.contract.clip import Clip
from shotscribe.builder.contract.errors import ClipError, Reason
from shotscribe.builder.contract.frames import Frames, Sampling
from shotscribe.builder.store.arrow import arrow_schema
from shotscribe.captioners.sliding import Sliding
from shotscribe.captioners.summarize import Summarize, line, overlapping


def window(start: float, end: float, caption: str | None = "It moves.", status: str | None = "ok") -> dict[str, Any]:
    return {"start": start, "end": end, "caption": caption, "info": status and {"status": status}}


WINDOWS = [
    window(0.0, 0.0, "A dog lies on a lawn."),
    window(0.0, 2.0, "It gets\n up."),
    window(2.0, 4.5, "It runs to the left."),
    window(4.5, 7.96, "It jumps over a fence."),
]


def undecoded(sampling: Sampling) -> Frames:
    raise AssertionError("frames were asked for")


def made(step: Summarize, windows: Any, engine: Any) -> dict[str, Any]:
    return asyncio.run(step.make(Clip({"diff_captions": windows}, undecoded), engine))


def lines(engine: Any, at: int = -1) -> list[str]:
    text = engine.requests[at].messages[-1].parts[-1]
    assert isinstance(text, str)
    return text.split("\n")


def test_the_whole_clip(Scripted: Any) -> None:
    step, engine = Summarize(engine="llm"), Scripted(lambda _: "A dog gets up and jumps over a fence.")
    columns = made(step, WINDOWS, engine)
    assert columns["caption"] == "A dog gets up and jumps over a fence."
    assert columns["caption_info"]["status"] == "ok"
    assert columns["caption_info"]["prompt"] == step.prompt.hash
    assert columns["caption_info"]["frames"] == []
    assert set(columns) == set(step.adds())
    assert lines(engine) == [
        "0.0 s: A dog lies on a lawn.",
        "0.0-2.0 s: It gets up.",
        "2.0-4.5 s: It runs to the left.",
        "4.5-8.0 s: It jumps over a fence.",
    ]
    assert [message.role for message in engine.requests[0].messages] == ["system", "user"]
    assert engine.requests[0].max_tokens == 1024


@pytest.mark.parametrize(
    ("start_s", "end_s", "asked"),
    [
        (None, 2.0, WINDOWS[:2]),
        (0.0, 2.0, WINDOWS[:2]),
        (2.0, None, WINDOWS[2:]),
        (2.0, 4.5, WINDOWS[2:3]),
        (1.9, 4.6, WINDOWS[1:]),
        (3.0, 3.1, WINDOWS[2:3]),
        (7.0, 100.0, WINDOWS[3:]),
    ],
)
def test_a_part_of_it(start_s: Any, end_s: Any, asked: Any, Scripted: Any) -> None:
    step, engine = Summarize(engine="llm", start_s=start_s, end_s=end_s, column="part"), Scripted(lambda _: "A dog.")
    assert made(step, WINDOWS, engine)["part"] == "A dog."
    assert lines(engine) == [line(one) for one in asked]
    assert step.prompt.name == "summarize_range"


def test_a_clip_that_ends_before_the_part_has_no_caption_of_it(Scripted: Any) -> None:
    engine = Scripted(lambda _: "never asked")
    step = Summarize(engine="llm", start_s=7.96, column="part")
    assert made(step, WINDOWS, engine) == {"part": None, "part_info": None}
    assert engine.requests == []


@pytest.mark.parametrize(
    "windows",
    [None, [], [window(0, 0, ""), window(0, 2, None), window(2, 4, " \n")], [window(0, 0, "I am sorry", "refused")]],
)
@pytest.mark.parametrize("start_s", [None, 1.0])
def test_a_clip_without_differential_captions(windows: Any, start_s: Any, Scripted: Any) -> None:
    engine = Scripted(lambda _: "never asked")
    with pytest.raises(ClipError, match="no differential captions") as failed:
        made(Summarize(engine="llm", start_s=start_s), windows, engine)
    assert failed.value.rejection.reason == Reason.BAD_CAPTION
    kept = made(Summarize(engine="llm", start_s=start_s, bad="keep"), windows, engine)
    assert kept == {"caption": None, "caption_info": None}
    assert engine.requests == []


def test_captions_that_say_nothing_are_passed_over(Scripted: Any) -> None:
    engine = Scripted(lambda _: "A dog runs.")
    bad = [
        window(0, 0, "I cannot help with that.", "refused"),
        window(0, 1, "a a a a a a a a", "repeated"),
        window(1, 2, ""),
        window(2, 3, "It runs and", "truncated"),
        window(3, 4, "It barks.", None),
    ]
    made(Summarize(engine="llm"), bad, engine)
    assert lines(engine) == ["2.0-3.0 s: It runs and", "3.0-4.0 s: It barks."]


TIMES = st.lists(st.integers(0, 40), min_size=1, max_size=9, unique=True).map(sorted)
"""Of keyframes, in quarters of a second."""


@given(times=TIMES, start=st.integers(0, 44), length=st.integers(1, 44))
def test_what_overlaps(times: list[int], start: int, length: int) -> None:
    pairs = [(times[0], times[0]), *pairwise(times)]
    windows = [window(first / 4, last / 4) for first, last in pairs]
    moments = {at + 0.5 for at in range(start, start + length)}  # the middles of the quarters in the part
    expected = [
        made
        for (first, last), made in zip(pairs, windows, strict=True)
        if (moments & {at + 0.5 for at in range(first, last)} or (first == last and start <= first < start + length))
    ]
    assert overlapping(windows, start_s=start / 4, end_s=(start + length) / 4) == expected


@given(times=TIMES, cut=st.integers(1, 43))
def test_two_halves_miss_nothing(times: list[int], cut: int) -> None:
    windows = [window(first, last) for first, last in [(times[0], times[0]), *pairwise(times)]]
    before = overlapping(windows, start_s=None, end_s=cut)
    after = overlapping(windows, start_s=cut, end_s=None)
    assert overlapping(windows, start_s=None, end_s=None) == windows
    assert [one for one in windows if one in before or one in after] == windows
    assert all(one["start"] < cut < one["end"] for one in before if one in after)


def test_it_reads_what_sliding_adds(Scripted: Any) -> None:
    columns = Sliding(engine="vlm").adds()
    assert Summarize(engine="llm").reads() == columns
    field = arrow_schema(columns).field("diff_captions")
    (row,) = pa.array([WINDOWS], type=field.type).to_pylist()
    engine = Scripted(lambda _: "A dog.")
    made(Summarize(engine="llm"), row, engine)
    assert lines(engine) == [line(one) for one in WINDOWS]


def test_prompts_follow_the_part_unless_one_is_named() -> None:
    assert Summarize(engine="llm").prompt.name == "summarize"
    assert Summarize(engine="llm", end_s=3).prompt.name == "summarize_range"
    assert Summarize(engine="llm", end_s=3, prompt="summarize").prompt.name == "summarize"
    assert Summarize(engine="llm", start_s=0).identity() != Summarize(engine="llm").identity()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"start_s": 4, "end_s": 4}, "start_s 4 is not before end_s 4"),
        ({"start_s": -1}, "greater than or equal to 0"),
        ({"end_s": 0}, "greater than 0"),
        ({"column": "Part"}, "match pattern"),
        ({"prompt": "short"}, r"lacks \{captions\}"),
    ],
)
def test_wrong_options(options: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        Summarize(engine="llm", **options)
