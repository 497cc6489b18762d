"""Comparisons on rows: each means what it says, on every type that it fits, and a path leads where it says."""

from __future__ import annotations

import math
import re
import time
from typing import Any, get_args

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from shotscribe.builder.contract.columns import read_by, required
from shotscribe.builder.contract.conditions import (
    Condition,
    Name,
    check_pattern,
    kind_at,
    read_at,
    shown,
    value_at,
)
from shotscribe.builder.contract.step import Step
from shotscribe.builder.store.arrow import arrow_schema

numbers = st.integers(-3, 3) | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False)
few = st.sampled_from("abc")
STRUCTURE = {
    "subjects": [{"type": "string", "tags": ["string"]}],
    "shot": "string",
    "light": {"level": "float64"},
}


@given(value=numbers, wanted=numbers)
def test_limits_are_inclusive_and_exact(value: float, wanted: float) -> None:
    assert Condition("at_least", wanted).holds(value) == (value >= wanted)
    assert Condition("at_most", wanted).holds(value) == (value <= wanted)
    assert Condition("at_least", value).holds(value)
    assert Condition("at_most", value).holds(value)


@given(value=few, items=st.lists(few), wanted=st.lists(few, min_size=1).map(tuple))
def test_what_is_allowed_and_what_is_not(value: str, items: list[str], wanted: tuple[str, ...]) -> None:
    assert Condition("is", wanted).holds(value) == (value in wanted)
    assert Condition("has_any", wanted).holds(items) == bool(set(items) & set(wanted))
    for asked, against, given_value in (("is", "is_not", value), ("has_any", "has_none", items)):
        assert Condition(asked, wanted).holds(given_value) != Condition(against, wanted).holds(given_value)  # type: ignore[arg-type]
    assert Condition("is", wanted[0]).holds(value) == Condition("is", wanted[:1]).holds(value) == (value == wanted[0])


@given(text=st.text("ab \n", max_size=12), word=st.text("ab", min_size=1, max_size=3))
def test_a_pattern_is_found_anywhere(text: str, word: str) -> None:
    assert Condition("matches", word).holds(text) == (word in text)
    assert Condition("matches", rf"\b{word}\b").holds(text) == (word in re.findall("[ab]+", text))
    assert Condition("matches_not", word).holds(text) != Condition("matches", word).holds(text)


@pytest.mark.parametrize("pattern", ["(a+)+$", "(a|a)*b", "(.*)(.*)(.*)(.*)(.*)b$", "(a|ab|aab)*c"])
def test_no_pattern_takes_long(pattern: str) -> None:
    began = time.thread_time()
    assert not Condition("matches", pattern).holds("a" * 20_000 + "!")
    assert time.thread_time() - began < 1


@pytest.mark.parametrize("pattern", ["(", r"(a)\1", "(?=a)b", "a**", "[z-a]"])
def test_a_pattern_that_re2_cannot_read_is_refused(pattern: str) -> None:
    with pytest.raises(ValueError, match="is no pattern of RE2"):
        check_pattern(pattern)


@pytest.mark.parametrize("pattern", ["", "sun(set|rise)", r"(?i)\bred\b", r"\pL{2,}", "日没"])
def test_a_pattern_that_re2_can_read(pattern: str) -> None:
    check_pattern(pattern)


FITTING: dict[str, tuple[Any, set[str]]] = {
    "string": ("a", {"is", "is_not", "matches", "matches_not"}),
    "json": ("a", {"is", "is_not", "matches", "matches_not"}),
    "int64": (1, {"at_least", "at_most", "is", "is_not"}),
    "float32": (0.5, {"at_least", "at_most", "is", "is_not"}),
    "bool": (True, {"is", "is_not"}),
}


@pytest.mark.parametrize("name", get_args(Name))
def test_what_can_be_asked_of_which_type(name: Name) -> None:
    for kind, (value, fitting) in FITTING.items():
        said = Condition(name, value).misfit(kind)
        assert (said is None) == (name in fitting), kind
        assert said is None or kind in said
        assert (Condition(name, value).misfit([kind]) is None) == (name in ("has_any", "has_none"))
        for other, (strange, _) in FITTING.items():
            if name in ("is", "is_not") and type(strange) not in (type(value), *((int, float) if "t" in kind else ())):
                assert "is never in a column of" in str(Condition(name, (value, strange)).misfit(kind)), other
    for kind in (STRUCTURE, [STRUCTURE], [["string"]], "timestamp[s]"):
        assert "cannot be asked of" in str(Condition(name, "a").misfit(kind))


def test_a_misfit_says_what_to_write() -> None:
    assert Condition("at_least", 4.5).misfit("string") == (
        "cannot be asked of string; such a column takes is, is_not, matches, matches_not"
    )
    assert Condition("is", (3, "3")).misfit("int64") == '"3" is never in a column of int64; write a number'
    assert Condition("is", 1).misfit("bool") == "1 is never in a column of bool; write true or false"
    assert Condition("is", "a").misfit(STRUCTURE) == (
        "cannot be asked of struct of subjects, shot, light; name a field of it"
    )


texts = st.none() | few
rows = st.fixed_dictionaries(
    {
        "structure": st.none()
        | st.fixed_dictionaries(
            {
                "subjects": st.none()
                | st.lists(
                    st.none() | st.fixed_dictionaries({"type": texts, "tags": st.none() | st.lists(texts, max_size=3)}),
                    max_size=3,
                ),
                "shot": texts,
                "light": st.none() | st.fixed_dictionaries({"level": st.none() | st.floats()}),
            }
        ),
    }
)
PATHS = {
    "structure": STRUCTURE,
    "structure.shot": "string",
    "structure.light.level": "float64",
    "structure.subjects": [{"type": "string", "tags": ["string"]}],
    "structure.subjects.type": ["string"],
    "structure.subjects.tags": ["string"],
}


@given(row=rows)
def test_a_value_is_of_the_type_that_its_path_leads_to(row: dict[str, Any]) -> None:
    for path, kind in PATHS.items():
        assert kind_at(path, {"structure": STRUCTURE}) == kind
        value = value_at(path, row)
        (field,) = arrow_schema({"x": kind})
        pa.array([value], field.type)
        assert value is None or (path == "structure") or row["structure"] is not None
    structure = row["structure"] or {}
    level = (structure.get("light") or {}).get("level")
    assert value_at("structure.light.level", row) == (None if level is None or math.isnan(level) else level)
    subjects = structure.get("subjects")
    kinds = None if subjects is None else [subject and subject["type"] for subject in subjects]
    assert value_at("structure.subjects.type", row) == kinds


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("structure.shto", '"structure" has no field "shto"; did you mean "shot"?'),
        ("structure.subjects.tag", '"structure.subjects" has no field "tag"; did you mean "tags"?'),
        ("structure.shot.x", '"structure.shot" is string: it has no field "x"'),
        ("structure.", '"structure" has no field ""; there is: subjects, shot, light'),
        ("strukture.shot", 'there is no column "strukture"; did you mean "structure"?'),
        ("media", 'there is no column "media"; there is: structure'),
    ],
)
def test_a_path_that_leads_nowhere_names_what_is_near(path: str, said: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(said)}$"):
        kind_at(path, {"media": "string", "structure": STRUCTURE})


def test_a_column_may_have_dots_in_its_name() -> None:
    columns = {"meta": {"score": "string"}, "meta.score": "float64"}
    assert kind_at("meta.score", columns) == "float64"
    assert value_at("meta.score", {"meta": {"score": "high"}, "meta.score": 0.5}) == 0.5
    assert value_at("meta.score", {"meta": {"score": "high"}}) == "high"


def test_what_a_path_reads() -> None:
    class Reads(Step):
        use: str = "reads"
        path: str

        def reads(self) -> Any:
            return read_at(self.path)

    assert list(required(Reads(path="luma"))) == list(read_by(Reads(path="luma"))) == ["luma"]
    assert required(Reads(path="a.b.c")) == {}
    assert list(read_by(Reads(path="a.b.c"))) == ["a.b.c", "a"]


def test_values_in_a_message_are_one_short_line() -> None:
    assert shown("a\n b") == "a b"
    assert (shown(True), shown(0.25), shown(["pan_left", "zoom_in"]), shown([])) == (
        *("true", "0.25", "pan_left+zoom_in", "empty"),
    )
    assert len(shown("x" * 500)) == 80
    assert str(Condition("is", ("h264", "hevc"))) == "is h264, hevc"
    assert len(str(Condition("is", tuple(map(str, range(500)))))) == len("is ") + 80
