"""`where` keeps what all its conditions hold for; a recipe whose conditions fit no column is refused."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from rich.console import Console
from shotscribe.builder.build import build
from shotscribe.builder.contract.errors import Reason, RecipeError, Rejection
from shotscribe.builder.progress import Progress
from shotscribe.builder.recipe.plan import make_plan
from shotscribe.builder.recipe.recipe import load
from shotscribe.builder.run.executors.local import LocalExecutor
from shotscribe.filters.where import Where


def where(column: str, **options: Any) -> Where:
    """`is_` for `is`."""
    given_options = {name.rstrip("_"): value for name, value in options.items()}
    return Where.model_validate({"column": column, **given_options})


@pytest.mark.parametrize(
    ("step", "dropped", "reason", "detail", "kept"),
    [
        (where("aes", at_least=4.5), 4.4999, Reason.BELOW_MIN, "aes 4.4999: at_least 4.5", 4.5),
        (where("frames", at_most=1234567), 1234568, Reason.ABOVE_MAX, "frames 1234568: at_most 1234567", 1234567),
        (where("codec", is_="h264"), "H264", Reason.EXCLUDED, "codec H264: is h264", "h264"),
        (where("codec", is_=("av1", "vp9")), "h264", Reason.EXCLUDED, "codec h264: is av1, vp9", "vp9"),
        (where("codec", is_not="gif"), "gif", Reason.EXCLUDED, "codec gif: is_not gif", "h264"),
        (where("has_audio", is_=True), False, Reason.EXCLUDED, "has_audio false: is true", True),
        (where("labels", has_any="static"), ["cut", "x"], Reason.EXCLUDED, "labels cut+x: has_any static", ["static"]),
        (where("labels", has_any=("a", "b")), [], Reason.EXCLUDED, "labels empty: has_any a, b", ["c", None, "b"]),
        (where("labels", has_none=["a", "b"]), ["b"], Reason.EXCLUDED, "labels b: has_none a, b", []),
        (where("said", matches="(?i)sunset"), "Dawn", Reason.EXCLUDED, "said Dawn: matches (?i)sunset", "SUNSET"),
        (where("said", matches_not="logo"), "a logo", Reason.EXCLUDED, "said a logo: matches_not logo", "a dog"),
    ],
)  # fmt: skip
def test_a_clip_is_rejected_with_its_value_and_the_option(
    step: Where, dropped: object, reason: Reason, detail: str, kept: object
) -> None:
    option = detail.split(": ")[1].split()[0]
    assert step.verdict({step.column: dropped}) == Rejection(reason, detail, option)
    assert step.verdict({step.column: kept}) is None


numbers = st.integers(-3, 3) | st.floats(-3, 3)


@given(value=numbers, low=st.none() | numbers, high=st.none() | numbers, some=st.none() | st.tuples(numbers, numbers))
def test_all_conditions_hold(value: float, low: float | None, high: float | None, some: tuple[Any, ...] | None) -> None:
    if low is None and high is None and some is None:
        return
    if low is not None and high is not None and low > high:
        low, high = high, low
    step = where("x", at_least=low, at_most=high, is_not=some)
    wanted = (low is None or value >= low) and (high is None or value <= high) and (some is None or value not in some)
    assert (step.verdict({"x": value}) is None) == wanted


@pytest.mark.parametrize(
    ("column", "row"),
    [
        ("x", {"x": None}),
        ("x", {"x": float("nan")}),
        ("x.y", {"x": None}),
        ("x.y", {"x": {"y": None}}),
        ("x.y", {"x": {"y": float("nan")}}),
    ],
)
@pytest.mark.parametrize("condition", [{"at_least": 0}, {"is_not": 3}, {"at_least": 0, "at_most": 9}])
def test_what_is_missing_is_dropped_and_says_so_unless_it_is_kept(
    column: str, row: dict[str, Any], condition: dict[str, float]
) -> None:
    said = Rejection(Reason.EXCLUDED, f"{column} is missing: missing drop", "missing")
    assert where(column, **condition).verdict(row) == said
    assert where(column, **condition, missing="keep").verdict(row) is None


def test_a_field_of_a_struct_and_of_a_list_of_structs() -> None:
    row = {"structure": {"shot_type": "close_up", "subjects": [{"type": "human"}, {"type": "animal"}, None]}}
    assert where("structure.shot_type", is_=["close_up", "medium_shot"]).verdict(row) is None
    assert where("structure.subjects.type", has_any="animal").verdict(row) is None
    refused = where("structure.subjects.type", has_none="animal").verdict(row)
    assert refused == Rejection(
        Reason.EXCLUDED, "structure.subjects.type human+animal+None: has_none animal", "has_none"
    )


def test_changing_what_decides_makes_nothing_anew_and_is_told_as_it_is_written() -> None:
    one = where("x", at_least=1, is_=[1, 2], has_any="a", matches="a", missing="keep")
    other = where("x", at_most=3, is_not=1, has_none="a", matches_not="b")
    assert one.identity() == other.identity() != where("y", at_least=1).identity()
    assert set(type(one).model_fields) - one.judging() == {"use", "column"}
    assert one.model_dump()["is"] == (1, 2)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({}, "where drops nothing: give at least one of at_least, at_most, is, is_not, has_any, has_none, matches, "),
        ({"missing": "drop"}, "where drops nothing"),
        ({"at_least": 9, "at_most": 3}, "at_least 9 is above at_most 3: no clip would be left"),
        ({"is": []}, "write a text, a number, true or false, or a list of such"),
        ({"has_any": {"a": 1}}, "write a text, a number, true or false, or a list of such"),
        ({"is": ["a", None]}, "write a text, a number, true or false, or a list of such"),
        ({"is_not": [["a"]]}, "write a text, a number, true or false, or a list of such"),
        ({"matches": "(a"}, "(a is no pattern of RE2"),
        ({"matches_not": r"(a)\1"}, "is no pattern of RE2"),
        ({"is_": "a"}, "is_"),
    ],
)
def test_options_that_say_nothing_are_refused(options: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=re.escape(said)):
        Where.model_validate({"column": "x", **options})


@pytest.mark.parametrize(
    ("step", "said"),
    [
        ("column: truth_knd, is: a", 'reads the column "truth_knd", which is not there; did you mean "truth_kind"?'),
        ("column: luma, at_least: 0.5", 'reads the column "luma", which is not there; a step `use: luma` adds it'),
        ("column: media, is: a", 'column: there is no column "media"'),
        (
            "column: structure.shot_typ, is: a",
            'column: "structure" has no field "shot_typ"; did you mean "shot_type"?',
        ),
        ("column: strukture.shot_type, is: a", 'column: there is no column "strukture"; did you mean "structure"?'),
        (
            "column: codec, at_least: 3",
            "at_least: cannot be asked of string; such a column takes is, is_not, matches, matches_not",
        ),
        ("column: width, matches: '9'", "matches: cannot be asked of int64; such a column takes at_least, at_most, is"),
        ("column: structure.subjects.type, is: a", "is: cannot be asked of list of string; such a column takes"),
        ("column: width, is: ['9']", 'is: "9" is never in a column of int64; write a number'),
        ("column: width, iss: 9", 'option "iss" is not known; did you mean "is"?'),
    ],
)  # fmt: skip
def test_a_check_says_what_does_not_fit(tmp_path: Path, step: str, said: str) -> None:
    path = tmp_path / "x.yaml"
    path.write_text(f"""\
name: a
version: "1"
sources: [{{use: demo, count: 2}}]
engines: {{vlm: {{use: openai, model: any, key_env: null}}}}
steps:
  - {{use: structural, engine: vlm}}
  - {{use: where, {step}}}
""")
    with pytest.raises(RecipeError) as refused:
        make_plan(load(path))
    assert str(refused.value).startswith(f"{path}:7: steps[1] (where): {said}")


def test_a_build_keeps_what_is_wanted_and_a_changed_limit_opens_no_clip(
    tmp_path: Path,
    encode: Callable[..., Path],
    moving: Callable[..., Iterable[np.ndarray]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, seed in (("a", 1), ("b", 2), ("c", 3), ("d", 4)):
        encode(tmp_path / f"{name}.mp4", moving(8, seed=seed), fps=15)
    rows = ["a.mp4,5.5,a street", "b.mp4,4.1,a beach", "c.mp4,,a street", "d.mp4,6,A STREET with a logo"]
    (tmp_path / "t.csv").write_text("path,meta.aesthetic,text\n" + "\n".join(rows) + "\n")
    text = """\
name: wanted
version: "1"
sources: [{use: table, path: t.csv, license: cc0-1.0}]
steps:
  - {use: camera_motion}
  - {use: where, column: meta.aesthetic, at_least: 4.5}
  - {use: where, column: source_caption, matches: "(?i)street", matches_not: logo}
  - {use: where, column: camera_motion, has_any: [pan_right, static, unclassified]}
publish: {caption: source_caption, media: reference}
run: {workers: 1}
"""
    quiet = Progress(Console(file=io.StringIO()))
    path, out = tmp_path / "x.yaml", tmp_path / "out"
    path.write_text(text)
    build(path, out=out, progress=quiet)

    def found() -> tuple[list[str], dict[str, tuple[str, ...]]]:
        rejects = pq.read_table(out / "rejects.parquet").to_pylist()
        why = {one["source_id"][0]: tuple(one[name] for name in ("step", "reason", "option")) for one in rejects}
        return sorted(one[0] for one in pq.read_table(out / "metadata").column("source_id").to_pylist()), why

    assert found() == (
        ["a"],
        {
            "b": ("where", "below_min", "at_least"),
            "c": ("where", "excluded", "missing"),
            "d": ("where-2", "excluded", "matches_not"),
        },
    )
    monkeypatch.setattr(LocalExecutor, "submit", lambda *_, **__: pytest.fail("a clip was opened again"))
    changed = text.replace("at_least: 4.5", "at_least: 5.6, missing: keep").replace(", matches_not: logo", "")
    path.write_text(changed)
    build(path, out=out, progress=quiet)
    assert found() == (["c", "d"], dict.fromkeys("ab", ("where", "below_min", "at_least")))
