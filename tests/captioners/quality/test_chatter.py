"""Offers at the end of a caption are cut, elsewhere found; so are lists. What is neither stays as it is."""

from __future__ import annotations

from time import perf_counter
from typing import Any

import pytest
from shotscribe.builder.contract.engine import Completion
from shotscribe.captioners.quality.chatter import listed, offers, without_offers
from shotscribe.captioners.quality.judged import judged
from shotscribe.captioners.quality.tidy import tidied

CAPTION = "A red square stands beside a green one."
OFFERS = (
    "Would you like me to describe it in more detail?",
    "Do you want a longer version?",
    "Let me know if you would like a longer description!",
    "Please let me know if I can help with anything else.",
    "Feel free to ask if you have any questions.",
    "I hope this helps!",
    "Is there anything else you would like to know?",
    "If you need more details, just ask.",
    "If you'd like, I can write a longer one. Let me know!",
    "I can also provide a longer description.",
    "如果您需要更详细的描述，请告诉我。",
    "您需要我写得更详细吗？",
    "希望这对您有帮助！",
    "必要であれば、さらに詳しく説明しましょうか。",
    "他にご質問がありましたらお知らせください。",
    "Möchten Sie, dass ich es genauer beschreibe?",
    "Lass mich wissen, ob du mehr brauchst.",
    "Souhaitez-vous que je le décrive plus en détail ?",
    "N'hésitez pas à me demander plus de détails.",
    "¿Te gustaría que lo describa con más detalle?",
    "Avísame si necesitas algo más.",
    "Gostaria que eu descrevesse com mais detalhes?",
    "Me avise se precisar de algo mais.",
)


def judge(text: str, mentions: Any = "clean") -> tuple[str, str]:
    said, _, status = judged(Completion(text, "stop", 1, 1), schema=None, mentions=mentions)
    return said, status


@pytest.mark.parametrize("offer", OFFERS)
def test_an_offer_at_the_end_is_cut_or_found(offer: str) -> None:
    for text in (f"{CAPTION} {offer}", f"{CAPTION}\n\n{offer}", f"{CAPTION}\n\n---\n*{offer}*"):
        assert judge(text) == (CAPTION, "ok")
        assert judge(text, "keep")[0] == tidied(text)
    assert judge(f"{CAPTION} {offer}", "retry")[1] in ("chat", "language")
    assert offers(f"{CAPTION} {offer}")
    assert judge(offer)[1] in ("chat", "refused", "mentions")
    assert without_offers(offer) == offer


def test_an_offer_in_the_middle_is_found() -> None:
    text = f"{CAPTION} Would you like to know more? The square moves."
    assert judge(text) == (text, "chat")


@pytest.mark.parametrize(
    "text",
    [
        CAPTION,
        '"Would you like me to help?" a man asks a woman, and she nods.',
        "A sign says let me know, and a child points at it.",
        "A man asks whether he may help. The woman hopes this helps her, and smiles.",
        "Feel of the place: quiet, with a few people who read.",
        "I Love NY is written on his shirt.",
        "A poster reads: Do you want change? Vote now.",
        "Jersey number 1. FC Köln is written on a scarf. A man waves it.",
        "At 10:30 the shop opens. Two people go in.",
        "The chef cuts - slowly - an onion.",
        "A red car - a blue car behind it.",
        "**A red car** stands beside a blue one.",
        "Scene 1 of a play: a man in a crown kneels.",
        "{braces} and [brackets] are painted on a wall.",
    ],
)
def test_captions_are_let_through(text: str) -> None:
    assert without_offers(text) == text
    assert not offers(text) or text.startswith("A poster")
    assert not listed(text)


@pytest.mark.parametrize(
    "text",
    [
        "1. A man walks to the door.\n2. He opens it.\n3. He leaves.",
        "1) A man walks.\n\n2) He stops.",
        "A man in a kitchen:\n1. He cuts an onion.\n2. He fries it.",
        "- a red square\n- a green square",
        "* A red square\n* A green square",
        "• A red square\n• A green square",
        "1. A man walks to the door. 2. He opens it. 3. He leaves.",
        "(1) A man walks. (2) He stops.",
        "1.A man walks.\n2.He stops.",
        "① A man walks. ② He stops.",
        "①A man walks.\n②He stops.",
        "Scene 1: A man walks.\nScene 2: He stops.",
        "## Place\nA kitchen.\n## Action\nA man cuts an onion.",
        "**Place:** A kitchen.\n**Action:** A man cuts an onion.",
        "| who | what |\n|---|---|\n| a man | walks |",
        '{"who": "a man", "what": "walks"}',
        '["A man walks.", "He stops."]',
        '[{"start": 0, "text": "A man walks."}]',
    ],
)
def test_a_list_is_no_prose(text: str) -> None:
    assert listed(text)
    assert judge(text)[1] == "list"
    assert judge(text, "keep")[1] == "ok"


@pytest.mark.parametrize(
    "piece", ["Would you like ", "if you ", ". ", "1. ", "- a\n", "如果您", "*", "\n---", "I can "]
)
def test_hostile_text_takes_no_time(piece: str) -> None:
    start = perf_counter()
    text = piece * 20_000
    without_offers(text), offers(text), listed(text)
    assert perf_counter() - start < 5
