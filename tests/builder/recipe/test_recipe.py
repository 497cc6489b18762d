"""Recipes as people write them: read, resolved, or refused with file, line and the next thing to do."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from shotscribe.builder.contract.errors import RecipeError
from shotscribe.builder.recipe.recipe import Publish, load

Write = Callable[[str], Path]

GOOD = """\
name: street-life
version: 2026.11.0
sources:
  - {use: folder, path: videos, license: cc-by-4.0}
steps:
  - {use: duration, min_s: 2}
  - use: semantic_dedup
    column: source_caption
    threshold: 0.9
    embed: {use: hashing}
publish: {caption: source_caption, shard_size: 1.5GB}
run: {workers: 2}
"""


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Write:
    """Write `x.yaml` into the current folder; its path is relative, as a user would give it."""
    monkeypatch.chdir(tmp_path)

    def put(text: str) -> Path:
        Path("x.yaml").write_text(text, "utf-8")
        return Path("x.yaml")

    return put


def refusal(path: Path) -> str:
    with pytest.raises(RecipeError) as refused:
        load(path)
    assert refused.value.exit_code == 2
    return str(refused.value)


def test_a_recipe_is_read(write: Write, tmp_path: Path) -> None:
    recipe = load(write(GOOD))
    assert (recipe.name, recipe.version, recipe.description) == ("street-life", "2026.11.0", None)
    assert [type(source).__name__ for source in recipe.sources] == ["Folder"]
    assert [type(step).__name__ for step in recipe.steps] == ["Duration", "SemanticDedup"]
    assert getattr(recipe.sources[0], "path") == tmp_path / "videos"  # noqa: B009  (an option of the folder alone)
    assert recipe.publish.shard_bytes == 1_500_000_000
    assert (recipe.publish.media, recipe.run.workers, recipe.run.piece_rows) == ("embed", 2, 1000)
    assert recipe.decode.decoder == "pyav"


@pytest.mark.parametrize(
    ("written", "size"), [("500MB", 5 * 10**8), ("1GB", 10**9), ("1.5 gb", 15 * 10**8), ("60KB", 60_000), ("7B", 7)]
)
def test_sizes(written: str, size: int) -> None:
    assert Publish(shard_size=written).shard_bytes == size


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        # the top
        ("name: street-life", "name: Street Life", '1: name: "Street Life" is no name of a folder'),
        ("name: street-life\n", "", '1: option "name" is missing'),
        ("name: street-life", "naem: street-life", '1: option "naem" is not known; did you mean "name"?'),
        ("version: 2026.11.0", "version: 2026.10", "2: version: 2026.10 is read as a number; put it in quotes"),
        ("version: 2026.11.0", "version: true", "2: version: true is read as true or false; put it in quotes"),
        ("version: 2026.11.0", "version:", "2: version: nothing should be a valid string"),
        ("version: 2026.11.0", "version: a b", '2: version: "a b" is no version'),
        ("version: 2026.11.0", "version: [1]", "2: version: a list should be a valid string"),
        ("publish: {caption: source_caption, shard_size: 1.5GB}", "publish:", "11: publish: nothing should be a map"),
        ("shard_size: 1.5GB", "shard_size: 0GB", '11: publish.shard_size: "0GB" is no size'),
        ("shard_size: 1.5GB", "shard_size: 10", "11: publish.shard_size: 10 is read as a number"),
        ("shard_size: 1.5GB", "media: embd", '11: publish.media: embd should be embed or reference; did you mean "emb'),
        ("shard_size: 1.5GB", "hub: {repo: me}", '11: publish.hub.repo: "me" is no repository; write owner/name'),
        ("shard_size: 1.5GB", "hub: {repo: a/b, privat: 1}", '11: publish.hub: option "privat" is not known; did you'),
        ("workers: 2", "workers: many", "12: run.workers: many should be a valid integer or be auto"),
        ("workers: 2", "workers: 0", "12: run.workers: 0 should be greater than or equal to 1 or be auto"),
        ("workers: 2", "max_reject_rate: 20", "12: run.max_reject_rate: 20 should be less than or equal to 1"),
        ("run: {workers: 2}", "decode: {max_frames: '9'}", "12: decode.max_frames: '9' should be a valid integer"),
        # sources and steps
        ("sources:", "source:", '3: option "source" is not known; did you mean "sources"?'),
        ("sources:", "source:", "1: sources: is missing; it is a list"),
        ("  - {use: folder, path: videos, license: cc-by-4.0}\n", "  []\n", "3: sources: is an empty list; it is a"),
        ("steps:", "steps: {}\nold:", "5: steps: is a mapping; it is a list, as in `- {use: "),
        ("use: folder", "use: foldr", '4: sources[0] (foldr): there is no source "foldr"; did you mean "folder"?'),
        ("path: videos", "paht: videos", '4: sources[0] (folder): option "paht" is not known; did you mean "path"?'),
        ("path: videos", "paht: videos", '4: sources[0] (folder): option "path" is missing'),
        ("path: videos", "path: 3", "4: sources[0] (folder): path: 3 "),
        ("path: videos", "path: $NO_SUCH/x", "4: sources[0] (folder): path: $NO_SUCH/x: environment variable not set"),
        ("min_s: 2", "min_len: 2", '6: steps[0] (duration): option "min_len" is not known; did you mean "min_s"?'),
        ("min_s: 2", "zzz: 2", '6: steps[0] (duration): option "zzz" is not known; there is: max_s, min_s, use'),
        ("min_s: 2", "min_s: two", "6: steps[0] (duration): min_s: two should be a valid number"),
        ("min_s: 2", 'min_s: "2"', '6: steps[0] (duration): min_s: "2" should be a valid number'),
        ("min_s: 2", "min_s: yes", "6: steps[0] (duration): min_s: yes should be a valid number"),
        ("min_s: 2", "min_s: true", "6: steps[0] (duration): min_s: true should be a valid number"),
        ("min_s: 2", "min_s: .nan", "6: steps[0] (duration): min_s: .nan should be a valid number"),
        ("min_s: 2", "min_s: -1", "6: steps[0] (duration): min_s: -1 should be greater than or equal to 0"),
        (
            "use: duration",
            "use: durations",
            '6: steps[0] (durations): there is no step "durations"; did you mean "dura',
        ),
        ("use: duration", "use: qqq", '6: steps[0] (qqq): there is no step "qqq"; there is: '),
        ("use: duration, ", "", '6: steps[0]: option "use" is missing; there is: '),
        ("{use: duration, min_s: 2}", "duration", "6: steps[0]: is the text 'duration'; write a mapping, as in `use: "),
        ("    threshold: 0.9\n", "", '7: steps[1] (semantic_dedup): option "threshold" is missing'),
        ("threshold: 0.9", "threshold: 1.5", "9: steps[1] (semantic_dedup): threshold: 1.5 should be less than"),
        ("{use: hashing}", "{use: hash}", "embed: a mapping should be {use: hashing}, or name an engine of the"),
        ("{use: hashing}", "{}", "10: steps[1] (semantic_dedup): embed: a mapping should be {use: hashing}, or name"),
        ("{use: hashing}", "hashing", "10: steps[1] (semantic_dedup): embed: hashing should be {use: hashing}, or"),
        ("{use: hashing}", "{engine: bert, pooling: cls}", 'embed: option "pooling" is not known'),
        ("{use: hashing}", "{use: hashing, pooling: cls}", 'embed: option "pooling" is not known; there is: use'),
    ],
)
def test_what_is_wrong_is_named(write: Write, old: str, new: str, said: str) -> None:
    assert old in GOOD
    lines = refusal(write(GOOD.replace(old, new))).splitlines()
    assert all(line.startswith("x.yaml:") for line in lines)
    assert any(said in line and (not said[0].isdigit() or line.startswith(f"x.yaml:{said}")) for line in lines), lines


def test_several_problems_are_listed_in_the_order_of_the_file(write: Write) -> None:
    text = GOOD.replace("street-life", "Street").replace("min_s", "min_len").replace("workers: 2", "workers: x")
    lines = refusal(write(text)).splitlines()
    assert [line.split(": ")[0] for line in lines] == ["x.yaml:1", "x.yaml:6", "x.yaml:12"]


def test_a_long_or_odd_value_is_shown_on_one_clean_line(write: Write) -> None:
    said = refusal(write(GOOD.replace("min_s: 2", f'min_s: "{"x" * 500}", "\\e[31m": 1')))
    assert max(map(len, said.splitlines())) < 200
    assert "\x1b" not in said
    assert 'option "\\x1b[31m" is not known' in said


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "x.yaml: is empty"),
        ("# nothing\n", "x.yaml: is empty"),
        ("- a\n- b\n", "x.yaml:1: a recipe is a mapping, as in `name: my-dataset`; this is a list"),
        ("hello", "x.yaml:1: a recipe is a mapping, as in `name: my-dataset`; this is the text 'hello'"),
        (GOOD + "name: again\n", 'x.yaml:13: the key "name" stands twice, first on line 1'),
        (GOOD.replace("  - {use: duration", "\t- {use: duration"), "x.yaml:6: a tab; indent with spaces"),
        (GOOD + "other: [1\n", "x.yaml:14: not valid YAML"),
        (GOOD.replace("street-life", "!!python/name:os.system x"), "x.yaml:1: the tag !!python/name:os.system is"),
        (GOOD.replace("street-life", "&a street-life"), "x.yaml:1: anchors and aliases"),
    ],
)
def test_yaml_that_is_no_recipe(write: Write, text: str, said: str) -> None:
    assert refusal(write(text)).startswith(said)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    large, binary = tmp_path / "large.yaml", tmp_path / "binary.yaml"
    large.write_bytes(b"#" * (2 << 20))
    binary.write_bytes(b"name: x\nversion: \xff\n")
    assert "larger than 1 MiB" in refusal(large)
    assert refusal(binary).startswith(f"{binary}:2: is not UTF-8 (byte 0xff)")
    assert "No such file" in refusal(tmp_path / "none.yaml")
    assert "Is a directory" in refusal(tmp_path)
    assert "cannot be read" in refusal(Path("a\0b"))


def test_a_byte_order_mark_is_no_matter(tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    path.write_bytes(b"\xef\xbb\xbf" + GOOD.encode())
    assert load(path).name == "street-life"


def test_paths_are_found_from_the_recipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/someone")
    monkeypatch.setenv("CORPORA", "/data/corpora")
    monkeypatch.chdir("/")
    folder = tmp_path / "recipes"
    folder.mkdir()
    wanted = {
        "~/videos": "/home/someone/videos",
        "$CORPORA/a": "/data/corpora/a",
        "${CORPORA}/b c": "/data/corpora/b c",
        "videos": f"{folder}/videos",
        "../videos": f"{tmp_path}/videos",
        "/abs/./x": "/abs/x",
    }
    for written, found in wanted.items():
        (folder / "x.yaml").write_text(GOOD.replace("path: videos", f'path: "{written}"'))
        absolute, relative = load(folder / "x.yaml"), load(Path(os.path.relpath(folder / "x.yaml")))
        assert [str(getattr(one.sources[0], "path")) for one in (absolute, relative)] == [found, found]  # noqa: B009


def test_the_canonical_recipe_is_complete_and_tells_nothing_of_the_machine(tmp_path: Path) -> None:
    text = GOOD.replace("path: videos", "path: videos/../clips").replace(
        "steps:", "  - {use: folder, path: /secret/place/corpus}\nsteps:"
    )
    canonical = []
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "x.yaml").write_text(text)
        canonical.append(load(tmp_path / name / "x.yaml").canonical())
    assert canonical[0] == canonical[1]
    assert json.loads(json.dumps(canonical[0])) == canonical[0]
    assert [source["path"] for source in canonical[0]["sources"]] == ["clips", "corpus"]
    assert str(tmp_path) not in str(canonical[0])
    assert "/secret" not in str(canonical[0])
    assert canonical[0]["steps"][0] == {"use": "duration", "min_s": 2.0, "max_s": None}
    assert canonical[0]["publish"]["hub"] is None
    assert "run" not in canonical[0]


def test_a_canonical_recipe_is_a_recipe_again(write: Write) -> None:
    first = load(write(GOOD))
    again = load(write(yaml.safe_dump(first.canonical(), sort_keys=False)))
    assert again.canonical() == first.canonical()


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
PLACES = [
    (*place, key)
    for place, keys in {
        (): ("name", "version", "description", "sources", "steps", "publish", "run", "decode", "extra"),
        ("sources", 0): ("use", "path", "license", "captions", "extensions", "extra"),
        ("steps", 0): ("use", "min_s", "extra"),
        ("steps", 1): ("use", "column", "threshold", "embed"),
        ("steps", 1, "embed"): ("use", "model", "extra"),
        ("publish",): ("caption", "media", "shard_size", "hub"),
        ("run",): ("workers", "gpus", "max_reject_rate"),
    }.items()
    for key in keys
]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(place=st.sampled_from(PLACES), value=VALUES)
def test_any_value_in_any_place_is_read_or_refused_with_its_line(
    tmp_path: Path, place: tuple[str | int, ...], value: object
) -> None:
    recipe = yaml.safe_load(GOOD)
    block = recipe
    for part in place[:-1]:
        block = block[part]
    block[place[-1]] = value
    path = tmp_path / "x.yaml"
    path.write_text(yaml.safe_dump(recipe), "utf-8")
    said = ""
    try:
        load(path).canonical()
    except RecipeError as error:
        said = str(error)
    assert all(line.startswith((f"{path}:", "    ")) for line in said.splitlines())
