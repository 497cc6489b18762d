"""The processes of an engine: clips go in, values come out, and what dies is found and replaced."""

from __future__ import annotations

import os
import re
import signal
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError
from pathlib import Path
from typing import Any

import pytest
from shotscribe.builder.contract.clip import Clip, Columns, Row, Values
from shotscribe.builder.contract.engine import Engine
from shotscribe.builder.contract.errors import Reason, RunError, StepError
from shotscribe.builder.contract.frames import Sampling
from shotscribe.builder.contract.limits import Decode
from shotscribe.builder.contract.step import ClipStep
from shotscribe.builder.run.executors.engine_process import _blind, _tellable
from shotscribe.builder.run.executors.engines import Engines
from shotscribe.builder.run.executors.pool import EnginePool
from shotscribe.builder.run.executors.process import EngineHost
from shotscribe.builder.store.completions import ClipLog, read_completions

# An engine whose answers are the questions, but for some: its process imports it by name, so it is a file.
SCRIPT = textwrap.dedent(
    """
    import asyncio, os, threading
    from pathlib import Path
    from typing import Any, Literal
    from shotscribe.builder.contract.frames import Sampling
    from shotscribe.builder.contract.engine import Completion, Engine, EngineDied, EngineSpec, Message, Request
    from shotscribe.builder.contract.errors import ClipError, Reason, RunError
    from shotscribe.builder.contract.step import ClipStep

    class Odd(Exception):
        def __init__(self, what, where):
            super().__init__(what)

    class Scripted(EngineSpec):
        use: Literal["scripted"] = "scripted"
        count: int = 1
        served: str
        at_start: str = ""
        delay_s: float = 0.01

        def processes(self, gpus: int) -> int:
            return self.count

        async def start(self, say):
            starts = Path(self.served + ".starts")
            starts.write_text((starts.read_text() if starts.exists() else "") + "x")
            if self.at_start == "dies the second time" and len(starts.read_text()) == 2:
                os._exit(4)
            if self.at_start == "refuses":
                raise RunError("no such model: nowhere/nothing")
            if self.at_start == "dies":
                print("CUDA out of memory, says the log", flush=True)
                os._exit(3)
            return Running(self)

    class Running(Engine):
        model, revision, slots = "scripted", "1", None

        def __init__(self, spec):
            self.spec = spec

        async def complete(self, request):
            text = request.messages[0].parts[0]
            with open(self.spec.served, "a") as served:
                served.write(f"{os.getpid()} {text}\\n")
            await asyncio.sleep(self.spec.delay_s)
            if "kills" in text:
                os._exit(9)
            if "engine is gone" in text:
                raise EngineDied("gone")
            if "bad key" in text:
                raise RunError("401: the key is wrong")
            if "no room" in text:
                raise ClipError(Reason.CONTEXT_OVERFLOW, "9000 tokens > 2048")
            if "odd error" in text:
                raise Odd("of a library", "of its own kind")
            if "cancelled" in text:
                raise asyncio.CancelledError
            if "bug" in text:
                raise ZeroDivisionError("a bug")
            return Completion(text.upper(), "stop", 3, 2)

    class Echo(ClipStep):
        use: Literal["echo"] = "echo"
        times: int = 1
        frames: bool = False

        def engine_name(self):
            return "it"

        def adds(self):
            return {"said": ["string"]}

        def samplings(self, row):
            return (Sampling(fractions=(0.0, 1.0)),) if self.frames else ()

        async def make(self, clip, engine):
            said = [f"{frame}" for sampling in self.samplings({}) for frame in clip.frames(sampling).hashes]
            for number in range(self.times):
                request = Request((Message("user", (f"{clip['text']} {number}",)),), 10)
                said.append((await engine.complete(request)).text)
            if "no pickle" in clip["text"]:
                said.append(threading.Lock())
            return {"said": said}
    """
)

Start = Callable[..., EnginePool]


@pytest.fixture(name="script")
def script_fixture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    (tmp_path / "scripted_engine.py").write_text(SCRIPT)
    monkeypatch.syspath_prepend(tmp_path)
    import scripted_engine

    yield scripted_engine
    del sys.modules["scripted_engine"]


@pytest.fixture(name="start")
def start_fixture(tmp_path: Path, script: Any) -> Iterator[Start]:
    running: list[Engines] = []

    def start(**options: Any) -> EnginePool:
        spec = script.Scripted(served=str(tmp_path / "served"), **options)
        host = EngineHost(
            {"it": spec},
            limits=Decode(timeout_s=20),
            media_folder=tmp_path,
            workers=2,
            gpus="all",
            logs=tmp_path / "logs",
            on_news=news.append,
        )
        running.append(Engines(host))
        return running[-1].pool("it")

    news: list[str] = []
    start.news = news  # type: ignore[attr-defined]
    yield start
    for engines in running:
        engines.close("it")


def submit(pool: EnginePool, script: Any, *texts: str, log: Path | None = None, **options: Any) -> list[Any]:
    """Have the texts captioned; what is in the log is known."""
    step, known = script.Echo(**options), read_completions(log) if log and log.is_file() else {}
    logs = {text: ClipLog(text, known.get(text, {}), log) for text in texts}
    return [pool.submit({"clip_id": text, "text": text}, [("echo", step)], logs[text]) for text in texts]


def served(tmp_path: Path) -> list[tuple[int, str]]:
    lines = (tmp_path / "served").read_text().splitlines()
    return [(int(pid), text) for pid, _, text in (line.partition(" ") for line in lines)]


def test_every_clip_gets_its_own_answer_from_two_processes(start: Start, script: Any, tmp_path: Path) -> None:
    pool = start(count=2, in_flight=8)
    texts = [f"clip {number}" for number in range(200)]
    made = [future.result(60) for future in submit(pool, script, *texts, times=2)]
    assert [one.values for one in made] == [{"echo": {"said": [f"{t.upper()} 0", f"{t.upper()} 1"]}} for t in texts]
    assert len({pid for pid, _ in served(tmp_path)}) == 2
    assert len(served(tmp_path)) == 400
    assert re.match(r"engine it: 400 requests answered, 800 tokens, .* a second; waited for frames ", pool.summary())


def test_completions_are_logged_and_never_paid_for_twice(start: Start, script: Any, tmp_path: Path) -> None:
    pool, log = start(), tmp_path / "log.jsonl"
    (first,) = submit(pool, script, "a", times=3, log=log)
    assert len(first.result(60).values["echo"]["said"]) == len(read_completions(log)["a"]) == 3
    (second,) = submit(pool, script, "a", times=5, log=log)
    assert second.result(60).values["echo"]["said"] == [f"A {number}" for number in range(5)]
    assert [text for _, text in served(tmp_path)] == [f"a {number}" for number in range(5)]


def test_a_bad_clip_is_rejected_and_the_others_go_on(start: Start, script: Any) -> None:
    made = [future.result(60) for future in submit(start(), script, "a", "no room", "b")]
    assert [one.rejection and one.rejection.reason for one in made] == [None, Reason.CONTEXT_OVERFLOW, None]
    assert made[1].failed == "echo"


@pytest.mark.parametrize(("text", "error"), [("bad key", RunError), ("bug", StepError)])
def test_what_is_wrong_with_the_run_is_raised(start: Start, script: Any, text: str, error: type[Exception]) -> None:
    futures = submit(start(), script, "a", text)
    with pytest.raises(error):
        futures[1].result(60)


@pytest.mark.parametrize("how", ["kills", "engine is gone"])
def test_the_clip_that_kills_its_engine_is_found_among_forty(start: Start, script: Any, how: str) -> None:
    texts = [*(f"clip {number}" for number in range(20)), f"it {how}", *(f"clip {n}" for n in range(20, 40))]
    made = [future.result(100) for future in submit(start(in_flight=64), script, *texts)]
    rejected = [text for text, one in zip(texts, made, strict=True) if one.rejection]
    assert rejected == [f"it {how}"]
    (rejection,) = [one.rejection for one in made if one.rejection]
    assert rejection.reason == Reason.ENGINE_ERROR
    assert "the engine died 3 times" in rejection.detail
    assert [one.values["echo"]["said"] for one in made if not one.rejection] == [
        [f"{text.upper()} 0"] for text in texts if "clip" in text
    ]
    assert sum("died" in line for line in start.news) == 3  # type: ignore[attr-defined]


def test_an_engine_that_is_killed_loses_nothing_and_repeats_only_what_it_was_doing(
    start: Start, script: Any, tmp_path: Path
) -> None:
    pool = start(in_flight=4, delay_s=0.05)
    futures = submit(pool, script, *(f"clip {number}" for number in range(12)), times=4)
    while not (tmp_path / "served").exists() or len(served(tmp_path)) < 14:
        time.sleep(0.01)
    os.kill(served(tmp_path)[0][0], signal.SIGKILL)
    made = [future.result(60) for future in futures]
    assert [one.rejection for one in made] == [None] * 12
    assert [one.values["echo"]["said"] for one in made] == [
        [f"CLIP {number} {ask}" for ask in range(4)] for number in range(12)
    ]
    assert len(served(tmp_path)) - 48 <= 4, "no more than the requests in flight are asked again"


def test_an_engine_that_is_stopped_is_ended_and_its_clips_are_tried_again(
    start: Start, script: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As by SIGSTOP, or where its loop is stuck: it dies of nothing, and answers nobody."""
    monkeypatch.setattr("shotscribe.builder.run.executors.process._SILENT_S", 6)
    pool = start(in_flight=4, delay_s=0.05)
    futures = submit(pool, script, *(f"clip {number}" for number in range(8)), times=4)
    while not (tmp_path / "served").exists():
        time.sleep(0.01)
    os.kill(served(tmp_path)[0][0], signal.SIGSTOP)
    assert [future.result(60).rejection for future in futures] == [None] * 8
    assert [line for line in start.news if "gave no sign of life for 6 s" in line]  # type: ignore[attr-defined]
    time.sleep(7)
    (calm,) = submit(pool, script, "later")
    assert calm.result(60).rejection is None
    assert len({pid for pid, _ in served(tmp_path)}) == 2, "one that only waits is alive"


@pytest.mark.parametrize("text", ["odd error", "no pickle", "cancelled"])
def test_what_cannot_be_sent_is_said_in_words_and_nobody_waits_for_it(start: Start, script: Any, text: str) -> None:
    first, second = submit(start(), script, text, "a")
    with pytest.raises(StepError, match=r"echo: clip .*(Odd: of a library|its said is .*lock|CancelledError)"):
        first.result(30)
    assert second.result(30).values


def test_an_engine_that_dies_of_everything_ends_the_run(start: Start, script: Any) -> None:
    futures = submit(start(in_flight=64), script, *(f"it kills {number}" for number in range(40)))
    with pytest.raises(RunError, match="died 5 times"):
        [future.result(60) for future in futures]


def test_a_replacement_that_dies_while_it_loads_is_replaced_in_its_turn(
    start: Start, script: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shotscribe.builder.run.executors.process._PAUSE_S", 0)
    pool = start(delay_s=0.05, at_start="dies the second time")
    futures = submit(pool, script, *(f"clip {number}" for number in range(8)), times=3)
    while not (tmp_path / "served").exists():
        time.sleep(0.01)
    os.kill(served(tmp_path)[0][0], signal.SIGKILL)
    assert all(future.result(60).values for future in futures)
    assert (tmp_path / "served.starts").read_text() == "xxx"


@pytest.mark.parametrize("how", ["refuses", "dies"])
def test_two_processes_that_cannot_start_end_the_run_once(start: Start, script: Any, how: str) -> None:
    for _ in range(5):
        pool = start(count=2, at_start=how)
        with pytest.raises(RunError):
            submit(pool, script, "a", "b")[0].result(30)
        pool.stop()


def test_a_clip_that_cannot_be_decoded_keeps_what_was_made_without_its_frames(
    start: Start, script: Any, tmp_path: Path
) -> None:
    (tmp_path / "b.mp4").write_bytes(b"no video")
    row = {
        "clip_id": "b",
        "text": "b",
        "media": str(tmp_path / "b.mp4"),
        "start": 0.0,
        "end": 1.0,
        "duration": 1.0,
        "interlaced": False,
    }
    steps = [("words", script.Echo()), ("eyes", script.Echo(frames=True)), ("more", script.Echo())]
    made = start().submit({**row, "width": 64, "height": 64}, steps, ClipLog("a", {}, None)).result(60)
    assert (made.failed, made.rejection.reason) == ("eyes", Reason.UNREADABLE)
    assert made.values == {"words": {"said": ["B 0"]}}


def test_one_engine_at_a_time_has_the_gpus(script: Any, tmp_path: Path) -> None:
    class OnGpu(script.Scripted):
        def gpus_each(self) -> int:
            return 1

    specs = {"a": OnGpu(served="a"), "b": OnGpu(served="b"), "remote": script.Scripted(served="c")}
    host = EngineHost(
        specs, limits=Decode(), media_folder=tmp_path, workers=1, gpus=0, logs=tmp_path, on_news=lambda line: None
    )
    with Engines(host) as engines:
        first, remote = engines.pool("a"), engines.pool("remote")
        second = engines.pool("b")
        assert first.stopped
        assert not second.stopped
        assert engines.pool("remote") is remote
        assert engines.pool("a") is not first


def test_an_engine_that_cannot_start_says_why(start: Start, script: Any) -> None:
    with pytest.raises(RunError, match="no such model: nowhere/nothing"):
        submit(start(at_start="refuses"), script, "a")[0].result(60)


def test_an_engine_that_dies_while_it_loads_shows_the_end_of_its_log(start: Start, script: Any) -> None:
    with pytest.raises(RunError, match=r"(?s)ended while it was loading \(exit code 3\).*CUDA out of memory"):
        submit(start(at_start="dies"), script, "a")[0].result(60)


def test_frames_come_decoded_and_named_and_a_clip_without_any_is_rejected(
    start: Start, script: Any, tmp_path: Path, encode: Any, moving: Any
) -> None:
    path = encode(tmp_path / "a.mp4", moving(20))
    (tmp_path / "b.mp4").write_bytes(b"no video")
    rows = [
        {
            "clip_id": name,
            "text": name,
            "media": str(tmp_path / f"{name}.mp4"),
            "start": 0.0,
            "end": 20 / 30,
            "duration": 20 / 30,
            "width": 160,
            "height": 96,
            "interlaced": False,
        }
        for name in "ab"
    ]
    pool = start()
    log = ClipLog("a", {}, None)
    good, bad = (pool.submit(row, [("echo", script.Echo(frames=True))], log).result(60) for row in rows)
    assert path.exists()
    hashes = good.values["echo"]["said"][:2]
    assert len(set(hashes)) == 2
    assert all(len(found) == 32 for found in hashes)
    assert (bad.failed, bad.rejection.reason) == ("echo", Reason.UNREADABLE)


def test_stopping_cancels_what_waits_and_ends_the_processes(start: Start, script: Any, tmp_path: Path) -> None:
    pool = start(in_flight=2, delay_s=60)
    futures = submit(pool, script, "a", "b", "c")
    while not (tmp_path / "served").exists() or len(served(tmp_path)) < 2:
        time.sleep(0.01)
    (pid, _), *_ = served(tmp_path)
    pool.stop()
    assert all(future.done() for future in futures)
    assert not Path(f"/proc/{pid}").exists()
    assert submit(pool, script, "d")[0].cancelled()
    assert all(isinstance(future.exception(), CancelledError) for future in futures)


def test_a_full_disk_ends_the_run_not_the_thread(start: Start, script: Any) -> None:
    pool = start()
    with pytest.raises(RunError, match=r"/dev/full: cannot write: No space left.* free some space"):
        submit(pool, script, "a", log=Path("/dev/full"))[0].result(60)
    assert submit(pool, script, "b")[0].result(60).values
    assert threading.active_count() < 50


class Sees(ClipStep):
    """Adds one column, and chooses its frames by another, if it looks at any."""

    use: str = "sees"
    adds_column: str
    by: str | None = None

    def reads(self) -> Columns:
        return {self.by: "float64"} if self.by else {}

    def adds(self) -> Columns:
        return {self.adds_column: "float64"}

    def samplings(self, row: Row) -> tuple[Sampling, ...]:
        return (Sampling(times=(row[self.by],)),) if self.by else ()

    def make(self, clip: Clip, engine: Engine) -> Values:
        raise NotImplementedError


def test_a_step_waits_for_what_it_chooses_its_frames_by() -> None:
    steps = [(name, Sees(adds_column=name, by=by)) for name, by in (("a", None), ("b", "a"), ("c", None), ("d", "b"))]
    parts, row = list[list[str]](), dict[str, Any](clip_id="x")
    while rest := steps[sum(map(len, parts)) :]:
        part = _tellable(row, rest)
        part = _blind(row, part) or part
        parts.append([name for name, _ in part])
        row = {**row, **dict.fromkeys(parts[-1], 0.5)}
    assert parts == [["a"], ["b", "c"], ["d"]]
