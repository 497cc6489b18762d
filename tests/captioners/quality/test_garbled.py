"""Text that was decoded wrongly is mended where that is certain; where characters are lost it is no caption."""

from __future__ import annotations

import json

import pytest
from shotscribe.builder.contract.engine import Completion
from shotscribe.captioners.quality.garbled import garbled, mended
from shotscribe.captioners.quality.judged import judged


def judge(text: str) -> tuple[str, str]:
    said, _, status = judged(Completion(text, "stop", 1, 1), schema=None, mentions="clean", language=None)
    return said, status


@pytest.mark.parametrize(
    "text",
    [
        "A man doesn’t move — he waits “here” …",
        "A café at 25°C, naïve and über, l'été.",
        "Die Straße führt über die Brücke nach Österreich.",
        "Äpfel und größere Birnen liegen in Málaga.",
        "A child waves 🚀 at a balloon 😀.",
        "一只猫跳上窗台，看着外面。",
        "猫が窓に飛び乗る。",
        "A ação do cão não pára.",
        "Acme™ and © 2020 stand on a box.",
    ],
)
def test_utf8_that_was_read_as_another_encoding_is_mended(text: str) -> None:
    read = "".join(_as_windows(byte) for byte in text.encode())
    assert read != text
    assert mended(read) == text
    assert judge(read) == (text, "ok")
    assert mended(text) == text
    schema = {"type": "object"}
    found = judged(Completion(json.dumps({"a": read}), "stop", 1, 1), schema=schema, mentions="clean", language=None)
    assert found[1:] == ({"a": text}, "ok")


def _as_windows(byte: int) -> str:
    raw = bytes([byte])
    return raw.decode("cp1252", "ignore") or raw.decode("latin-1")


@pytest.mark.parametrize(
    "text",
    [
        "A dog\ufffds bowl stands on the floor.",
        "A dog runs \ufffd",
        "A dogï¿½s bowl.",
        "AĠdogĠruns.",
        "ĠAĠdog runs over a lawn.",
        "A dog runs.ĊIt barks.",
        "A dogâĢĻs bowl.",
        "ä¸ĢåıªçĮ«è·³ä¸Ĭ",
        "A dog<0xE2><0x80><0x99>s bowl.",
        "A [UNK] runs.",
        "A dog\\u2019s bowl.",
    ],
)
def test_what_cannot_be_mended_is_no_caption(text: str) -> None:
    assert judge(text)[1] == "thinking"
    answer = Completion(json.dumps({"a": text, "b": "a dog"}), "stop", 1, 1)
    assert judged(answer, schema={"type": "object"}, mentions="clean")[2] == "thinking"


@pytest.mark.parametrize(
    "text",
    [
        "Ġgantija temples stand on Gozo, and a sign reads TRIQ SAN ĠORĠ.",
        'The words "Ġgantija" and Ċirkewwa are written on a bus.',
        "A poster reads MANHÃ… and another CAFÉ” or «MAÇû in red.",
        "NESTLÉ™ and GROß… are written on a box of Nescafé®.",
        "The keys Ã and Â of a keyboard glow.",
        "Un café très fréquenté, où l'on voit Noël et l'été ; « garçon ! » crie-t-on.",
        "Ein Mädchen schreit Äääääh, während Größe und Maß gezeigt werden.",
        "O coração do cão é são; à manhã, às três.",
        "A form on a screen has the fields [x], [ ] and [PAD].",
        "A tag ##winter is written on a phone, and C:\\users on a screen.",
        "Łódź, Žižkov, Čapek and Ģertrūde are names on a map.",
    ],
)
def test_letters_of_real_words_stay(text: str) -> None:
    assert mended(text) == text
    assert not garbled(text)
    assert judge(text)[0] == text
