"""A model that thinks aloud gives no caption, whatever language it thinks in; who thinks in the picture may."""

from __future__ import annotations

import pytest
from shotscribe.builder.contract.engine import Completion
from shotscribe.captioners.quality.aloud import aloud
from shotscribe.captioners.quality.judged import judged


def judge(text: str) -> tuple[str, str]:
    said, _, status = judged(Completion(text, "stop", 1, 1), schema=None, mentions="clean", language=None)
    return said, status


@pytest.mark.parametrize(
    "text",
    [
        "Okay, let me think about this. The user wants a caption. So: a dog runs.",
        "Got it, let's tackle this. First, I need to look at the frames. A dog runs.",
        "Let me analyze the clip step by step. A dog runs.",
        "The user wants me to describe the clip. A dog runs.",
        "We need to produce a caption. A dog runs.",
        "Thinking: a dog, and it runs.",
        "## Reasoning\nA dog runs.",
        "好的，用户让我描述这段视频。首先我要看画面。",
        "嗯，我需要先看一下画面里有什么。",
        "はい、ユーザーは動画の説明を求めています。",
        "Okay, der Nutzer möchte eine Beschreibung. Ich sehe einen Hund.",
        "D'accord, l'utilisateur demande une description.",
        "Bien, el usuario quiere una descripción.",
        "O usuário quer uma descrição.",
    ],
)
def test_thoughts_without_marks_are_no_caption(text: str) -> None:
    assert judge(text) == (text, "thinking")


@pytest.mark.parametrize(
    "text",
    [
        "A man thinks aloud: let me see, he says.",
        "The user interface of a phone shows a map.",
        "The thinking statue stands in a garden.",
        "So many people fill the square that the ground is out of sight.",
        "Well-dressed guests look at the stage.",
        "用户界面上显示着一张地图。",
        "ユーザーの手が画面に触れる。",
        "Also known as the old mill, a house stands by a river.",
    ],
)
def test_a_caption_is_none(text: str) -> None:
    assert not aloud(text)
    assert judge(text) == (text, "ok")


@pytest.mark.parametrize(
    "text", ["A dog <unk> runs.", "<image> A dog runs.", "<ref>a dog</ref><box>[[1,2]]</box> runs.", "A <loc0001> dog."]
)
def test_marks_of_places_are_found(text: str) -> None:
    assert judge(text) == (text, "thinking")
