"""YAML as plain data with its lines."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from shotscribe.builder.recipe.yaml_lines import Located, YamlError, parse

TEXT = st.text(st.characters(categories=["L", "M", "N", "P", "S", "Zs"]), max_size=12)
DATA = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**17), 10**17)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=12,
)


@given(DATA)
def test_json_is_read_as_itself(data: Any) -> None:
    assert parse(json.dumps(data, ensure_ascii=False)).value == data


@given(DATA)
def test_every_value_has_the_line_of_its_key(data: Any) -> None:
    text = json.dumps({"top": data}, ensure_ascii=False, indent=1)
    lines = text.split("\n")
    for place, line in parse(text).lines.items():
        if place and isinstance(place[-1], str):
            assert json.dumps(place[-1], ensure_ascii=False) + ":" in lines[line - 1]


@given(st.text(max_size=60) | st.text("{}[]-:&*!|>'\"%@`#?, \n\tab01\\uUx", max_size=60))
def test_any_text_is_data_or_refused(text: str) -> None:
    located, line = Located(), 1
    try:
        located = parse(text)
    except YamlError as error:
        line = error.line
    assert 1 <= line <= len(text.splitlines()) + 1
    assert json.loads(json.dumps(located.value)) == located.value


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("yes", "yes"),
        ("on", "on"),
        ("true", True),
        ("~", None),
        ("", None),
        ("1:30", "1:30"),
        ("2026-11-01", "2026-11-01"),
        ("2026.11.0", "2026.11.0"),
        ("007", "007"),
        ("0x1F", "0x1F"),
        ("1_000", "1_000"),
        ("1e3", 1000.0),
        (".5", 0.5),
        ("-3", -3),
        (".inf", ".inf"),
        ("12345678901234567890", "12345678901234567890"),
        ("'12'", "12"),
        ("<<", "<<"),
    ],
)
def test_plain_scalars_are_not_what_yaml_1_1_makes_of_them(written: str, value: object) -> None:
    found = parse(f"key: {written}").value["key"]
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("a: 1\nb: 2\na: 3", 3, 'the key "a" stands twice, first on line 1'),
        ("a: {b: 1, b: 2}", 1, 'the key "b" stands twice'),
        ("a: 1\n\tb: 2", 2, "a tab; indent with spaces"),
        ("a:\n- b\n\t- c: 2", 3, "a tab; indent with spaces"),
        ("a: &x 1\nb: *x", 1, "anchors and aliases"),
        ("a: *x", 1, "anchors and aliases"),
        ("a: 1\n<<: *x", 2, "anchors and aliases"),
        ("&x a: 1", 1, "a key must be plain text"),
        ("a: 1\nb: !!python/object/apply:os.system ['true']", 2, "the tag !!python/object/apply:os.system is refused"),
        ("a: !include other.yaml", 1, "the tag !include is refused"),
        ("!!str a: 1", 1, "a key must be plain text"),
        ("? [a, b]\n: 1", 1, "a key must be plain text"),
        ("a: 1\n---\nb: 2", 2, "a second document"),
        ("a: 1\nb: [1, 2", 2, "not valid YAML"),
        ("a: 'b\nc: d", 2, "begun on line 1"),
        ("a: b: c", 1, "    a: b: c\n        ^"),
        ("a: `b`", 1, "cannot start any token"),
        ("a: 1\nb: \x07", 2, "'\\x07' is not allowed"),
        ('a: "\\ud800"', 1, "no character"),
        ('a: "\\0"', 1, "no character"),
        ('a: 1\nb: "\\UFFFFFFFF"', 2, "beyond the last character"),
        ("a: 1e999", 1, "too large a number"),
        ("a: " + "[" * 30 + "]" * 30, 1, "nested deeper"),
    ],
)
def test_what_is_refused_is_named_with_its_line(text: str, line: int, said: str) -> None:
    with pytest.raises(YamlError) as refused:
        parse(text)
    assert refused.value.line == line
    assert said in refused.value.message


def test_nothing_grows_without_bounds() -> None:
    bombs = [
        "[" * 500_000,
        "{a: " * 200_000,
        "- " * 300_000,
        "a: &a [x, x]\n" + "".join(f"b{n}: [*a, *a]\n" for n in range(9)),
    ]
    began = time.process_time()
    for bomb in bombs:
        with pytest.raises(YamlError):
            parse(bomb)
    assert time.process_time() - began < 5


def test_the_nearest_place_skips_what_is_not_there() -> None:
    located = parse("steps:\n  - use: luma\n    embed:\n      model: x\n")
    place = located.nearest(("steps", 0, "embed", "clip", "model"))
    assert place == ("steps", 0, "embed", "model")
    assert located.lines[place] == 4
    assert located.written[place] == "x"
    assert located.nearest(("run", "workers")) == ()


def test_plain_data_is_what_pyyaml_reads() -> None:
    text = "a: [x, {b: 'c d', e: \"f\"}]\nblock: |\n  one\n  two\nfolded: >-\n  one\n  two\n"
    assert parse(text).value == yaml.safe_load(text)
