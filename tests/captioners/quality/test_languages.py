"""A caption in another language is found, all of it or a part; what a sign reads, and names, are none."""

from __future__ import annotations

import random
from time import perf_counter
from typing import Any, get_args

import pytest
from shotscribe.builder.contract.engine import Completion
from shotscribe.captioners.quality.judged import judged
from shotscribe.captioners.quality.languages import Language, strays
from shotscribe.captioners.tags import Tags

CAPTIONS: dict[Language, tuple[str, ...]] = {
    "en": (
        "A woman with a red umbrella crosses a wet bridge, and behind her a tram drives past.",
        "An orange cat jumps onto the window sill, looks at the rain outside and slowly lies down.",
        "Two boys play football on a beach while the sun sets over the sea.",
        "The camera pans to the left over a harbour with many small boats.",
    ),
    "zh": (
        "一位打着红伞的女士走过湿漉漉的桥，她身后有一辆电车驶过。",
        "一只橘猫跳上窗台，看着外面的雨，然后慢慢地趴下来。",
        "两个男孩在沙滩上踢足球，太阳正在海面上落下。",
        "镜头向左移动，掠过停满小船的港口。",
    ),
    "ja": (
        "赤い傘をさした女性が濡れた橋を渡り、その後ろを路面電車が通り過ぎる。",
        "オレンジ色の猫が窓辺に飛び乗り、外の雨を眺めてからゆっくりと横になる。",
        "二人の少年が砂浜でサッカーをしていて、海に夕日が沈んでいく。",
        "カメラは小さな船がたくさん並ぶ港の上を左へ移動する。",
    ),
    "de": (
        "Eine Frau mit rotem Schirm geht über eine nasse Brücke, hinter ihr fährt eine Straßenbahn vorbei.",
        "Eine orangefarbene Katze springt auf das Fensterbrett, sieht in den Regen und legt sich langsam hin.",
        "Zwei Jungen spielen am Strand Fußball, während die Sonne über dem Meer untergeht.",
        "Die Kamera schwenkt nach links über einen Hafen mit vielen kleinen Booten.",
    ),
    "fr": (
        "Une femme avec un parapluie rouge traverse un pont mouillé, et un tramway passe derrière elle.",
        "Un chat orange saute sur le rebord de la fenêtre, regarde la pluie et se couche lentement.",
        "Deux garçons jouent au football sur une plage pendant que le soleil se couche sur la mer.",
        "La caméra se déplace vers la gauche au-dessus d'un port avec de nombreux petits bateaux.",
    ),
    "es": (
        "Una mujer con un paraguas rojo cruza un puente mojado y detrás de ella pasa un tranvía.",
        "Un gato naranja salta al alféizar de la ventana, mira la lluvia y se tumba lentamente.",
        "Dos niños juegan al fútbol en una playa mientras el sol se pone sobre el mar.",
        "La cámara se mueve hacia la izquierda sobre un puerto con muchos barcos pequeños.",
    ),
    "pt": (
        "Uma mulher com um guarda-chuva vermelho atravessa uma ponte molhada e um elétrico passa atrás dela.",
        "Um gato laranja salta para o parapeito da janela, olha para a chuva e deita-se devagar.",
        "Dois meninos jogam futebol em uma praia enquanto o sol se põe sobre o mar.",
        "A câmera se move para a esquerda sobre um porto com muitos barcos pequenos.",
    ),
}
ENGLISH = (
    "red green",
    "A sign on the door reads Keine Ausfahrt, and a van stops before it.",
    'A sign that reads "Keine Ausfahrt für Fahrräder und Autos auf der Straße" hangs on a gate.',
    "A sign that reads “一只橘猫跳上窗台，看着外面的雨” hangs on a gate.",
    "A neon sign with the characters 东京 glows above the entrance.",
    "The logo of 华为 is seen on a glass front, and the banner says Добро пожаловать in red letters.",
    "The title 'Le Fabuleux Destin d'Amélie Poulain est dans la salle' appears in white.",
    "Tourists walk along the Paseo de la Reforma in Ciudad de México.",
    "Rio de Janeiro, Avenida das Américas, Praia do Flamengo and the Museu de Arte at night.",
    "A waiter serves crème brûlée, pot-au-feu and a café au lait at the Café de la Paix.",
    "The Champs-Élysées at dusk, seen from the Arc de Triomphe de l'Étoile.",
    "Schloss Neuschwanstein, a Volkswagen and a man in Lederhosen.",
    "José and François shake hands with Jürgen in front of the Universität zu Köln.",
    "La La Land is written on a poster; a couple dances below it.",
    "A caption with an angle α, a length of 5 µm and a Σ on a blackboard.",
    "Ein Mann",
    "",
)


@pytest.mark.parametrize("language", get_args(Language))
def test_the_wanted_language_is_let_through_and_the_others_are_not(language: Language) -> None:
    for written, captions in CAPTIONS.items():
        for caption in captions:
            assert strays(caption, language) == (written != language), caption
            assert not strays(caption, None), caption


@pytest.mark.parametrize("text", ENGLISH)
def test_signs_names_and_single_letters_do_not_count(text: str) -> None:
    assert not strays(text, "en")


@pytest.mark.parametrize("first", get_args(Language))
@pytest.mark.parametrize("second", get_args(Language))
def test_a_change_halfway_is_found_whatever_is_wanted(first: Language, second: Language) -> None:
    if first == second:
        return
    text = " ".join((*CAPTIONS[first][:3], CAPTIONS[second][3]))
    assert strays(text, first), text
    assert strays(text, None), text


@pytest.mark.parametrize(
    "text",
    [
        "A woman walks confidently down a street, her步伐轻快而坚定, in a black jacket.",
        "Surrounding regions保持茂密的绿色植被，未受破坏，而烧焦的痕迹与未受影响的区域形成鲜明对比。",
        "The man in a красная shirt waves at the camera.",
        "A person is 집중하여 working on a project in a home office.",
        "A man walks into the room et une femme se lève de la chaise.",
        "한 남자가 빨간 자동차 옆에 서 있다.",
        "Женщина с красным зонтом идёт по мокрому мосту.",
    ],
)
def test_a_word_of_another_language_that_nothing_reads_is_found(text: str) -> None:
    assert strays(text, "en")


def test_the_status_and_the_strings_of_a_structure() -> None:
    made = Completion(CAPTIONS["de"][0], "stop", 1, 1)
    assert judged(made, schema=None, mentions="keep", language="en")[2] == "language"
    assert judged(made, schema=None, mentions="keep", language="de")[2] == "ok"
    assert judged(made, schema=None, mentions="keep")[2] == "ok"
    tags = Completion('{"objects": ["红色方块", "绿色方块"]}', "stop", 1, 1)
    for language, status in (("en", "language"), ("zh", "ok"), (None, "ok")):
        wanted: Any = language
        assert judged(tags, schema={"type": "object"}, mentions="keep", language=wanted)[2] == status


def test_it_is_an_option_of_every_captioner_and_part_of_what_it_makes() -> None:
    english, german = Tags(engine="vlm"), Tags(engine="vlm", language="de")
    assert english.language == "en"
    assert english.identity() != german.identity() != Tags(engine="vlm", language=None).identity()


def test_hostile_text_takes_no_time() -> None:
    rng = random.Random(1)
    start = perf_counter()
    for piece in ('"', "'", "„", "a ", "A de ", "字", "reads ", "。", " " * 9, "é"):
        strays(piece * 20_000, "en")
        strays(piece * 20_000, None)
    strays("".join(rng.choices("aA'\"字 de«»", k=50_000)), "zh")
    assert perf_counter() - start < 20
