"""What a recipe may say of the engine vllm, and what of it counts. That it runs is tested on the engine itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError
from shotscribe.captioners.engines.vllm import Vllm

COMMIT = "0123456789abcdef0123456789abcdef01234567"


def vllm(**options: Any) -> Vllm:
    return Vllm(model="a/b", revision=COMMIT, **options)


def test_a_model_of_the_hub_is_pinned() -> None:
    with pytest.raises(ValidationError, match="revision: is required"):
        Vllm(model="a/b")
    assert vllm().shown == ("a/b", COMMIT)


def test_where_and_how_fast_is_no_part_of_what_it_is() -> None:
    fast = vllm(replicas=8, tensor_parallel=2, max_num_seqs=9, in_flight=7, enforce_eager=True, encoder_cache_tokens=0)
    assert fast.identity() == vllm().identity()
    for other in ({"dtype": "float16"}, {"quantization": "fp8"}, {"max_model_len": 99}, {"arguments": {"seed": 1}}):
        assert vllm(**other).identity() != vllm().identity(), other
    for other in ({"chat_template_kwargs": {"enable_thinking": True}}, {"reasoning_parser": "qwen3"}):
        assert vllm(**other).identity() != vllm().identity(), other


def test_a_chat_template_counts_by_its_text(tmp_path: Path) -> None:
    for name, text in (("a", "one"), ("b", "one"), ("c", "two")):
        (tmp_path / name).write_text(text)
    a, b, c = (vllm(chat_template=str(tmp_path / name)).identity() for name in "abc")
    assert a == b != c
    assert str(tmp_path) not in str(a)


def test_a_local_model_is_known_by_its_content_and_shown_without_its_place(truth_vlm: Path, tmp_path: Path) -> None:
    local = Vllm(model=str(truth_vlm))
    name, revision = local.shown
    assert name == "truth_vlm"
    assert revision.startswith("sha256:")
    assert str(truth_vlm.parent) not in str(local.identity())


@pytest.mark.parametrize(
    ("gpus", "options", "processes"),
    [
        (0, {}, 1),
        (0, {"replicas": 2}, 2),
        (8, {}, 8),
        (8, {"tensor_parallel": 2}, 4),
        (8, {"replicas": 3}, 3),
        (2, {"replicas": 3}, 2),
    ],
)
def test_processes_follow_the_gpus(gpus: int, options: dict[str, int], processes: int) -> None:
    assert vllm(**options).processes(gpus) == processes


@pytest.mark.parametrize(
    "options",
    [
        {"replicas": 0},
        {"arguments": {"model": "other/name"}},
        {"arguments": {"hf_token": "hf_secret"}},
        {"arguments": {"tensor_parallel_size": 2}},
        {"limit_mm_per_prompt": {"audio": 1}},
        {"arguments": {"reasoning_parser": "qwen3"}},
        {"reasoning_parser": ""},
    ],
)
def test_what_contradicts_the_recipe_is_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        vllm(**options)
