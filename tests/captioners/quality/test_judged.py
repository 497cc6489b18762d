"""An answer is found out when it is no caption, and a caption is never taken for something else."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st
from shotscribe.builder.contract.engine import Completion, Finish
from shotscribe.captioners.quality.judged import judged
from shotscribe.captioners.quality.loops import ends_in_loop, loops
from shotscribe.captioners.quality.mentions import cleaned, mentioned
from shotscribe.captioners.quality.tidy import tidied

CAPTIONS = (
    "red",
    "red green",
    "white",
    "blue blue",
    "black black white white",
    " ".join(["orange"] * 16),
    "A red car, a blue car, a green car, a yellow car, a white car, a black car, an orange car and a purple car.",
    "A man says I'm sorry to a woman who turns away.",
    "\"I'm sorry, but I can't stay,\" a woman tells the man at the door.",
    "I can't stop dancing, reads the banner above a crowd that jumps up and down.",
    "Sorry signs hang on the closed doors of three shops in an empty street.",
    "As an ice cream van pulls up, children run across the lawn.",
    "As an airplane lifts off, the camera follows it until it is a dot in the sky.",
    "No people are in the long corridor, whose lamps go out one after another.",
    "A cyclist enters the frame from the left, crosses it and leaves the frame on the right.",
    "A mechanic welds the frame of a bicycle; two frames without wheels hang on the wall behind him.",
    "Family photos in wooden frames stand on a shelf, and a woman with black-framed glasses dusts them.",
    "A wall clock shows 10:30. A waiter lays the tables of an empty restaurant.",
    "The scoreboard reads 2:1 as the players walk off the pitch after 90 minutes.",
    "A sprinter runs for 5 seconds, stops and bends over, hands on his knees.",
    "A woman in her 20s turns the pages of a magazine from the 1960s.",
    "A countdown from 10, 9, 8, 7, 6, 5, 4, 3, 2, 1 runs on a big screen before the rocket lifts off.",
    "None of the runners looks back as they leave the stadium.",
    "Sure-footed goats climb a wall of rock.",
    "It is difficult terrain: a man climbs over wet rocks and helps a woman up.",
    "I am the champion, reads the belt that a boxer holds up.",
    "There is no information on the board of an empty station.",
    "作为厨师助手的男孩正在切菜。",
    "抱歉的表情出现在男孩脸上，他把花递给母亲。",
    "我们的太阳照在海面上，一艘船慢慢驶过。",
    "Leider-Schilder, rot auf weiß, hängen an der Tür eines Ladens.",
    "Knock, knock, knock, knock: a fist raps on a wooden door four times, and nobody opens.",
    "Ha ha ha ha ha ha, reads the speech bubble over a cartoon cat that rolls on its back.",
    "A man walks to the door. The man opens the door. The man walks through the door. The man closes the door.",
    "A chef cuts an onion, then a carrot, then a leek, then a potato, then a beet, and puts all of it into a pot.",
    "The camera pans left over a harbour, tilts up to a crane, pans right over the ships, and tilts down to the quay.",
    "Waves roll in, one after another, over and over, and wash the sand from a line of black stones.",
    "A video store with posters in its window; a boy films it with his phone.",
    "The video player on a laptop is paused while a cat walks across the keys.",
    "In the photo booth, two girls make faces at the camera.",
    "In the video game on the screen, a car jumps over a bridge.",
    "Over 5 seconds, a bud opens into a white flower.",
    "Error messages scroll over a blue screen.",
    "Unable to see over the fence, a boy climbs a tree.",
    "The image is against a wall, and a woman hangs it up.",
    "As a young model, a woman walks over a stage and my name is written behind her.",
    "The user of a tablet wants a drawing: a hand draws a cat.",
    "Nothing moves in an empty street at night.",
    "A key frames a painting of a lock in a surreal animation of brass and smoke.",
    "一只橘猫跳上窗台，看着外面的雨，然后慢慢地趴下来睡着了。",
    "Eine Frau mit rotem Schirm geht über eine nasse Brücke, hinter ihr fährt eine Straßenbahn vorbei.",
    "In a dim workshop an old man planes a board. Curls of wood fall to the floor. Light from a high window on the "
    "left shows dust in the air. He stops, runs his thumb along the edge, and planes on. The camera moves slowly "
    "towards his hands, then past them to a row of chisels on the wall. At last he lays the board on a stack of others "
    "and wipes his forehead with the back of his hand.",
    "Shot from above, four dancers in white stand in a square. The first dancer turns to the left and lifts her arms. "
    "The second dancer turns to the right and lifts her arms. The third dancer kneels. The fourth dancer walks around "
    "the others, touches each on the shoulder, and stops where she began. The light changes from blue to red.",
    "There is a man with a white shirt on the left. There is a woman with a black coat on the right. There is a dog "
    "between them. There is a bench behind the dog. There is a fountain behind the bench. There are pigeons on the "
    "rim of the fountain. There are trees all around. The camera is static, the light is soft and even.",
)


def answer(text: str, finish: Finish = "stop") -> Completion:
    return Completion(text, finish, 10, 10)


def status(text: str, finish: Finish = "stop", *, schema: Any = None, mentions: Any = "clean") -> str:
    return judged(answer(text, finish), schema=schema, mentions=mentions)[2]


@pytest.mark.parametrize("policy", ["clean", "retry", "keep"])
@pytest.mark.parametrize("text", CAPTIONS)
def test_a_caption_is_ok_and_stays_as_it_is(text: str, policy: Any) -> None:
    assert judged(answer(text), schema=None, mentions=policy) == (text, None, "ok")


@pytest.mark.parametrize(
    "text",
    [
        "I'm sorry, but I can't help with that.",
        "I’m sorry, I can’t assist with that request.",
        "I am very sorry, but this goes against what I may describe.",
        "Sorry, I cannot describe the people in this video.",
        "I cannot assist with this request.",
        "I can't provide a caption for these frames.",
        "I'm unable to view videos.",
        "Unfortunately, I am not able to see the clip.",
        "As an AI, I do not watch videos.",
        "As an AI language model, I cannot see images.",
        "I apologize, but I am unable to describe it.",
        "I don't see any video in your message.",
        "It seems that no image was provided.",
        "Please upload the video, and then we can go on.",
        "I'm sorry,  but\nI can't do that.",
        "I can't tell what happens here.",
        "I'm not sure what is shown.",
        "It is difficult to determine what is happening from these pictures.",
        "It's unclear what the person does.",
        "I don't have enough information to describe the clip.",
        "There is not enough context to say more.",
        "Without more context, it is hard to say what happens.",
        "You haven't provided any video.",
        "The video you provided is not accessible.",
        "很抱歉，我无法查看或描述这段视频内容。如果您能提供文字说明，我很乐意帮助您。",
        "抱歉，我不能提供关于该图片的描述。",
        "对不起，作为一个人工智能语言模型，我无法观看视频。",
        "我无法直接查看视频。",
        "作为AI助手，我不能描述真实人物。",
        "您没有提供任何图片。",
        "由于图片不清晰，无法确定具体内容。",
        "请您先上传视频。",
        "申し訳ありませんが、この動画の内容を説明することはできません。",
        "申し訳ございませんが、画像を表示できません。",
        "すみません、その要求にはお答えできません。",
        "私はAIなので、動画を見ることができません。",
        "画像が提供されていません。",
        "Es tut mir leid, aber ich kann dieses Video nicht beschreiben.",
        "Leider kann ich das Bild nicht sehen.",
        "Ich kann keine Personen auf Bildern identifizieren, das darf ich nicht.",
        "Ich bin leider nicht in der Lage, Videos anzusehen.",
        "Als KI-Sprachmodell kann ich keine Videos sehen.",
        "Es wurde kein Video hochgeladen.",
        "Bitte laden Sie das Video hoch.",
        "Je suis désolé, mais je ne peux pas décrire cette vidéo.",
        "Désolée, je ne peux pas vous aider.",
        "Je ne suis pas en mesure de voir cette vidéo.",
        "En tant que modèle de langage, je ne vois pas d'images.",
        "Aucune image n'a été fournie.",
        "Lo siento, pero no puedo describir este video.",
        "No puedo ver el video.",
        "Como modelo de lenguaje, no tengo acceso a videos.",
        "No se ha proporcionado ninguna imagen.",
        "Desculpe, mas não posso descrever este vídeo.",
        "Infelizmente, não consigo ver a imagem.",
        "Não tenho acesso ao vídeo.",
        "Como um modelo de linguagem, não vejo imagens.",
        *(
            "I'm sorry.",
            "Sorry, I can't.",
            "I can't do that.",
            "抱歉。",
            "申し訳ございません。",
            "Es tut mir leid.",
            "Je suis désolé.",
        ),
        *("Lo siento.", "Sinto muito.", "This content violates my guidelines.", "I am a text-based AI."),
        "As a responsible AI assistant, I must decline.",
        "Unable to process the video.",
        "No description is available for this clip.",
        "The image is too dark to describe.",
        "I notice that no frames were attached.",
        "It appears that you've not attached any image.",
        "Could you please provide the video?",
        "Error: image not found",
        "[ERROR] upstream failed",
        "对此我无能为力。",
        "你好，我无法给到相关内容。",
        "内容涉及敏感信息，无法生成描述。",
        "ご要望にはお応えできません。",
        "この画像についての説明は控えさせていただきます。",
        "Das kann ich leider nicht tun.",
        "Dabei kann ich nicht helfen.",
        "Désolé, mais cela va à l'encontre de mes règles.",
        "Je suis navré, je ne peux pas.",
        "Impossible de décrire cette vidéo.",
        "Mis disculpas, pero no puedo hacerlo.",
    ],
)
def test_a_refusal_is_found_by_how_it_begins(text: str) -> None:
    assert status(text) == status(text, "length") == "refused"
    schema = {"type": "object", "properties": {"caption": {"type": "string"}}}
    assert status(text, schema=schema) == status(json.dumps({"caption": text}), schema=schema) == "refused"
    assert status(f'"{text}"') == status(f"```\n{text}\n```") == "refused"


def test_an_error_of_a_server_is_no_caption() -> None:
    assert status('{"error": "bad request"}') == status("Internal Server Error") == "refused"


def test_a_server_that_refuses_is_believed() -> None:
    assert status("A dog runs.", "refused") == status("", "refused") == "refused"


@pytest.mark.parametrize("text", ['""', "...", "“ ”", "```\n```", "**", "!" * 300])
def test_nothing_or_nothing_but_punctuation_is_empty(text: str) -> None:
    assert status(text) == status(text, "length") == status(text, schema={"type": "object"}) == "empty"


@pytest.mark.parametrize("text", ["", " \n"])
def test_nothing_at_all_is_empty_or_wanted_more_tokens_to_think(text: str) -> None:
    assert status(text) == status(text, schema={"type": "object"}) == "empty"
    assert status(text, "length") == status(text, "length", schema={"type": "object"}) == "truncated"


@pytest.mark.parametrize(
    "text",
    [
        "Unknown.",
        "Nothing",
        "Sure!",
        "Here you go:",
        "nichts",
        "rien",
        "nada",
        "不明",
        "[object Object]",
        "None",
        "none.",
        "N/A",
        "n/a",
        "NULL",
        '"None"',
        "[No caption]",
        "无",
        "なし",
        "**N/A**",
    ],
)
def test_words_that_stand_for_no_answer_are_empty(text: str) -> None:
    assert status(text) == "empty"
    assert status(json.dumps(structure("N/A")), schema=SCHEMA) == "ok"


def test_what_ran_out_of_tokens_is_truncated_unless_it_loops() -> None:
    assert status("A dog runs over the", "length") == "truncated"
    assert status('{"a": "a dog ru', "length", schema={"type": "object"}) == "truncated"
    assert status("A dog runs. " + "It runs and it barks. " * 20 + "It ru", "length") == "repeated"
    assert status('{"a": "' + "a dog and " * 30, "length", schema={"type": "object"}) == "repeated"
    assert status('{"a": "a dog",' + "\n   " * 60, "length", schema={"type": "object"}) == "repeated"


pieces = st.text(min_size=1, max_size=60).filter(lambda text: any(char.isalnum() for char in text))


@given(
    head=st.text(max_size=100), piece=pieces, times=st.integers(4, 12), tail=st.sampled_from(["", ".", '."', " ", "…"])
)
@example(head="", piece="very, ", times=20, tail=".")
@example(head="A man is ", piece="0", times=121, tail="")
def test_any_piece_said_four_times_to_the_end_is_a_loop(head: str, piece: str, times: int, tail: str) -> None:
    # what counts is the length after white space is made single: 130 leaves room for a period's ragged end
    times = max(times, 1 + 200 // len(" ".join(piece.split())))
    broken = piece[: len(piece) // 2]
    assert ends_in_loop(head + piece * times + tail)
    assert ends_in_loop(head + piece * times + broken)
    assert ends_in_loop(head + " ".join([piece.strip()] * times))


@given(st.lists(st.text("abcdefghij", min_size=1, max_size=8), max_size=300, unique=True))
def test_words_that_all_differ_are_no_loop(words: list[str]) -> None:
    assert not loops(" ".join(f"{at}{word}" for at, word in enumerate(words)))


@given(st.sampled_from([text for text in CAPTIONS if len(text) > 60]), st.integers(1, 3))
def test_three_times_is_no_loop_at_the_end_of_a_text(text: str, times: int) -> None:
    assert not ends_in_loop("Once more. " + text * times)


@pytest.mark.parametrize(
    "text",
    [
        "very " * 40,
        "!".join(["A man walks"] * 12) + "!!!",
        "A street at night" + "!" * 150,
        "The car turns. " * 10 + "At last it stops in front of a red house.",
        " ".join(f"Take {at}: the man walks to the door and knocks." for at in range(1, 12)),
        "他走进房间然后坐下，" * 14,
        "Scene one. " + "a red car and a blue car and " * 9 + "a red c",
    ],
)
def test_loops_of_all_kinds(text: str) -> None:
    assert status(text) == "repeated"


def test_a_long_text_is_judged_in_time() -> None:
    from time import perf_counter

    nearly = ("abcdefghij" * 9 + "k") * 400  # periodic almost everywhere, and it ends otherwise
    start = perf_counter()
    assert not ends_in_loop(nearly + "x" * 30 + "abcdefghij" * 8)
    assert not loops(
        " ".join(f"word{at:05} " for at in range(20_000)).translate(str.maketrans("0123456789", "abcdefghij"))
    )
    assert perf_counter() - start < 5


SCHEMA = {
    "type": "object",
    "properties": {
        "subjects": {"type": "array", "items": {"type": "object", "required": ["action"]}},
        "lighting": {"type": "string"},
    },
    "required": ["subjects", "lighting"],
    "additionalProperties": False,
}


def structure(*actions: str, lighting: str = "soft") -> dict[str, Any]:
    return {"subjects": [{"action": action, "expression": ""} for action in actions], "lighting": lighting}


def test_an_answer_under_a_schema_is_parsed_and_not_cleaned() -> None:
    value = structure("in the first frame, he waves", lighting="The video shows soft light")
    text = json.dumps(value)
    assert judged(answer(text), schema=SCHEMA, mentions="retry") == (text, value, "ok")
    assert judged(answer(f"```json\n{text}\n```\n"), schema=SCHEMA, mentions="clean") == (text, value, "ok")
    broken = json.dumps(structure("a")).replace('"soft"', '"soft\n\tlight"')
    assert judged(answer(broken), schema=SCHEMA, mentions="clean")[1:] == (
        structure("a", lighting="soft\n\tlight"),
        "ok",
    )
    assert status("[]", schema={"type": "array"}) == status('{"a": "b"}', schema={"type": "object"}) == "ok"
    assert status('{"a": "", "b": [" ", "..."]}', schema={"type": "object"}) == "empty"
    assert status('{"a": "none"}', schema={"type": "object"}) == status('{"a": []}', schema={"type": "object"}) == "ok"


@pytest.mark.parametrize(
    "text",
    [
        "A dog runs.",
        '{"subjects": []',
        '{"subjects": []}',
        '{"subjects": [{}], "lighting": "soft"}',
        '{"subjects": [], "lighting": 3}',
        '{"subjects": [], "lighting": "a", "more": 1}',
        '{"subjects": [], "lighting": NaN}',
        '{"subjects": [], "lighting": "\\ud83d"}',
        "[" * 100_000 + "1",
    ],
)
def test_what_the_schema_does_not_allow_is_off_schema(text: str) -> None:
    found = judged(answer(text), schema=SCHEMA, mentions="clean")
    assert found[1:] == (None, "off_schema")


def test_a_loop_within_a_field_or_over_the_items_of_a_list() -> None:
    assert status(json.dumps(structure("he walks and " * 30)), schema=SCHEMA) == "repeated"
    assert status(json.dumps(structure(lighting="soft, " * 40)), schema=SCHEMA) == "repeated"
    assert status(json.dumps(structure(*["a man walks slowly"] * 8)), schema=SCHEMA) == "repeated"
    assert status(json.dumps(structure("", "", "")), schema=SCHEMA) == "ok"
    assert status(json.dumps(structure(*[f"he lifts weight {at}" for at in "abcdefgh"])), schema=SCHEMA) == "ok"


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("The video shows a man running.", "A man running."),
        ("The video shows that a man runs.", "A man runs."),
        ("In this video, we see a dog on a lawn.", "A dog on a lawn."),
        ("In the video, two boys play chess.", "Two boys play chess."),
        ("In this image we can see a red bus.", "A red bus."),
        ("In the image a red bus waits.", "A red bus waits."),
        ("The image depicts a harbour at dusk.", "A harbour at dusk."),
        ("These images show a harbour.", "A harbour."),
        ("This short video clip features a dancer.", "A dancer."),
        ("This clip begins with a tram. It stops.", "A tram. It stops."),
        ("The scene opens on a field.", "A field."),
        ("A video of a girl on a swing.", "A girl on a swing."),
        ("We see a tall tree.", "A tall tree."),
        ("Here is a caption: a cat sleeps.", "A cat sleeps."),
        ("Sure! Here’s a detailed one-sentence description of the video:\n\nA cat sleeps.", "A cat sleeps."),
        ('Caption: "a cat sleeps."', "A cat sleeps."),
        ("**Caption:** A cat sleeps.", "A cat sleeps."),
        ("### Caption\nA cat sleeps.", "A cat sleeps."),
        ("Caption: The video shows red", "Red"),
        ("In the first frame, a man stands. In the last frame, he sits.", "A man stands. He sits."),
        ("In frame 3, the car has stopped.", "The car has stopped."),
        ("At 2.0 s, a door opens. At 4 seconds, it closes.", "A door opens. It closes."),
        ("At the 0:05 mark, a door opens.", "A door opens."),
        ("From 0:00 to 0:05, a door opens.", "A door opens."),
        ("Between the two frames, the light changes.", "The light changes."),
        ("A man sits (0:05) and stands up (at 2.0 s).", "A man sits and stands up."),
        ("[00:05] A man sits. (Frame 2) He stands up.", "A man sits. He stands up."),
        ("Frame 1: A man sits.\nFrame 2: he stands up.", "A man sits.\nHe stands up."),
        ("0:00 - 0:05: a man sits.", "A man sits."),
        ("In the first frame, at 0.0 s, the image shows a man.", "A man."),
    ],
)
def test_openings_and_talk_of_frames_are_cut(text: str, left: str) -> None:
    assert judged(answer(text), schema=None, mentions="clean") == (left, None, "ok")
    assert judged(answer(text), schema=None, mentions="retry") == (tidied(text), None, "mentions")
    assert judged(answer(text), schema=None, mentions="keep") == (tidied(text), None, "ok")


@pytest.mark.parametrize(
    "text",
    [
        "The video shows how a door opens.",
        "The video shows him leaving.",
        "The video shows.",
        "A man stands in the first frame and sits in the second frame.",
        "The second frame is darker.",
        "The car of frame 3 has stopped.",
        "The keyframes are alike.",
        "Little changes between the two frames.",
        "He waves in both frames.",
        "In each frame he waves.",
        "The door opens at 2.0 s and closes.",
        "The door opens at about 3 seconds.",
        "From 2 s to 4 s the door is open.",
        "The door opens at the 0:05 mark.",
        "The door opens at 0:05.",
        "Compared with the previous frame, he has moved.",
    ],
)
def test_what_cannot_be_cut_is_asked_for_again(text: str) -> None:
    for policy in ("clean", "retry"):
        assert judged(answer(text), schema=None, mentions=policy) == (text, None, "mentions")  # type: ignore[arg-type]
    assert status(text, mentions="keep") == "ok"


TALK = """The video shows|in the first frame|,|, | |.|. |:|(0:05)|[2.0 s]|at 2.0 s|frame 3|a man|Caption:|we see
|that|how|"|**|In this clip|0:00 - 0:05|between the two frames|ß"""


@given(st.lists(st.sampled_from(TALK.split("|")), max_size=12).map("".join))
def test_cleaning_ends_and_is_done_once(text: str) -> None:
    once = cleaned(tidied(text))
    assert cleaned(once) == once
    assert len(once) <= len(text) + 8  # a capital may be longer than its letter: ß


@given(st.text())
def test_text_without_talk_is_not_touched(text: str) -> None:
    assume(not mentioned(text))
    assert cleaned(text) == text


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ('  "A dog runs."\n', "A dog runs."),
        ("“A dog runs.”", "A dog runs."),
        ("'It's a dog.'", "It's a dog."),
        ("```\nA dog runs.\n```", "A dog runs."),
        ('```text\n"A dog runs."\n```', "A dog runs."),
        ("**A dog runs.**", "A dog runs."),
        ('"Go," he says, "now"', '"Go," he says, "now"'),
        ("'Go' and 'stop'", "'Go' and 'stop'"),
        ("A dog.\n\nA cat.", "A dog.\n\nA cat."),
        ("A dog \ud83d runs", "A dog ? runs"),
        ('{"caption": "A dog runs."}', "A dog runs."),
        ('```json\n{"video_description": "**A dog runs.**"}\n```', "A dog runs."),
        ('["A dog runs."]', "A dog runs."),
        ('{"color": "red"}', '{"color": "red"}'),
        ('{"caption": "A dog.", "text": "A cat."}', '{"caption": "A dog.", "text": "A cat."}'),
        ("- A dog runs.", "A dog runs."),
        ("# A dog runs.", "A dog runs."),
        ("- A dog.\n- A cat.", "- A dog.\n- A cat."),
    ],
)
def test_what_stands_around_an_answer_goes(text: str, left: str) -> None:
    assert tidied(text) == left


@given(st.text(), st.sampled_from(["stop", "length", "refused"]), st.sampled_from(["clean", "retry", "keep"]))
def test_any_text_is_judged(text: str, finish: Finish, policy: Any) -> None:
    for schema in (None, SCHEMA):
        said, value, found = judged(answer(text, finish), schema=schema, mentions=policy)
        said.encode()
        assert found != "ok" or finish == "stop"
        assert value is None or schema is not None


def test_a_fence_in_one_line_keeps_its_first_word() -> None:
    assert tidied("```A dog runs.```") == "A dog runs."
    assert tidied('```json {"a": 1}```') == '{"a": 1}'
    assert tidied("```c++\nint a;\n```") == "int a;"
