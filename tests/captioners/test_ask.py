"""Asking until the answer is good: which tries are made, and what becomes of a caption that stays bad."""

from __future__ import annotations

import asyncio
import pickle
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError
from shotscribe.builder.contract.engine import Completion, Request, Unable
from shotscribe.builder.contract.errors import ClipError, Reason, RunError
from shotscribe.captioners.short import Short
from shotscribe.captioners.sliding import Sliding
from shotscribe.captioners.structural import Structural
from shotscribe.captioners.video import Video


class Answers:
    """Gives the answers in turn."""

    model, revision, slots = "test/model", "abc", None

    def __init__(self, *answers: Completion | ClipError | Unable) -> None:
        self.answers, self.requests = list(answers), list[Request]()

    async def complete(self, request: Request) -> Completion:
        self.requests.append(request)
        answer = self.answers.pop(0)
        if isinstance(answer, ClipError | Unable):
            raise answer
        return answer

    async def close(self) -> None:
        pass


def said(text: str, finish: Any = "stop") -> Completion:
    return Completion(text, finish, 100, 10)


def ask(engine: Answers, **options: Any) -> Any:
    return asyncio.run(Short(engine="vlm", **options).ask(engine))


def tries(engine: Answers) -> Sequence[tuple[int, float, int]]:
    return [(request.seed, request.temperature, request.max_tokens) for request in engine.requests]


def test_a_good_answer_is_asked_for_once() -> None:
    engine = Answers(said("A dog runs."))
    answer = ask(engine, temperature=0.1, seed=7)
    assert (answer.text, answer.status) == ("A dog runs.", "ok")
    assert tries(engine) == [(7, 0.1, 77)]
    assert answer.info == {
        "status": "ok",
        "model": "test/model",
        "revision": "abc",
        "prompt": Short(engine="vlm").prompt.hash,
        "frames": [],
        "seed": 7,
        "input_tokens": 100,
        "output_tokens": 10,
        "tries": 1,
        "request": engine.requests[0].key(),
        "hash": "",
    }


def test_a_bad_answer_is_asked_for_with_another_seed_and_some_chance_and_a_cut_one_with_more_tokens() -> None:
    engine = Answers(said(""), said("A dog runs across", "length"), said("A dog runs."))
    answer = ask(engine, max_tokens=20)
    assert tries(engine) == [(0, 0.0, 20), (1, 0.3, 20), (2, 0.3, 40)]
    assert (answer.text, answer.info["tries"], answer.info["seed"]) == ("A dog runs.", 3, 2)
    assert (answer.info["input_tokens"], answer.info["output_tokens"]) == (300, 30)


def test_what_stays_bad_is_rejected_or_kept_with_its_status() -> None:
    cut = [said("A dog", "length")] * 3
    with pytest.raises(ClipError) as caught:
        ask(Answers(*cut))
    assert caught.value.rejection.reason == Reason.BAD_CAPTION
    assert caught.value.rejection.detail == "truncated after 3 tries: 'A dog'"
    kept = ask(Answers(*cut), bad="keep")
    assert (kept.text, kept.status, kept.info["tries"]) == ("A dog", "truncated", 3)
    assert len(ask(engine := Answers(*cut), bad="keep", retries=0).text) == len(engine.requests) * 5


def test_tokens_that_went_into_thoughts_are_doubled_and_thoughts_alone_are_asked_for_again() -> None:
    thoughts = "<think>A dog, or is it a fox? It is a dog. It has"
    engine = Answers(said("", "length"), said(thoughts, "length"), said(f"{thoughts} ears.</think>\n\nA dog runs."))
    assert ask(engine, max_tokens=20).text == "A dog runs."
    assert [request.max_tokens for request in engine.requests] == [20, 40, 80]
    engine = Answers(*[said(thoughts)] * 3)
    with pytest.raises(ClipError, match=r"thinking after 3 tries: .*chat_template_kwargs of the engine"):
        ask(engine, max_tokens=20)
    assert [request.max_tokens for request in engine.requests] == [20, 20, 20]
    kept = ask(Answers(*[said(thoughts)] * 3), bad="keep")
    assert (kept.text, kept.status) == ("", "thinking")


def test_another_language_is_asked_for_again_and_a_list_rejects_no_clip() -> None:
    with pytest.raises(ClipError, match=r"language after 3 tries: .*option language"):
        ask(Answers(*[said("一只狗在草地上奔跑。")] * 3))
    assert ask(Answers(said("一只狗在草地上奔跑。")), language="zh").status == "ok"
    assert ask(Answers(said("一只狗在草地上奔跑。")), language=None).status == "ok"
    listed = ask(Answers(*[said("1. A dog runs.\n2. It barks.")] * 3))
    assert (listed.status, listed.info["tries"]) == ("list", 3)


@pytest.mark.parametrize(
    ("step", "what", "advice"),
    [
        (Short(engine="vlm"), "several", "set frames: 1, or use a model that takes more"),
        (Sliding(engine="vlm"), "several", "no option of this step shows fewer: use a model"),
        (Short(engine="vlm"), "one", "use another model"),
        (Structural(engine="vlm"), "video", "set input: images, or use another model"),
        (Video(engine="vlm"), "video", "use fast with layout: images, or frames"),
    ],
)
def test_what_an_engine_cannot_do_ends_the_run_with_the_option_to_change(step: Any, what: Any, advice: str) -> None:
    with pytest.raises(RunError) as caught:
        asyncio.run(step.ask(Answers(Unable("m cannot", what)), {"previous": "a"} if step.use == "sliding" else {}))
    assert str(caught.value).startswith(f"{step.use}: m cannot; ")
    assert advice in str(caught.value)
    assert pickle.loads(pickle.dumps(Unable("m cannot", what))).what == what  # noqa: S301


def test_a_retry_that_does_not_fit_the_context_ends_the_tries() -> None:
    overflow = ClipError(Reason.CONTEXT_OVERFLOW, "too long")
    kept = ask(Answers(said("A dog", "length"), overflow), bad="keep")
    assert (kept.status, kept.info["tries"]) == ("truncated", 1)
    with pytest.raises(ClipError, match="too long"):
        ask(Answers(overflow), bad="keep")
    with pytest.raises(ClipError, match="gone"):
        ask(Answers(said("", "stop"), ClipError(Reason.ENGINE_ERROR, "gone")), bad="keep")


def test_talk_of_frames_that_cannot_be_cut_rejects_no_clip_but_where_the_recipe_says_retry() -> None:
    talk = [said("The man sits where he sat in the second frame.")] * 3
    answer = ask(Answers(*talk))
    assert (answer.status, answer.info["tries"]) == ("mentions", 3)
    with pytest.raises(ClipError, match="mentions after 3 tries"):
        ask(Answers(*talk), mentions="retry")
    assert ask(Answers(*talk), mentions="keep").status == "ok"


def test_a_prompt_is_known_by_its_text_not_by_its_file(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text(Short(engine="vlm").prompt.text)
    (tmp_path / "b.txt").write_text("Something else.")
    same, other = (Short(engine="vlm", prompt=str(tmp_path / name)) for name in ("a.txt", "b.txt"))
    assert same.identity() == Short(engine="other-name").identity()
    assert other.identity() != same.identity()
    assert same.model_dump()["prompt"] == "a", "no path of this machine"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("Describe it.", r"win: the prompt lacks \{previous\}"),
        ("{previous} {colour}", r"win: nothing fills in \{colour\}; the fields of this prompt are \{previous\}, \{fr"),
        (" \n", "the file is empty"),
        (b"\xff\xfe", "not UTF-8"),
    ],
)
def test_a_prompt_file_that_does_not_fit_is_named(tmp_path: Path, text: str | bytes, problem: str) -> None:
    path = tmp_path / "win.txt"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(ValidationError, match=problem):
        Sliding(engine="vlm", prompt=str(path))


@pytest.mark.parametrize(("name", "problem"), [("slidng", "there is no prompt"), ("./gone.txt", "No such file")])
def test_a_prompt_that_is_not_there_is_named(name: str, problem: str) -> None:
    with pytest.raises(ValidationError, match=problem):
        Sliding(engine="vlm", prompt=name)


def test_what_is_filled_in_is_never_read_as_a_field_and_pictures_go_where_they_belong() -> None:
    prompt = Sliding(engine="vlm").prompt
    system, user = prompt.messages({"previous": "a {frames} and a {previous}"}, ["<1>", "<2>"])
    assert "{" not in system.parts[0]
    assert user.parts[:2] == ("<1>", "<2>")
    assert "a {frames} and a {previous}" in user.parts[2]


def test_an_answer_becomes_one_line_that_commands_no_terminal() -> None:
    answer = ask(Answers(said("A dog \x1b[31mruns.\x1b]0;title\x07\n\nThen it \u202estops.")))
    assert (answer.text, answer.status) == ("A dog runs. Then it stops.", "ok")
    schema = {"type": "object", "properties": {"what": {"type": "array", "items": {"type": "string"}}}}
    engine = Answers(said('{"what": ["a \\u001b[1mdog", "a\\ncat"]}'))
    answer = asyncio.run(Short(engine="vlm").ask(engine, schema=schema))
    assert answer.value == {"what": ["a dog", "a cat"]}
