"""Plans: which columns there are when, what runs together, and what each stored value depends on."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import pytest
from shotscribe.builder.contract.clip import PRIVATE_COLUMNS, PROBE_COLUMNS, SOURCE_COLUMNS, Clip, Columns, Row
from shotscribe.builder.contract.columns import AnyType, Derived, Optional
from shotscribe.builder.contract.engine import Engine
from shotscribe.builder.contract.errors import RecipeError, RunError
from shotscribe.builder.contract.source import forbids_redistribution
from shotscribe.builder.contract.step import ClipStep, Step, TableStep
from shotscribe.builder.recipe.plan import Plan, make_plan
from shotscribe.builder.recipe.recipe import Recipe, load
from shotscribe.builder.sources.demo import Demo

Planned = Callable[..., Plan]

STEPS = """\
  - {use: duration, min_s: 2}
  - {use: luma}
  - {use: blur}
  - {use: camera_motion}
  - {use: keyframes, interval_s: 1.0}
  - {use: signals}
  - {use: semantic_dedup, column: keyframe_embedding, threshold: 0.9}
  - {use: duration, max_s: 60}
"""


@pytest.fixture
def planned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Planned:
    """The plan of a recipe with these steps (YAML lines)."""
    monkeypatch.chdir(tmp_path)

    def plan(
        steps: str = STEPS,
        *,
        sources: str = "  - {use: demo, count: 2}\n",
        rest: str = "publish: {caption: source_caption}\n",
    ) -> Plan:
        text = f'name: a\nversion: "1"\nsources:\n{sources}steps:{" []" if not steps else ""}\n{steps}{rest}'
        Path("x.yaml").write_text(text)
        return make_plan(load(Path("x.yaml")))

    return plan


def keys(plan: Plan) -> dict[str, str]:
    return {step.name: step.key for stage in plan.stages for step in stage.steps}


def changed(before: Plan, after: Plan) -> set[str]:
    old, new = keys(before), keys(after)
    return {name for name in old if name in new and old[name] != new[name]}


def stages(plan: Plan) -> list[tuple[str, list[str]]]:
    return [(stage.kind, [step.name for step in stage.steps]) for stage in plan.stages]


def test_neighbouring_signals_share_a_stage(planned: Planned) -> None:
    assert stages(planned()) == [
        ("probe", ["probe"]),
        ("clips", ["duration", "luma", "blur", "camera_motion", "keyframes"]),
        ("clips", ["signals"]),
        ("table", ["semantic_dedup"]),
        ("clips", ["duration-2"]),
    ]
    assert [step.index for stage in planned().stages for step in stage.steps] == [-1, 0, 1, 2, 3, 4, 5, 6, 7]
    assert stages(planned("")) == [("probe", ["probe"])]


def test_columns_come_in_order_and_private_ones_stay_back(planned: Planned) -> None:
    plan = planned()
    names = list(plan.columns)
    assert names[: len(SOURCE_COLUMNS)] == list(SOURCE_COLUMNS)
    assert set(PROBE_COLUMNS) | set(Demo().adds()) <= set(names)
    assert plan.columns["caption"] == "string"
    assert plan.columns["camera_motion"] == ["string"]
    assert names.index("luma") < names.index("keyframes") < names.index("caption")
    assert set(names) - set(plan.published) == {*PRIVATE_COLUMNS, "keyframe_embedding"}
    assert list(plan.published) == [name for name in names if name in plan.published]


def test_a_plan_is_the_same_each_time_and_everywhere(planned: Planned, tmp_path: Path, monkeypatch: Any) -> None:
    before = planned()
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert keys(planned()) == keys(before)
    assert len(set(keys(before).values())) == 8  # the two durations measure nothing: one key
    assert all(re.fullmatch("[0-9a-f]{64}", key) for key in keys(before).values())


@pytest.mark.parametrize(
    ("old", "new", "invalid"),
    [
        ("min_s: 2", "min_s: 3", set()),
        ("{use: luma}", "{use: luma, min_luma: 0.3}", set()),
        ("threshold: 0.9", "threshold: 0.8", set()),
        ("interval_s: 1.0", "interval_s: 0.5", {"keyframes"}),
        ("interval_s: 1.0", "interval_s: 1", set()),
        ("{use: camera_motion}", "{use: camera_motion, threshold: 0.3}", set()),
        ("  - {use: blur}\n", "", set()),
        ("  - {use: duration, min_s: 2}\n", "", set()),
        ("  - {use: luma}\n", "", set()),
        ("  - {use: luma}\n  - {use: blur}\n", "  - {use: blur}\n  - {use: luma}\n", set()),
        ("{use: signals}", "{use: signals, column: words}", {"signals"}),
    ],
)
def test_a_change_makes_anew_what_its_step_makes_and_nothing_else(  # what reads that is known by its values
    planned: Planned, old: str, new: str, invalid: set[str]
) -> None:
    assert old in STEPS
    assert changed(planned(), planned(STEPS.replace(old, new))) == invalid


def test_the_decoder_matters_to_what_is_decoded(planned: Planned) -> None:
    rest = "publish: {caption: source_caption}\ndecode: {decoder: decord}\n"
    unmoved = {name for name in keys(planned()) if name not in changed(planned(), planned(rest=rest))}
    assert unmoved == {"duration", "semantic_dedup", "duration-2"}


def test_limits_and_speed_matter_to_no_value(planned: Planned) -> None:
    rest = "publish: {caption: source_caption}\ndecode: {max_frames: 1000, timeout_s: 5}\nrun: {workers: 3}\n"
    assert changed(planned(), planned(rest=rest)) == {"probe"}


@pytest.mark.parametrize(
    ("steps", "said"),
    [
        (
            "  - {use: semantic_dedup, column: keyframe_embedding, threshold: 0.9}\n  - {use: keyframes}\n",
            '6: steps[0] (semantic_dedup): reads the column "keyframe_embedding", which is not there; '
            "steps[1] (keyframes) adds it: put that one before",
        ),
        (
            "  - {use: semantic_dedup, column: keyframe_embedding, threshold: 0.9}\n",
            'reads the column "keyframe_embedding", which is not there; a step `use: keyframes` adds it: put one',
        ),
        (
            "  - {use: semantic_dedup, column: source_captoin, threshold: 0.9, embed: {use: hashing}}\n",
            'reads the column "source_captoin", which is not there; did you mean "source_caption"?',
        ),
        (
            "  - {use: luma}\n  - {use: semantic_dedup, column: luma, threshold: 0.9}\n",
            '7: steps[1] (semantic_dedup): reads the column "luma" as list of float32; steps[0] (luma) has it as fl',
        ),
        (
            "  - {use: semantic_dedup, column: width, threshold: 0.9}\n",
            'reads the column "width" as list of float32; every clip has it as int64',
        ),
        (
            "  - {use: blur}\n  - {use: blur}\n",
            '7: steps[1] (blur): adds the column "sharpness", which steps[0] (blur) adds too; leave one of them out',
        ),
        (
            "  - {use: signals, column: width}\n",
            '6: steps[0] (signals): adds the column "width", which every clip has already',
        ),
        (
            "  - {use: signals, column: truth_kind}\n",
            'steps[0] (signals): adds the column "truth_kind", which sources[0] (demo) adds too',
        ),
    ],
)
def test_columns_that_do_not_fit_are_named(planned: Planned, steps: str, said: str) -> None:
    with pytest.raises(RecipeError) as refused:
        planned(steps)
    assert said in str(refused.value)
    assert str(refused.value).startswith("x.yaml:")


@pytest.mark.parametrize(
    ("header", "steps", "column", "raw"),
    [
        ("path,luma", "  - {use: luma}\n", "luma", "luma"),
        ("path,width", "  - {use: signals, column: source_width}\n", "source_width", "width"),
        ("path,text", "  - {use: signals, column: source_captions}\n", "source_captions", "text"),
    ],
)
def test_a_column_that_a_step_makes_too_is_left_out_as_the_error_says(
    planned: Planned, header: str, steps: str, column: str, raw: str
) -> None:
    Path("t.csv").write_text(f"{header}\na.mp4,\"['1', '2']\"\n")
    source = "  - {{use: table, path: t.csv, label: mine{}}}\n".format
    with pytest.raises(RecipeError) as refused:
        planned(steps, sources=source(""))
    way = f"ignore: [{raw}]"
    assert f'adds the column "{column}", which sources[0] (table) adds too; leave one of them out' in str(refused.value)
    assert str(refused.value).endswith(f"or say `{way}` in sources[0] (mine)")
    assert column in planned(steps, sources=source(f", {way}")).columns


def test_a_column_of_two_tables_is_left_out_as_the_error_says(planned: Planned) -> None:
    Path("t.csv").write_text("path,score\na.mp4,1\n")
    Path("u.csv").write_text("path,score\na.mp4,high\n")
    sources = "  - {use: table, path: t.csv, label: a}\n  - {use: table, path: u.csv, label: b%s}\n"
    with pytest.raises(RecipeError) as refused:
        planned("", sources=sources % "")
    said = "or say `ignore: [score]` in sources[0] (a) and `ignore: [score]` in sources[1] (b)"
    assert str(refused.value).endswith(
        f"as string, sources[0] (table) as int64; give it one type or another name, {said}"
    )
    assert planned("", sources=sources % ", ignore: [score]").columns["score"] == "int64"


def test_every_problem_is_listed(planned: Planned) -> None:
    steps = "  - {use: blur}\n  - {use: blur}\n  - {use: semantic_dedup, column: no, threshold: 1}\n"
    with pytest.raises(RecipeError) as refused:
        planned(steps, rest="publish: {caption: nothing}\n")
    assert [line.split(": ")[0] for line in str(refused.value).splitlines()] == ["x.yaml:7", "x.yaml:8", "x.yaml:9"]


@pytest.mark.parametrize(
    ("caption", "said"),
    [
        ("captoin", 'publish.caption: there is no column "captoin" to publish; did you mean "caption"?'),
        ("width", 'publish.caption: "width" is no text but int64'),
        ("media", 'there is no column "media" to publish'),
        ("keyframe_embedding", 'there is no column "keyframe_embedding" to publish'),
    ],
)
def test_the_published_caption_is_a_published_text(planned: Planned, caption: str, said: str) -> None:
    with pytest.raises(RecipeError) as refused:
        planned(rest=f"publish: {{caption: {caption}}}\n")
    assert said in str(refused.value)


def test_media_that_may_not_be_handed_on_is_not_embedded(planned: Planned, tmp_path: Path) -> None:
    head = "videoID,url,timestamp,caption,matching_score\n"
    (tmp_path / "p.csv").write_text(head)
    panda = "  - {use: panda70m, path: p.csv, videos: v}\n"
    said = 'sources[0] (panda70m): its videos may not be published (license "Panda-70M: '
    for sources in (panda, panda.replace("}", ", license: cc0-1.0}")):  # whatever the recipe calls it
        with pytest.raises(RecipeError) as refused:
            planned("", sources=sources, rest="")
        assert str(refused.value).startswith(f"x.yaml:4: {said}")
    with pytest.raises(RecipeError, match='license "Ego4D'):
        planned("", sources="  - {use: folder, path: v, license: Ego4D agreement}\n", rest="")
    assert planned("", sources=panda, rest="publish: {media: reference}\n").recipe.publish.media == "reference"


@pytest.mark.parametrize(
    ("license", "forbids"),
    [
        ("cc-by-4.0", False),
        ("cc-by-nc-nd-4.0", False),
        ("pexels", False),
        ("All rights reserved", True),
        ("research only; may not be redistributed", True),
        ("panda-70m", True),
        ("no-redistribution", True),
    ],
)
def test_licenses(license: str, forbids: bool) -> None:
    assert forbids_redistribution(license) is forbids


class Twice(Step):
    use: Literal["twice"] = "twice"

    def reads(self) -> Columns:
        return {"luma": "float64"}

    def adds(self) -> Columns:
        return {"twice": Derived("float64")}

    def derive(self, row: Row) -> dict[str, Any]:
        return {"twice": 2 * row["luma"]}


class Reader(ClipStep):
    """Reads one column, and adds one that takes its name from it."""

    use: Literal["reader"] = "reader"
    column: str
    kind: Any = "float64"
    optional: bool = False

    def reads(self) -> Columns:
        return {self.column: Optional(self.kind) if self.optional else self.kind}

    def adds(self) -> Columns:
        return {f"read_{self.column}": "float64"}

    def make(self, clip: Clip, engine: Engine) -> dict[str, Any]:
        return {f"read_{self.column}": 0.0}


class Picky(Step):
    """Reads a column of any type but texts."""

    use: Literal["picky"] = "picky"
    column: str

    def reads(self) -> Columns:
        return {self.column: AnyType()}

    def misfits(self, columns: Columns) -> dict[str, str]:
        return {"column": "is a text"} if columns[self.column] == "string" else {}


class Dropper(TableStep):
    use: Literal["dropper"] = "dropper"

    def settle(self, table: Any) -> Any:
        return iter(())


def of(*steps: Step) -> Plan:
    return make_plan(Recipe(name="a", version="1", sources=(Demo(),), steps=steps))


@pytest.mark.parametrize("optional", [False, True])
def test_a_signal_waits_for_what_is_computed_from_other_signals(optional: bool) -> None:
    from shotscribe.filters.camera_motion import CameraMotion
    from shotscribe.filters.luma import Luma

    stored = of(Luma(), Twice(), Reader(column="luma", optional=optional))
    assert stages(stored)[1:] == [("clips", ["luma", "twice", "reader"])]
    computed = of(Luma(), Twice(), Reader(column="twice", optional=optional))
    assert stages(computed)[1:] == [("clips", ["luma", "twice"]), ("clips", ["reader"])]
    derived = of(CameraMotion(), Reader(column="camera_motion", kind=["string"], optional=optional))
    assert stages(derived)[1:] == [("clips", ["camera_motion"]), ("clips", ["reader"])]
    measured = of(CameraMotion(), Reader(column="camera_dx", optional=optional))
    assert stages(measured)[1:] == [("clips", ["camera_motion", "reader"])]


def test_a_step_may_read_a_column_of_any_type_and_say_which_will_not_do() -> None:
    for fitting in ("width", "has_audio", "truth_camera_motion"):
        of(Picky(column=fitting))
    with pytest.raises(RecipeError, match=r"^steps\.0\.column: is a text$"):
        of(Picky(column="codec"))
    with pytest.raises(
        RecipeError, match=r'^steps\.0: reads the column "codek", which is not there; did you mean "codec"'
    ):
        of(Picky(column="codek"))


def test_a_step_that_only_judges_adds_nothing_that_it_does_not_derive() -> None:
    class Claims(Step):
        use: Literal["claims"] = "claims"

        def adds(self) -> Columns:
            return {"claimed": "float64"}

    with pytest.raises(RecipeError, match='adds the column "claimed", which it does not make: make it a ClipStep'):
        of(Claims())


EMBEDS = "  - {{use: semantic_dedup, column: source_caption, threshold: {threshold}, embed: {{use: hashing}}}}\n"


def test_a_table_step_brings_what_it_needs_once(planned: Planned) -> None:
    plan = planned(EMBEDS.format(threshold=0.9) + "  - {use: luma}\n" + EMBEDS.format(threshold=0.8))
    assert stages(plan)[1:] == [
        ("clips", ["text_embedding"]),
        ("table", ["semantic_dedup"]),
        ("clips", ["luma"]),
        ("table", ["semantic_dedup-2"]),
    ]
    assert [step.index for stage in plan.stages[1:] for step in stage.steps] == [0, 0, 1, 2]
    assert "source_caption_hashing" in plan.columns
    assert "source_caption_hashing" not in plan.published


ENGINES = """engines:
  vlm: {use: openai, model: any, key_env: null}
  clip: {use: clip, model: a/b, revision: 0123456789012345678901234567890123456789}
  text: {use: sentence, model: a/b, revision: 0123456789012345678901234567890123456789}
  safe: {use: opennsfw}
  reader: {use: rapidocr}
publish: {caption: source_caption}
"""


@pytest.mark.parametrize(
    ("step", "said"),
    [
        ("{use: keyframes, embed: {engine: text}}", "embeds texts.*none that embeds pictures; name clip$"),
        ("{use: keyframes, embed: {engine: vlm}}", "captions.*none that embeds pictures; name clip$"),
        ("{use: short, engine: clip}", "embeds pictures.*none that captions; name vlm$"),
        (
            "{use: semantic_dedup, column: source_caption, threshold: 0.9, embed: {engine: clip}}",
            r"embed\.engine: .*embeds pictures.*none that embeds texts; name text$",
        ),
        ("{use: nsfw, engine: clip}", "embeds pictures.*none that classifies pictures; name safe$"),
        ("{use: short, engine: safe}", "classifies pictures.*none that captions; name vlm$"),
        ("{use: ocr, engine: safe}", "classifies pictures.*none that reads texts in pictures; name reader$"),
        ("{use: nsfw, engine: reader}", "reads texts in pictures.*none that classifies pictures; name safe$"),
        ("{use: nsfw, engine: sane}", r'engine: there is no engine "sane"; did you mean "safe"'),
        ("{use: keyframes, embed: {engine: clop}}", r'embed\.engine: there is no engine "clop"; did you mean "clip"'),
    ],
)
def test_an_engine_is_asked_for_what_it_is_for(step: str, said: str, planned: Planned) -> None:
    with pytest.raises(RecipeError, match=said):
        planned(f"  - {step}\n", rest=ENGINES)


def test_without_an_engine_that_can_the_error_says_which_kind_to_add(planned: Planned) -> None:
    rest = "engines: {vlm: {use: openai, model: any, key_env: null}}\npublish: {caption: source_caption}\n"
    with pytest.raises(RecipeError, match="add one with `use: clip`"):
        planned("  - {use: keyframes, embed: {engine: vlm}}\n", rest=rest)
    with pytest.raises(RecipeError, match="add one with `use: opennsfw`"):
        planned("  - {use: nsfw, engine: vlm}\n", rest=rest)


@pytest.mark.parametrize(
    ("step", "example"),
    [
        ("{use: short, engine: new}", "engines: {new: {use: vllm, model: ..., revision: ...}}"),
        ("{use: keyframes, embed: {engine: new}}", "engines: {new: {use: clip, model: ..., revision: ...}}"),
        ("{use: nsfw, engine: new}", "engines: {new: {use: opennsfw}}"),
    ],
)
def test_an_engine_that_is_not_there_is_shown_as_it_would_be_written(step: str, example: str, planned: Planned) -> None:
    with pytest.raises(RecipeError, match=re.escape(f'there is no engine "new"; add it, as in `{example}`')):
        planned(f"  - {step}\n", rest="publish: {caption: source_caption}\n")


@pytest.mark.parametrize(
    ("shares", "fits"),
    [((0.7, 0.3), True), ((0.7, 0.2, 0.1), True), ((0.7, 0.4), False), ((0.9, None), True), ((0.5, 0.3, 0.3), False)],
)
def test_engines_that_share_a_gpu_want_no_more_than_there_is(
    shares: tuple[float | None, ...], fits: bool, planned: Planned
) -> None:
    pinned = "model: a/b, revision: 0123456789012345678901234567890123456789"
    lines = [
        f"  e{number}: {{use: {use}, {pinned}{'' if share is None else f', gpu_memory_utilization: {share}'}}}\n"
        for number, (use, share) in enumerate(zip(("vllm", "clip", "sentence"), shares, strict=False))
    ]
    rest = f"engines:\n{''.join(lines)}publish: {{caption: source_caption}}\n"
    if fits:
        planned("", rest=rest)
    else:
        with pytest.raises(RecipeError, match=r"engines\.e\d\.gpu_memory_utilization: .* at most 1, or leave the"):
            planned("", rest=rest)


def test_a_recipe_made_in_code_tells_its_problems_too() -> None:
    with pytest.raises(RecipeError, match=r'^steps\.0: reads the column "nowhere"'):
        of(Reader(column="nowhere"))


@pytest.mark.parametrize("width", [60, 80, 120])
def test_the_plan_on_paper(planned: Planned, width: int) -> None:
    page = planned().describe(width=width)
    assert all(len(line) <= width and line == line.rstrip() for line in page.splitlines())
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f]", page)
    words = " ".join(page.split())
    for said in (
        "a 1",
        "1 probe each clip is opened",
        "2 clips each clip is decoded once for all of them",
        "duration min_s 2 reads duration",
        "keyframes interval_s 1 · below 0.93 · embed {use: layout} adds keyframes, keyframe_embedding",
        "4 table all clips at once semantic_dedup column keyframe_embedding · threshold 0.9 reads keyframe_embedding",
        "5 clips no clip is decoded duration-2 max_s 60",
        "caption source_caption",
        "kept back keyframe_embedding, media, media_stat, media_version",
    ):
        assert said in words
    assert "\x1b[" in planned().describe(width=width, styled=True)


def test_values_are_shown_as_they_are(planned: Planned, tmp_path: Path) -> None:
    (tmp_path / "[red]a\x1b[31mb").mkdir()
    page = planned("", sources='  - {use: folder, path: "[red]a\\e[31mb"}\n', rest="").describe(width=200)
    assert "[red]a\\x1b[31mb" in page


def test_a_check_imports_nothing_heavy(planned: Planned, tmp_path: Path) -> None:
    planned()
    code = (
        "import sys; from pathlib import Path; from shotscribe.builder.recipe.recipe import load; "
        "from shotscribe.builder.recipe.plan import make_plan; print(make_plan(load(Path('x.yaml'))).describe()); "
        "from shotscribe.builder.recipe import discovery as all; all.sources(); all.engines(); all.steps(); "
        "print(sorted({'av', 'onnxruntime', 'torch', 'transformers', 'faiss', 'datasets', 'matplotlib', 'pandas', "
        "'decord', 'webdataset', 'huggingface_hub', 'sentence_transformers'} & set(sys.modules)), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr.strip() == "[]"
    assert "semantic_dedup" in done.stdout


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("{use: folder, path: gone}", "gone is not a folder"),
        ("{use: ego4d, root: gone}", "gone/v2 is not a folder"),
        ("{use: panda70m, path: t.csv, videos: gone}", "gone is not a folder"),
        ("{use: pexels, path: gone, videos: .}", "gone: no such file or folder"),
    ],
)
def test_a_check_looks_at_what_costs_nothing_to_look_at(planned: Planned, source: str, message: str) -> None:
    with pytest.raises(RunError, match=message):
        planned("", sources=f"  - {source}\n", rest="publish: {media: reference}\n").describe(width=200)
