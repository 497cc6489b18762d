"""Talk of frames and times is cut or found in seven languages; bicycle frames, paintings and clocks stay."""

from __future__ import annotations

from typing import Any

import pytest
from shotscribe.builder.contract.engine import Completion
from shotscribe.captioners.quality.judged import judged
from shotscribe.captioners.quality.mentions import mentioned


def judge(text: str, mentions: Any = "clean") -> tuple[str, str]:
    said, _, status = judged(Completion(text, "stop", 1, 1), schema=None, mentions=mentions, language=None)
    return said, status


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("Dans la première image, un homme marche.", "Un homme marche."),
        ("Un homme marche. À 5 secondes, il s'arrête.", "Un homme marche. Il s'arrête."),
        ("En el primer fotograma, un hombre camina.", "Un hombre camina."),
        ("En el segundo 3, el hombre se detiene.", "El hombre se detiene."),
        ("No primeiro quadro, um homem caminha.", "Um homem caminha."),
        ("Um homem caminha. Aos 5 segundos, ele para.", "Um homem caminha. Ele para."),
        ("在第一帧中，一个男人站着。最后一帧里，他坐下。", "一个男人站着。他坐下。"),
        ("一个男人站着（0:05）。", "一个男人站着。"),
        ("第3秒时，门打开了。", "门打开了。"),
        ("最初のフレームでは、男性が立っている。最後のフレームでは、座っている。", "男性が立っている。座っている。"),
        ("3秒の時点で、ドアが開く。", "ドアが開く。"),
    ],
)
def test_a_moment_at_a_sentences_beginning_is_cut(text: str, left: str) -> None:
    assert judge(text) == (left, "ok")
    assert judge(text, "retry")[1] == "mentions"
    assert judge(text, "keep") == (text, "ok")


@pytest.mark.parametrize(
    "text",
    [
        "Im ersten Frame steht ein Mann.",
        "Ein Mann steht im ersten Bild und sitzt im letzten Bild.",
        "Zwischen den beiden Frames ändert sich das Licht.",
        "Bei Sekunde 3 öffnet sich die Tür.",
        "Die Tür öffnet sich bei 0:05.",
        "Un homme se tient debout dans la première image et s'assoit dans la dernière image.",
        "La porte s'ouvre à 0:05.",
        "Les images clés se ressemblent.",
        "Un hombre está de pie en el primer fotograma.",
        "La puerta se abre a los 3 segundos.",
        "Um homem está de pé no primeiro quadro.",
        "A porta se abre aos 3 segundos.",
        "男人在第一帧站着，在最后一帧坐下。",
        "门在第3秒打开。",
        "关键帧之间变化不大。",
        "男性は最初のフレームで立っている。",
        "フレーム3でドアが開く。",
        "ドアは5秒目に開く。",
    ],
)
def test_what_cannot_be_cut_is_found(text: str) -> None:
    assert judge(text) == judge(text, "retry") == (text, "mentions")


@pytest.mark.parametrize(
    "text",
    [
        "A 00:30 countdown stands on the board.",
        "Ein Mechaniker schweißt den Rahmen eines Fahrrads, das erste Bild an der Wand zeigt ein Rad.",
        "Die Uhr an der Wand zeigt 10:30, und ein Mann wartet 5 Sekunden.",
        "Un vélo est au premier plan, et l'horloge indique 10:30.",
        "Un horodatage clignote en haut de l'écran de surveillance.",
        "En la pared cuelga un cuadro con marco dorado.",
        "Na parede há um quadro com moldura dourada, e o relógio marca 10:30.",
        "墙上的时钟显示10:30，男子等了3秒后离开。",
        "自転車のフレームを男性が溶接している。",
        "男性が左からフレームに入り、3秒間立ち止まる。",
        "黒いフレームの眼鏡をかけた女性が本を読んでいる。",
    ],
)
def test_what_belongs_to_the_picture_stays(text: str) -> None:
    assert not mentioned(text)
    assert judge(text) == (text, "ok")
