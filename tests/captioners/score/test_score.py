"""Scores are what they say: right is 100, known mistakes cost what they must, and nothing is left out in silence."""

from __future__ import annotations

import copy
import itertools
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from shotscribe.captioners.score.camera import camera_labels
from shotscribe.captioners.score.files import Unusable
from shotscribe.captioners.score.match import best_pairs
from shotscribe.captioners.score.score import Scores, scored
from shotscribe.captioners.score.shape import shaped
from shotscribe.captioners.score.structure import FIELDS, structure_scores
from shotscribe.captioners.score.text import bleu_4, rouge_l, token_f1, words


def subject(kind: str, main: bool, **given: Any) -> dict[str, Any]:
    return {
        "type": kind,
        "sub_type": f"small {kind}",
        "appearance": f"{kind} in grey stripes",
        "action": f"the {kind} waits near a door",
        "expression": "calm",
        "position": f"{'left' if main else 'right'} side",
        "is_main_subject": main,
        **given,
    }


def structure(**given: Any) -> dict[str, Any]:
    return {
        "subjects": [subject("Human", True), subject("Animal", False)],
        "shot_type": "close_up",
        "shot_angle": "eye_level",
        "shot_position": "front_view",
        "camera_motion": "The camera pans to the left.",
        "environment": "A narrow street at night.",
        "lighting": "Dim light from a lamp.",
        **given,
    }


def write(path: Path, values: dict[str, Any], column: str = "structure") -> Path:
    rows = [{"clip_id": clip, column: value} for clip, value in values.items()]
    if path.suffix == ".parquet":
        pq.write_table(pa.Table.from_pylist(rows), path)
    else:
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


CLASSES = ("shot_type", "shot_angle", "shot_position", "camera_motion", "type", "is_main_subject")


def accuracies(scores: Any) -> dict[str, float]:
    return {field: score["accuracy"] for field, score in scores["fields"].items() if "accuracy" in score}


def likenesses(scores: Any) -> dict[str, float]:
    return {field: score["token_f1"] for field, score in scores["fields"].items() if "token_f1" in score}


@pytest.mark.parametrize("suffix", ["jsonl", "parquet"])
def test_perfect_predictions_score_100_in_every_field(tmp_path: Path, suffix: str) -> None:
    values = {"a": structure(), "b": structure(subjects=[]), "c": structure(shot_type="full_shot")}
    scores = scored(write(tmp_path / f"p.{suffix}", values), write(tmp_path / "r.jsonl", values))
    assert scores["structure"] is not None
    assert scores["structure"]["average"] == 100
    assert accuracies(scores["structure"]) == dict.fromkeys(CLASSES, 100.0)
    assert set(likenesses(scores["structure"])) == set(FIELDS) - set(CLASSES)
    assert {field: score["count"] for field, score in scores["structure"]["fields"].items()} == {
        field: 4 if field in subject("x", True) else 3 for field in FIELDS
    }
    assert all(score.get("token_f1", 100) == 100 for score in scores["structure"]["fields"].values())
    assert all(score.get("rouge_l", 100) == 100 for score in scores["structure"]["fields"].values())
    assert (scores["clips"], scores["missing"], scores["unexpected"], scores["text"]) == (3, [], [], None)


@pytest.mark.parametrize("field", list(FIELDS))
def test_one_wrong_field_costs_that_field_alone(field: str) -> None:
    wanted = [structure() for _ in range(4)]
    made = copy.deepcopy(wanted)
    wrong: Any = False if field == "is_main_subject" else "something_else"
    cases = 4
    if field in made[0]:
        made[0][field] = wrong
    else:
        made[0]["subjects"][0][field], cases = wrong, 8
    scores = structure_scores(list(zip(made, wanted, strict=True)))
    assert scores is not None
    all_fields = accuracies(scores) | likenesses(scores)
    assert all_fields == {**dict.fromkeys(FIELDS, 100.0), field: pytest.approx(100 * (cases - 1) / cases)}
    lost = 100 / cases / len(CLASSES) if field in CLASSES else 0
    assert scores["average"] == pytest.approx(100 - lost)


def test_classes_are_read_from_words_and_texts_are_only_likened() -> None:
    made = structure(shot_type="Close-Up", shot_angle="eye level.", camera_motion="pans left", lighting="dim")
    scores = structure_scores([(made, structure(shot_position=None))])
    assert scores is not None
    fields = scores["fields"]
    assert (fields["shot_type"]["accuracy"], fields["shot_angle"]["accuracy"]) == (100, 100)
    assert "shot_position" not in fields
    assert fields["camera_motion"] == {"accuracy": 100, "count": 1}
    # dim light from lamp / dim: 2 * 1 / 5; with the article 2 * 1 / 6
    assert fields["lighting"] == {"token_f1": pytest.approx(40), "rouge_l": pytest.approx(100 / 3), "count": 1}


def test_subjects_are_paired_whatever_their_order() -> None:
    wanted = structure(subjects=[subject(kind, False) for kind in ("Human", "Animal", "Plant", "Vehicle")])
    for order in itertools.permutations(wanted["subjects"]):
        scores = structure_scores([(structure(subjects=list(order)), wanted)])
        assert scores is not None
        assert scores["average"] == 100


def test_a_subject_on_one_side_only_is_wrong_in_what_it_fills_in() -> None:
    silent = subject("Animal", False, expression="")
    short = structure_scores(
        [(structure(subjects=[subject("Human", True)]), structure(subjects=[subject("Human", True), silent]))]
    )
    made_up = structure_scores(
        [(structure(subjects=[subject("Human", True), silent]), structure(subjects=[subject("Human", True)]))]
    )
    assert short is not None
    assert short == made_up
    halved = {field: score for field, score in (accuracies(short) | likenesses(short)).items() if score < 100}
    assert halved == dict.fromkeys(["type", "sub_type", "appearance", "action", "position", "is_main_subject"], 50.0)
    assert short["fields"]["expression"]["count"] == 1


def test_what_no_reference_labels_is_not_counted() -> None:
    wanted = structure(subjects=[{"type": "Human", "expression": None}], lighting=None)
    made = structure(subjects=[subject("Human", True), subject("Animal", True)])
    scores = structure_scores([(made, wanted)])
    assert scores is not None
    assert set(scores["fields"]) == {"shot_type", "shot_angle", "shot_position", "camera_motion", "environment", "type"}
    assert scores["fields"]["type"] == {"accuracy": 50, "count": 2}
    assert structure_scores([(made, {"subjects": []})]) is None


@pytest.mark.parametrize(
    "made",
    [None, "no structure", [], {}, {"subjects": 3, "shot_type": 4, "lighting": ["dim"]}, {"subjects": ["dog", None]}],
)
def test_a_prediction_without_form_is_wrong_and_no_error(made: Any) -> None:
    scores = structure_scores([(made, structure())])
    assert scores is not None
    assert accuracies(scores) | likenesses(scores) == dict.fromkeys(FIELDS, 0.0)


def test_an_empty_text_is_right_where_nothing_is_to_be_said() -> None:
    wanted = structure(subjects=[subject("Human", True, expression="")])
    for expression, right in (("", 100), (None, 100), ("happy", 0)):
        scores = structure_scores([(structure(subjects=[subject("Human", True, expression=expression)]), wanted)])
        assert scores is not None
        assert scores["fields"]["expression"]["token_f1"] == right


tables = st.integers(1, 5).flatmap(
    lambda width: st.lists(
        st.lists(st.integers(0, 4).map(float), min_size=width, max_size=width), min_size=1, max_size=5
    )
)


@given(tables)
def test_pairs_are_the_best_of_all(table: list[list[float]]) -> None:
    rows, columns = len(table), len(table[0])
    pairs = best_pairs(table)
    assert len({row for row, _ in pairs}) == len({column for _, column in pairs}) == len(pairs) == min(rows, columns)
    turned = rows > columns
    cells = [list(column) for column in zip(*table, strict=True)] if turned else table
    best = max(
        sum(cells[row][column] for row, column in enumerate(chosen))
        for chosen in itertools.permutations(range(max(rows, columns)), min(rows, columns))
    )
    assert sum(table[row][column] for row, column in pairs) == best


def test_no_subjects_make_no_pairs() -> None:
    assert best_pairs([]) == best_pairs([[], []]) == []


texts = st.lists(st.sampled_from(["red", "dog", "runs", "over", "the", "lawn"]), max_size=12)


def longest_common(one: list[str], other: list[str]) -> int:
    """By the textbook's table."""
    row = [0] * (len(other) + 1)
    for word in one:
        above = row[:]
        for at, there in enumerate(other):
            row[at + 1] = above[at] + 1 if word == there else max(above[at + 1], row[at])
    return row[-1]


@given(texts, texts)
def test_measures_are_within_their_bounds_and_symmetric(one: list[str], other: list[str]) -> None:
    assert 0 <= rouge_l(one, other) == rouge_l(other, one) <= 1
    assert rouge_l(one, other) == (2 * longest_common(one, other) / (len(one) + len(other)) if one or other else 1)
    left, right = " ".join(one), " ".join(other)
    assert 0 <= token_f1(left, right) == token_f1(right, left) <= 1
    assert rouge_l(one, one) == token_f1(left, left) == 1
    assert 0 <= bleu_4([(one, other)]) <= 1 + 1e-12


@given(st.lists(texts.filter(len), min_size=1, max_size=5))
def test_bleu_of_the_references_themselves_is_1(captions: list[list[str]]) -> None:
    assert bleu_4([(text, text) for text in captions]) == pytest.approx(1)


def test_bleu_is_that_of_the_definition() -> None:
    made, wanted = ["the", "dog", "runs", "over", "the", "lawn"], ["the", "dog", "walks", "over", "the", "lawn", "now"]
    # 5 of 6 words; 3 of 5 pairs, 1 of 4 triples and 0 of 3 fours, each with one more; and 6 words for 7
    shares = (5 / 6) * (4 / 6) * (2 / 5) * (1 / 4)
    assert bleu_4([(made, wanted)]) == pytest.approx(2.718281828459045 ** (1 - 7 / 6) * shares**0.25)
    assert bleu_4([(["a"], ["b"])]) == bleu_4([([], ["b"])]) == 0
    assert bleu_4([([], [])]) == 1


def test_words_and_articles() -> None:
    assert words("The DOG's toys, 一只猫!") == ["the", "dog", "s", "toys", "一", "只", "猫"]
    assert token_f1("The dog runs.", "a dog, runs") == 1
    assert token_f1("a dog", "a cat") == 0
    assert token_f1("red red dog", "red dog") == pytest.approx(0.8)
    assert token_f1("", "The") == 1


def text_scores(tmp_path: Path, made: dict[str, Any], wanted: dict[str, Any]) -> Scores:
    return scored(write(tmp_path / "p.jsonl", made, "caption"), write(tmp_path / "r.parquet", wanted, "caption"))


def test_free_captions(tmp_path: Path) -> None:
    wanted = {"a": "A dog runs over the lawn.", "b": "Rain falls on a window."}
    assert text_scores(tmp_path, wanted, wanted)["text"] == {
        "rouge_l": 100,
        "token_f1": 100,
        "bleu_4": pytest.approx(100),
        "length": 100,
    }
    half = text_scores(tmp_path, {"a": "over the lawn a dog runs", "b": None}, wanted)["text"]
    assert half is not None
    assert half["token_f1"] == 50
    assert half["rouge_l"] == 25  # three words of six are in order, and nothing of the other
    assert half["length"] == pytest.approx(600 / 11)
    assert 0 < half["bleu_4"] < 50


def test_clips_on_one_side_only_are_named(tmp_path: Path) -> None:
    made = {"z": "one", "b": "two", "a": "three", "y": "four"}
    found = text_scores(tmp_path, made, {"a": "three", "x": "five", "b": None, "w": "six"})
    assert (found["clips"], found["missing"], found["unexpected"]) == (3, ["x", "w"], ["z", "y"])
    assert found["text"] is not None
    assert found["text"]["token_f1"] == pytest.approx(100 / 3)  # what is missing counts as wrong
    assert found["unlabelled"] == ["b"]


def test_a_folder_of_parquet_files_is_one_table(tmp_path: Path) -> None:
    folder = tmp_path / "metadata"
    folder.mkdir()
    write(folder / "train-0.parquet", {"a": "red"}, "caption")
    write(folder / "train-1.parquet", {"b": "blue"}, "caption")
    assert scored(folder, write(tmp_path / "r.jsonl", {"b": "blue", "a": "red"}, "caption"))["clips"] == 2


def test_the_column_can_be_named(tmp_path: Path) -> None:
    made = write(tmp_path / "p.jsonl", {"a": "red"}, "t2v_caption")
    assert scored(made, made, column="t2v_caption")["column"] == "t2v_caption"
    with pytest.raises(Unusable, match=r"p\.jsonl: no column caption among: clip_id, t2v_caption \(--column NAME"):
        scored(made, made)


LINE = '{"clip_id": "a", "structure": {"shot_type": "close_up"}}\n'


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("no.jsonl", None, r"no\.jsonl: No such file or directory; give the path"),
        ("no.parquet", None, r"no\.parquet: cannot be read as parquet \(.*\); write the file anew"),
        ("r.csv", b"clip_id\n", r"r\.csv: give a \.jsonl file, a \.parquet file, or a folder"),
        ("r.parquet", b"PAR1 no", r"r\.parquet: cannot be read as parquet"),
        ("r.jsonl", b"", r"r\.jsonl: no column clip_id among: none"),
        ("r.jsonl", LINE.encode() + b"\n{oops\n", r"r\.jsonl:3: not JSON \(.*\); give one object a line"),
        ("r.jsonl", LINE.encode() + b"[1]\n", r"r\.jsonl:2: not an object"),
        ("r.jsonl", LINE.encode() + b'{"clip_id": "\xff"}\n', r"r\.jsonl: not UTF-8 text"),
        ("r.jsonl", LINE.encode() * 2, r"r\.jsonl:2: clip a is there for the second time"),
        ("r.jsonl", LINE.replace('"a"', "7").encode(), r"r\.jsonl:1: clip_id is 7; give each row"),
        ("r.jsonl", LINE.replace('"a"', '"b"').encode(), r"none of its clip ids is in .*r\.jsonl"),
        ("r.jsonl", LINE.replace('"close_up"', "3").encode(), r"clip a: structure\.shot_type is 3; give text, or null"),
        (
            "r.jsonl",
            LINE.replace("shot_type", "shotType").encode(),
            r"structure has no field 'shotType'; its fields are shot_",
        ),
        ("r.jsonl", LINE.replace('"close_up"', "null").encode(), r"no clip is labelled"),
        ("r.jsonl", b'{"clip_id": "a", "structure": "text"}', r"clip a: the structure is no object"),
        ("r.jsonl", b'{"clip_id": "a", "structure": {"subjects": 3}}', r"structure\.subjects is no list"),
        ("r.jsonl", b'{"clip_id": "a", "structure": {"subjects": [3]}}', r"structure\.subjects\[0\] is no object"),
        (
            "r.jsonl",
            b'{"clip_id": "a", "structure": {"subjects": [{"is_main_subject": "yes"}]}}',
            r"structure\.subjects\[0\]\.is_main_subject is 'yes'; give true or false, or null",
        ),
    ],
)
def test_a_file_that_cannot_be_scored_is_named_with_the_place(
    tmp_path: Path, name: str, content: bytes | None, said: str
) -> None:
    made = tmp_path / "p.jsonl"
    made.write_text(LINE)
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(Unusable, match=said):
        scored(made, tmp_path / name)


def test_predictions_of_another_kind_than_text_are_an_error(tmp_path: Path) -> None:
    made = write(tmp_path / "p.jsonl", {"a": ["red"]}, "caption")
    with pytest.raises(Unusable, match=r"p\.jsonl: clip a: caption is no text"):
        scored(made, write(tmp_path / "r.jsonl", {"a": "red"}, "caption"))


def score(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [
        sys.executable,
        "-c",
        "from shotscribe.builder.tools.main import main; main()",
        "score",
        *map(str, arguments),
    ]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_the_command_prints_the_table_and_writes_the_scores(tmp_path: Path) -> None:
    wanted = {f"clip-{at}": structure() for at in range(4)} | {f"only-{at}": structure() for at in range(7)}
    made = {f"clip-{at}": structure(shot_type="other" if at == 0 else "close_up") for at in range(9)}
    out = tmp_path / "scores.json"
    done = score(write(tmp_path / "p.jsonl", made), write(tmp_path / "r.parquet", wanted), "--out", out)
    assert (done.returncode, done.stderr) == (0, "")
    lines = [line.split() for line in done.stdout.splitlines()]
    assert ["average", "34.8"] in lines
    assert ["shot", "type", "27.3", "11"] in lines
    assert ["sub-type", "36.4", "36.4", "22"] in lines
    assert "counted as wrong: 7 clips of" in done.stdout
    assert "not scored: 5 clips of" in done.stdout
    assert "are likeness, not accuracy" in done.stdout
    assert "only-0, only-1, only-2, only-3, only-4, ..." in done.stdout
    saved = json.loads(out.read_text())
    assert saved["missing"] == [f"only-{at}" for at in range(7)]
    assert saved["structure"]["fields"]["shot_type"] == {"accuracy": pytest.approx(300 / 11), "count": 11}

    failed = score(tmp_path / "p.jsonl", tmp_path / "none.jsonl")
    assert failed.returncode == 2
    assert failed.stderr.startswith(f"error: {tmp_path / 'none.jsonl'}: No such file or directory; give the path")


@given(st.permutations(range(4)), st.integers(0, 3))
def test_scores_do_not_depend_on_the_order_of_clips(order: list[int], wrong: int) -> None:
    pairs = [(structure(shot_type="other" if at == wrong else "close_up"), structure()) for at in range(4)]
    scores = structure_scores([pairs[at] for at in order])
    assert scores is not None
    assert scores["fields"]["shot_type"]["accuracy"] == 75


ROAD = {
    "subjects": [
        subject("Human", True, sub_type="Man", appearance="A tall man in a black coat", action="He walks to the left"),
        subject(
            "Vehicle", False, sub_type="Bus", appearance="A red bus with open doors", action="It stops at the kerb"
        ),
    ],
    "shot_type": "long_shot",
    "shot_angle": "high_angle",
    "shot_position": "front_view",
    "camera_motion": "The camera pans to the left and zooms in slowly.",
    "environment": "A wide street on a sunny day",
    "lighting": "Bright light from the left",
}
REVERSED = {
    "subjects": [
        {**ROAD["subjects"][0], "type": "Plant", "is_main_subject": False, "action": "He walks to the right"},
        {**ROAD["subjects"][1], "type": "Building", "is_main_subject": True, "appearance": "A red bus with shut doors"},
    ],
    "shot_type": "close_up",
    "shot_angle": "low_angle",
    "shot_position": "back_view",
    "camera_motion": "The camera pans to the right and zooms out slowly.",
    "environment": "A narrow street on a sunny day",
    "lighting": "Dim light from the left",
}
PARAPHRASED = {
    "subjects": [
        {
            "TYPES": {"type": "person", "sub_type": "Gentleman"},
            "appearance": "Someone of great height, dressed in dark clothes",
            "action": "Strolls across, out on one side",
            "expression": "serene",
            "position": "left part",
            "is_main_subject": "true",
        },
        {
            "TYPES": {"type": "vehicle", "sub_type": "Coach"},
            "appearance": "Public transport in scarlet, its doors not shut",
            "action": "Comes to a halt beside the pavement",
            "expression": "none",
            "position": "on the other side",
            "is_main_subject": False,
        },
    ],
    "shot_type": "Long shot of a road",
    "shot_angle": "Seen from a high angle",
    "shot_position": "Front-view",
    "camera_motion": "A leftward pan with a slow zoom-in; the camera does not tilt.",
    "environment": "Broad road in fine weather",
    "lighting": "Strong sun",
}


def test_no_accuracy_rewards_opposites_and_a_paraphrase_keeps_them() -> None:
    opposite = structure_scores([(REVERSED, ROAD)] * 3)
    assert opposite is not None
    assert max(accuracies(opposite).values()) <= 20
    assert opposite["average"] == 0
    assert min(likenesses(opposite).values()) > 70  # why it is not called accuracy
    same = structure_scores([(shaped(PARAPHRASED), ROAD)])
    assert same is not None
    assert accuracies(same) == dict.fromkeys(CLASSES, 100.0)
    assert max(likenesses(same).values()) < 60


def test_both_shapes_are_read_and_compared(tmp_path: Path) -> None:
    """SkyCaptioner's answer as the text that it writes, against ours, and the other way round."""
    theirs = {
        **ROAD,
        "subjects": [{**one, "TYPES": {"type": one["type"], "sub_type": one["sub_type"]}} for one in ROAD["subjects"]],
    }
    for one in theirs["subjects"]:
        del one["type"], one["sub_type"]
    answer = f"```json\n{json.dumps(theirs)}\n```"
    sky = write(tmp_path / "sky.jsonl", {"a": answer}, "structural_caption")
    ours = write(tmp_path / "ours.parquet", {"a": ROAD})
    for made, wanted in ((sky, ours), (ours, sky), (sky, sky)):
        scores = scored(made, wanted)["structure"]
        assert scores is not None
        assert scores["average"] == 100
        assert set(likenesses(scores).values()) == {100.0}
    assert shaped("no { structure") == "no { structure"
    assert shaped("{" * 5000) == "{" * 5000


CAMERA = {
    "The camera pans to the left.": "pan_left",
    "pans slowly across the room to the right": "pan_right",
    "A slow leftward pan": "pan_left",
    "pans from left to right": "pan_right",
    "pans from the right to the left": "pan_left",
    "a left-to-right pan": "pan_right",
    "pans left and then right": "pan_left pan_right",
    "pans left, revealing a sign on the right": "pan_left",
    "pans left to reveal the door on the right": "pan_left",
    "pans up": "tilt_up",
    "The camera tilts upward and zooms in on the face.": "tilt_up zoom_in",
    "tilts from top to bottom": "tilt_down",
    "zooms in and out": "zoom_in zoom_out",
    "static": "static",
    "The camera remains still.": "static",
    "The camera doesn't move and stays static": "static",
    "There is no camera movement.": "static",
    "camera is fixed; no zoom": "static",
    "starts static, then pans right": "pan_right",
    "The camera does not pan.": "",
    "The camera does not pan, tilt or zoom.": "",
    "The camera does not pan, it zooms in.": "zoom_in",
    "does not pan but tilts down": "tilt_down",
    "Without panning, the camera tilts up": "tilt_up",
    "neither pans nor tilts. It zooms out.": "zoom_out",
    "no tilt. Zooming": "zoom",
    "a shaky hand-held shot": "handheld",
    "follows the man walking to the left": "follow",
    "moves forward": "move_in",
    "pulls back from the house": "move_out",
    "the crane rises": "move_up",
    "pan_left, zoom_in": "pan_left zoom_in",
    "A quiet street": "",
    "": "",
}


@pytest.mark.parametrize(("text", "labels"), CAMERA.items())
def test_movements_of_the_camera_in_a_text(text: str, labels: str) -> None:
    assert camera_labels(text) == frozenset(labels.split())


def test_labels_of_the_camera_as_a_list_count_too() -> None:
    scores = structure_scores([(structure(camera_motion=["pan_left"]), structure())])
    assert scores is not None
    assert scores["fields"]["camera_motion"]["accuracy"] == 100


def test_long_texts_are_read_in_linear_time() -> None:
    for piece in ("pan left, ", "not ", "from left to ", "the camera pans and tilts ", "{", "left "):
        few, many = (min(_cpu_s(piece * times) for _ in range(3)) for times in (4_000, 32_000))
        assert many < 40 * max(few, 0.01)  # 8 times as long: 64 times the work where it is quadratic


def _cpu_s(text: str) -> float:
    began = time.process_time()
    camera_labels(text)
    return time.process_time() - began


def test_the_column_that_the_structural_captioner_makes_is_what_is_scored() -> None:
    """The two know of each other by these names alone."""
    from shotscribe.captioners.score import structure as _score_structure
    from shotscribe.captioners.structure.shots import STRUCTURE

    (subject,) = STRUCTURE["subjects"]
    assert set(_score_structure.FIELDS) == {*subject, *(name for name in STRUCTURE if name != "subjects")}
