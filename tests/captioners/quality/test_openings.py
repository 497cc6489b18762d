"""Openings that speak of the video are cut or found in seven languages; a video within the picture is none."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from shotscribe.builder.contract.engine import Completion
from shotscribe.captioners.quality.judged import judged
from shotscribe.captioners.quality.mentions import cleaned, mentioned


def judge(text: str, mentions: Any = "clean") -> tuple[str, str]:
    said, _, status = judged(Completion(text, "stop", 1, 1), schema=None, mentions=mentions, language=None)
    return said, status


CUT = [
    ("This is a video of a girl on a swing.", "A girl on a swing."),
    ("Das Video zeigt eine Frau, die über eine Brücke geht.", "Eine Frau, die über eine Brücke geht."),
    ("Dieses kurze Video zeigt zwei Männer am Strand.", "Zwei Männer am Strand."),
    ("Die Bilder zeigen einige Kinder auf einer Wiese.", "Einige Kinder auf einer Wiese."),
    ("In diesem Video sehen wir eine Katze am Fenster.", "Eine Katze am Fenster."),
    ("Zu sehen ist ein Mann mit einem Hut.", "Ein Mann mit einem Hut."),
    ("Hier ist eine kurze Beschreibung des Videos: Eine Katze schläft.", "Eine Katze schläft."),
    ("**Beschreibung:** Eine Katze schläft.", "Eine Katze schläft."),
    ("Der Film zeigt eine Katze.", "Eine Katze."),
    ("La vidéo montre une femme qui traverse un pont.", "Une femme qui traverse un pont."),
    ("Cette courte vidéo présente deux enfants sur une plage.", "Deux enfants sur une plage."),
    ("L'image montre un bus rouge.", "Un bus rouge."),
    ("L’extrait vidéo montre qu’un homme marche.", "Un homme marche."),
    ("Dans cette vidéo, on voit un homme qui court.", "Un homme qui court."),
    ("Dans la vidéo, un homme court.", "Un homme court."),
    ("On peut voir un chien sur une pelouse.", "Un chien sur une pelouse."),
    ("Bien sûr ! Voici une description de la vidéo : Un chat dort.", "Un chat dort."),
    ("El video muestra a una mujer que cruza un puente.", "Una mujer que cruza un puente."),
    ("El vídeo muestra un perro en un jardín.", "Un perro en un jardín."),
    ("En este video se ve a dos niños en una playa.", "Dos niños en una playa."),
    ("En la imagen, un autobús rojo espera.", "Un autobús rojo espera."),
    ("En el video aparece una mujer con un paraguas.", "Una mujer con un paraguas."),
    ("Aquí tienes una descripción del video: Un gato duerme.", "Un gato duerme."),
    ("O vídeo mostra uma mulher que atravessa uma ponte.", "Uma mulher que atravessa uma ponte."),
    ("Neste vídeo, podemos ver dois meninos na praia.", "Dois meninos na praia."),
    ("No vídeo, um homem corre.", "Um homem corre."),
    ("A imagem mostra as crianças no parque.", "As crianças no parque."),
    ("Aqui está uma descrição do vídeo: Um gato dorme.", "Um gato dorme."),
    ("视频展示了一名男子在公园里跑步。", "一名男子在公园里跑步。"),
    ("这段视频显示一只猫跳上窗台。", "一只猫跳上窗台。"),
    ("該影片呈現了一隻貓。", "一隻貓。"),
    ("在这个视频中，一个男人走过桥。", "一个男人走过桥。"),
    ("视频中，我们可以看到两个男孩在踢足球。", "两个男孩在踢足球。"),
    ("画面中出现了一辆红色的公交车。", "一辆红色的公交车。"),
    ("我们可以看到一只狗在草地上。", "一只狗在草地上。"),
    ("以下是对视频的描述：一只猫在睡觉。", "一只猫在睡觉。"),
    ("描述：一只猫在睡觉。", "一只猫在睡觉。"),
    ("图中，一名女子微笑。", "一名女子微笑。"),
    ("この動画では、男性が公園を走っています。", "男性が公園を走っています。"),
    ("映像の中では猫が窓辺に座っている。", "猫が窓辺に座っている。"),
    ("この動画の説明：猫が眠っている。", "猫が眠っている。"),
    ("以下は動画の説明です。猫が眠っている。", "猫が眠っている。"),
]


@pytest.mark.parametrize(("text", "left"), CUT)
def test_an_opening_is_cut_where_a_sentence_is_left(text: str, left: str) -> None:
    assert judge(text) == (left, "ok")
    assert judge(text, "retry")[1] == "mentions"
    assert judge(text, "keep") == (text, "ok") or text.startswith("**")


@pytest.mark.parametrize(
    "text",
    [
        "Das Video zeigt einen Mann, der über eine Brücke geht.",
        "Das Video zeigt, wie eine Tür aufgeht.",
        "In diesem Video läuft ein Mann über eine Brücke.",
        "Auf dem Bild ist eine Katze zu sehen.",
        "Das Video beginnt mit einer Katze am Fenster.",
        "Dies ist ein Video von einer Katze.",
        "La vidéo montre comment une porte s'ouvre.",
        "La vidéo commence par montrer une porte.",
        "C'est une vidéo d'un chat.",
        "El video muestra cómo se abre una puerta.",
        "El video muestra al hombre que corre.",
        "Es un video de un gato.",
        "O vídeo mostra como uma porta se abre.",
        "O vídeo termina com um gato.",
        "视频展示了如何打开一扇门。",
        "视频以一只猫开头。",
        "这是一段关于猫的视频。",
        "この動画は、男性が走る様子を映しています。",
        "画像には赤いバスが写っています。",
        "この動画では、男性が走る様子が映されています。",
    ],
)
def test_an_opening_that_the_sentence_needs_is_found(text: str) -> None:
    assert judge(text) == judge(text, "retry") == (text, "mentions")


@pytest.mark.parametrize(
    "text",
    [
        "This is a video store with posters in its window.",
        "A video game runs on the screen of an old television.",
        "Ein Videospiel läuft auf einem großen Bildschirm.",
        "Das Videospiel zeigt auf dem Bildschirm eine Burg.",
        "Im Bildhintergrund stehen Bäume, davor spielt ein Kind.",
        "Ein Mann sieht auf seinem Handy ein Video mit Katzen.",
        "Le jeu vidéo sur l'écran montre une voiture.",
        "Un homme regarde une vidéo sur son téléphone.",
        "L'imagerie sur l'écran montre un cerveau.",
        "El videojuego en la pantalla muestra un coche.",
        "En el videoclub, una mujer busca una película.",
        "Una mujer graba un video con su teléfono.",
        "O videogame na tela mostra um carro.",
        "No video is playing on the screens of the empty shop.",
        "Um homem grava um vídeo com o telefone.",
        "视频游戏的画面出现在大屏幕上。",
        "视频会议正在进行，屏幕上有六个人。",
        "视频显示器上播放着一场足球比赛。",
        "画面中央有一棵大树。",
        "照片中心挂在墙上，一名女子正在擦拭相框。",
        "一名男子正在用手机看视频。",
        "ビデオゲームの車が橋を飛び越える。",
        "動画を撮る男性が橋の上に立っている。",
        "ビデオ会議の画面に六人が映る。",
        "写真を手に持った女性が泣いている。",
    ],
)
def test_a_video_in_the_picture_is_none(text: str) -> None:
    assert not mentioned(text)
    for policy in ("clean", "retry"):
        assert judge(text, policy)[0] == text


PIECES = (
    "Das Video zeigt |eine Frau|, |wie |La vidéo montre |El video muestra a |No vídeo, |视频中，|展示了|この動画では、|"
    "猫|。"
)


@given(st.lists(st.sampled_from(PIECES.split("|")), max_size=8).map("".join))
def test_what_is_cut_is_found_and_cut_once(text: str) -> None:
    once = cleaned(text)
    assert cleaned(once) == once
    assert once == text or mentioned(text)
