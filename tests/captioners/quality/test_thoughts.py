"""What thinking models and chat templates leave around an answer is cut off, and is no answer by itself."""

from __future__ import annotations

import json
from time import perf_counter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from shotscribe.builder.contract.engine import Completion, Finish
from shotscribe.captioners.quality.judged import judged
from shotscribe.captioners.quality.thoughts import answer_in

CAPTION = "A red square stands beside a green one. It moves to the left."
THOUGHT = "Okay, the user wants a caption. I see a red square in the first frame."


def judge(text: str, finish: Finish = "stop", *, thought: bool = False) -> tuple[str, str]:
    said, _, status = judged(
        Completion(text, finish, 10, 10, thought=thought), schema=None, mentions="clean", language="en"
    )
    return said, status


@pytest.mark.parametrize(
    "text",
    [
        f"<think>\n{THOUGHT}\n</think>\n\n{CAPTION}",
        f"<think>\n\n</think>\n\n{CAPTION}",
        f"{THOUGHT}\n</think>\n\n{CAPTION}",
        f"<think>{THOUGHT}</think><answer>{CAPTION}</answer>",
        f"<think>{THOUGHT}</think> Hm. <think>{THOUGHT}</think>{CAPTION}",
        f"<THINKING>{THOUGHT}</THINKING>{CAPTION}",
        f"<seed:think>{THOUGHT}</seed:think>{CAPTION}",
        f"[THINK]{THOUGHT}[/THINK]{CAPTION}",
        f"◁think▷{THOUGHT}◁/think▷{CAPTION}",
        f"<|channel>thought\n{THOUGHT}<channel|>{CAPTION}",
        f"<scratchpad>{THOUGHT}</scratchpad>{CAPTION}",
        f"<|thinking|>{THOUGHT}<|/thinking|>{CAPTION}",
        f"assistantfinal{CAPTION}",
        f"<description>{CAPTION}</description>",
        f"\\boxed{{{CAPTION}}}",
        f"$\\boxed{{\\text{{{CAPTION}}}}}$",
        f"ASSISTANT: {CAPTION}",
        f"USER: Describe it.\nASSISTANT: {CAPTION}",
        f"{CAPTION}\n\nUser: And now?\nAssistant: It stops.",
        f"Thinking: {THOUGHT}\n\nAnswer: {CAPTION}",
        f"**Thinking**\n{THOUGHT}\n\n**Final Answer**\n{CAPTION}",
        f"<answer>{CAPTION}</answer>",
        f"{THOUGHT}\n<answer>\n{CAPTION}",
        f"{CAPTION}</answer>",
        f"<|begin_of_box|>{CAPTION}<|end_of_box|>",
        f"The answer is <|begin_of_box|>{CAPTION}<|end_of_box|>.",
        f"<think>{THOUGHT}</think>\n<|begin_of_box|>{CAPTION}<|end_of_box|>",
        f"{CAPTION}<|im_end|>",
        f"{CAPTION}<|im_end|>\n<|im_start|>user\nAnd now?",
        f"<|im_start|>assistant\n{CAPTION}<|im_end|>",
        f"<|start_header_id|>assistant<|end_header_id|>\n\n{CAPTION}<|eot_id|>",
        f"<start_of_turn>model\n{CAPTION}<end_of_turn>",
        f"<s> {CAPTION}</s>",
        f"{CAPTION}<｜end▁of▁sentence｜>",
        f"[INST] [/INST] {CAPTION}",
        f"<|channel|>analysis<|message|>{THOUGHT}<|end|><|start|>assistant<|channel|>final<|message|>{CAPTION}<|return|>",
        f"<|channel|>final<|message|>{CAPTION}",
        f"analysis{THOUGHT}assistantfinal{CAPTION}",
        f'<think>{THOUGHT}</think>\n"{CAPTION}"',
        f"```\n<answer>{CAPTION}</answer>\n```",
        CAPTION,
    ],
)
def test_the_answer_is_what_is_left(text: str) -> None:
    assert judge(text) == (CAPTION, "ok")


@pytest.mark.parametrize(
    "text",
    [
        f"<think>\n{THOUGHT}",
        f"<think>\n{THOUGHT}\n</think>",
        f"{THOUGHT}\n</think>\n\n",
        f"<think>{THOUGHT}</think><think>{THOUGHT}",
        f"{CAPTION} <think>{THOUGHT}",
        f"<|channel|>analysis<|message|>{THOUGHT}<|end|>",
        f"analysis{THOUGHT}",
        f"[THINK]{THOUGHT}",
    ],
)
def test_thoughts_alone_are_no_answer_and_wanted_more_tokens_where_those_ran_out(text: str) -> None:
    assert judge(text) == ("", "thinking")
    assert judge(text, "length") == ("", "truncated")


def test_thoughts_that_the_engine_keeps_apart() -> None:
    assert judge("", thought=True) == ("", "thinking")
    assert judge("", "length", thought=True) == judge("", "length") == ("", "truncated")
    assert judge("") == ("", "empty")
    assert judge(CAPTION, thought=True) == (CAPTION, "ok")
    assert judge("<think>" + "wait, the square is red. " * 30, "length")[1] == "repeated"


def test_marks_that_stand_within_a_caption_are_never_ok() -> None:
    assert judge("A <|object_ref_start|>red square<|object_ref_end|> stands still.")[1] == "thinking"
    assert judge("A sign says <|begin_of_box|>STOP<|end_of_box|> beside the road.") == (
        "A sign says STOP beside the road.",
        "ok",
    )


SCHEMA = {
    "type": "object",
    "properties": {"objects": {"type": "array", "items": {"type": "string"}}},
    "required": ["objects"],
    "additionalProperties": False,
}


@pytest.mark.parametrize(
    "text",
    [
        '<think>\nI list {"them"}.\n</think>\n\n{JSON}',
        "<|begin_of_box|>{JSON}<|end_of_box|>",
        "Here is the JSON:\n```json\n{JSON}\n```",
        "```json\n{JSON}\n```\nLet me know if you need more!",
        "<answer>{JSON}</answer>",
        "{JSON}<|im_end|>",
    ],
)
def test_a_structured_answer_is_found_among_them(text: str) -> None:
    value = {"objects": ["a red square"]}
    made = Completion(text.replace("{JSON}", json.dumps(value)), "stop", 10, 10)
    assert judged(made, schema=SCHEMA, mentions="clean", language="en")[1:] == (value, "ok")


@given(st.lists(st.sampled_from(["<think>", "</think>", "<|im_end|>", "<answer>", "</answer>", "a", " ", "<|end|>"])))
def test_no_mark_of_thoughts_is_left(parts: list[str]) -> None:
    left = answer_in("".join(parts))
    assert not any(mark in left for mark in ("think>", "<|im_end|>", "answer>", "<|end|>"))


@pytest.mark.parametrize(
    "piece", ["<", "<|", "<think>", "</think>", "<|channel|>", "analysis", "<｜", "<answer>", "s>"]
)
def test_hostile_text_takes_no_time(piece: str) -> None:
    start = perf_counter()
    answer_in(piece * 100_000)
    assert perf_counter() - start < 2
