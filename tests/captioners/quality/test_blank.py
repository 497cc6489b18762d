"""That the video is blank is no caption; that something in it is dark or empty is one."""

from __future__ import annotations

import json

import pytest
from shotscribe.builder.contract.engine import Completion
from shotscribe.captioners.quality.blank import blank
from shotscribe.captioners.quality.judged import Policy, judged


def status(text: str, mentions: Policy = "clean") -> str:
    return judged(Completion(text, "stop", 1, 1), schema=None, mentions=mentions, language=None)[2]


@pytest.mark.parametrize(
    "text",
    [
        "The video appears to be blank.",
        "The image is completely black.",
        "The image you provided is completely black.",
        "The image is completely white.",
        "I see no frames",
        "I don't see anything in the video.",
        "The image appears to be blank or corrupted.",
        "The provided frames are all black.",
        "All of the frames appear to be completely black, with no visible content.",
        "The video is entirely black. There is nothing to describe.",
        "The image is black and shows no discernible details.",
        "It seems that the video is blank, so there is nothing to describe.",
        "The video clip appears to be a black screen.",
        "The video shows nothing.",
        "The video does not contain any visible content.",
        "There are no frames.",
        "No video was provided.",
        "A blank image",
        "**Caption:** The video is blank.",
        "<p>The video is blank.</p>",
        "这段视频是空白的。",
        "图片全黑。",
        "画像は真っ黒です。",
        "Das Video ist komplett schwarz.",
        "L'image est entièrement noire.",
        "La imagen está completamente en negro.",
        "O vídeo está em branco.",
    ],
)
def test_an_answer_that_says_only_that_the_video_is_blank_is_refused(text: str) -> None:
    assert status(text) == status(text, "retry") == status(text, "keep") == "refused"
    answer = Completion(json.dumps({"caption": text}), "stop", 1, 1)
    assert judged(answer, schema={"type": "object"}, mentions="clean", language=None)[2] == "refused"


@pytest.mark.parametrize(
    "text",
    [
        "The screen is black.",
        "The screen is completely black, then white letters appear.",
        "A black screen.",
        "black",
        "black black white white",
        "The image is black and white.",
        "The image is completely black, then a lamp lights up.",
        "The image is black. Then a face comes out of the dark.",
        "The video is dark.",
        "The image is a black cat.",
        "The image is black with a white circle in it.",
        "The picture is blank and a hand starts to paint on it.",
        "The frame is empty, and a man hangs a picture in it.",
        "The sky is empty.",
        "The street is empty and there is nothing to see but rain.",
        "There is nothing on the table but a cup.",
        "There are no people in the image, only trees.",
        "The file is missing from the drawer.",
        "画面一片漆黑。",
        "夜空一片漆黑，远处有灯光。",
        "Das Bild ist schwarz-weiß.",
        "La pantalla está en negro.",
    ],
)
def test_what_is_dark_or_empty_in_the_picture_is_a_caption(text: str) -> None:
    assert not blank(text)
    assert status(text) in ("ok", "mentions")
    assert status(text, "keep") == "ok"


def test_one_field_among_others_may_say_so() -> None:
    text = json.dumps({"light": "The image is black.", "action": "a lamp lights up"})
    assert judged(Completion(text, "stop", 1, 1), schema={"type": "object"}, mentions="clean")[2] == "ok"


def test_what_is_nothing_without_its_opening_is_empty() -> None:
    assert status("Caption: None") == status("Caption: None", "keep") == "empty"
