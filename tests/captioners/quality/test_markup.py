"""HTML and Markdown are taken out of an answer; what only looks like them is a caption's own."""

from __future__ import annotations

from typing import Any

import pytest
from shotscribe.builder.contract.engine import Completion
from shotscribe.captioners.quality.judged import judged
from shotscribe.captioners.quality.markup import plain
from shotscribe.captioners.quality.tidy import tidied


def judge(text: str, mentions: Any = "clean") -> tuple[str, str]:
    said, _, status = judged(Completion(text, "stop", 1, 1), schema=None, mentions=mentions)
    return said, status


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("<p>A dog runs.</p>", "A dog runs."),
        ('"<p>A dog runs.</p>"', "A dog runs."),
        ("```html\n<p>A dog runs.</p>\n```", "A dog runs."),
        ('{"caption": "<p>A &quot;dog&quot; runs.</p>"}', 'A "dog" runs.'),
        ("A dog runs.<br>It barks.<br/><br />", "A dog runs.\nIt barks."),
        ("<div class=\"a b\" id='x'><p style=color:red>A dog runs.</p></div>", "A dog runs."),
        ("<video_caption>A dog runs.</video_caption>", "A dog runs."),
        ("A <b>brown</b> dog <em>slowly</em> runs.", "A brown dog slowly runs."),
        ('<a href="https://a.b/c">A dog</a> runs.', "A dog runs."),
        ("<!-- a caption -->A dog runs.", "A dog runs."),
        ("<h1>A Dog</h1>\n<p>A dog runs.</p>", "A dog runs."),
        (
            "Salt &amp; pepper, a &lt;3, Tom&#39;s caf&eacute;&nbsp;and &amp;amp;",
            "Salt & pepper, a <3, Tom's café and &",
        ),
        ("&lt;p&gt;A dog runs.&lt;/p&gt;", "A dog runs."),
        ("A **red** car and a *blue* one, ***both*** old.", "A red car and a blue one, both old."),
        ("一只**橘猫**跳上窗台。", "一只橘猫跳上窗台。"),
        ("_A dog runs._", "A dog runs."),
        ("__A dog runs.__", "A dog runs."),
        ("# A Dog in the Park\n\nA brown dog runs.", "A brown dog runs."),
        ("**A Dog in the Park**\n\nA brown dog runs.", "A brown dog runs."),
        ("# A dog runs.\nIt barks.", "A dog runs.\nIt barks."),
        ("[A dog](https://a.b/c_d) runs.", "A dog runs."),
        ("1. A dog runs.", "A dog runs."),
        ("1) A dog runs.\nIt barks.", "A dog runs.\nIt barks."),
        ("(1) A dog runs.", "A dog runs."),
        ("1. Ein Hund läuft über die Wiese.", "Ein Hund läuft über die Wiese."),
        ("1. Dogs run over a lawn.", "Dogs run over a lawn."),
        ("1、一只狗在跑。", "一只狗在跑。"),
        ("<ol><li>A dog runs.</li></ol>", "A dog runs."),
    ],
)
def test_markup_is_taken_out(text: str, left: str) -> None:
    assert tidied(text) == left
    assert tidied(left) == left
    for policy in ("clean", "retry", "keep"):
        assert judge(text, policy) == (left, "ok")


@pytest.mark.parametrize(
    "text",
    [
        "A chart says a < b and c > d; a heart is drawn as <3.",
        "A blackboard with x <y and z> w in white chalk.",
        'A screen shows "<p>Hello</p>" in green letters.',
        "A screen shows `<br>` in green letters.",
        "The key <b> of a keyboard glows.",
        "AT&T and R&D; are written on two doors.",
        "A slide reads 2**3 and 4**5, then 5 * 3 * 2.",
        "A M*A*S*H poster hangs beside one of a 4* hotel and a 5* hotel.",
        "Graffiti reads f**k and sh**t over the whole wall.",
        "A password field shows **** and a cursor.",
        "A terminal shows a function called __init__ in white.",
        "A [red] box stands beside a (green) one.",
        "1. FC Köln fans wave scarves.",
        "1. Mai in Berlin: people dance in the street.",
        "1. Halbzeit: die Spieler laufen auf das Feld und der Ball rollt.",
        "1.5 litres of milk run into a glass.",
        "10. Downing Street is seen from above.",
        "#1 is written on a foam hand.",
    ],
)
def test_what_looks_alike_stays(text: str) -> None:
    assert plain(text) == tidied(text) == text
    assert judge(text) == (text, "ok")


@pytest.mark.parametrize(
    "text",
    [
        "<ul><li>A dog</li><li>A cat</li></ul>",
        "<ol>\n  <li>\n  A man walks.</li>\n  <li>He stops.</li>\n</ol>",
        "<table><tr><td>a man</td><td>walks</td></tr><tr><td>a dog</td><td>runs</td></tr></table>",
        "<h2>Place</h2><p>A kitchen.</p><h2>Action</h2><p>A man cooks.</p>",
        "A man cooks.\n## Place\nA kitchen.",
        "1. A man walks. 2. He stops.",
        "1. A man walks.\n2. He stops.",
        "- **Man:** walks\n- **Dog:** runs",
    ],
)
def test_lists_are_found_as_before(text: str) -> None:
    assert judge(text)[1] == "list"
    assert "<" not in judge(text)[0]


def test_texts_under_a_schema_are_without_markup() -> None:
    text = '{"light": "soft &amp; <b>warm</b>", "place": "a < b"}'
    value = {"light": "soft & warm", "place": "a < b"}
    assert judged(Completion(text, "stop", 1, 1), schema={"type": "object"}, mentions="clean") == (text, value, "ok")


def test_a_refusal_in_markup_is_one() -> None:
    assert judge("<p>I'm sorry, but I can't help with that.</p>")[1] == "refused"
    assert judge("**Caption:** I'm sorry, but I can't help with that.", "keep")[1] == "refused"
