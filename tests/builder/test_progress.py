"""What a run shows: live on a terminal, plain in a log, and the funnel at the end."""

from __future__ import annotations

import io
import os
import pty
import re
import subprocess
import sys
import threading
from typing import Any, cast

import pytest
from rich.console import Console
from shotscribe.builder.progress import LOG_EVERY_S, Progress, closing_table, duration
from shotscribe.cards.record import BuildRecord

LONG = "duration + resolution + luma + blur + motion + camera_motion"
SCRIPT = """
import time
from shotscribe.builder.progress import Progress
with Progress() as progress:
    probe = progress.stage("probe", total=20, done=5)
    for _ in range(5):
        probe.advance(kept=2, rejected={"decode_error": 1})
        time.sleep(0.15)
    probe.finish()
    later = progress.stage("LONG", total=1234567)
    later.advance(kept=1)
    time.sleep(0.3)
"""


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def logged(clock: Clock) -> tuple[Progress, io.StringIO]:
    stream = io.StringIO()
    return Progress(Console(file=stream, width=80), clock=clock), stream


def run_script(columns: int, **environment: str) -> str:
    """Everything that the script writes to a terminal of so many columns."""
    main, other = pty.openpty()
    code = SCRIPT.replace("LONG", LONG)
    base = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "FORCE_COLOR", "COLUMNS")}
    with subprocess.Popen(
        [sys.executable, "-c", code],
        stderr=other,
        env={**base, "TERM": "xterm-256color", "COLUMNS": str(columns), **environment},
    ) as process:
        os.close(other)
        seen = b""
        while True:
            try:
                part = os.read(main, 65536)
            except OSError:  # the other end is closed
                break
            if not part:
                break
            seen += part
    os.close(main)
    assert process.returncode == 0
    return seen.decode()


def test_counts_and_speed() -> None:
    clock = Clock()
    progress, _ = logged(clock)
    stage = progress.stage("luma", total=100)
    assert (stage.done, stage.rate, stage.left_s) == (0, None, None)
    clock.now += 10
    stage.advance(kept=18, rejected={"decode_error": 1, "limit": 1})
    clock.now += 10
    stage.advance(kept=20)
    assert (stage.done, stage.kept, dict(stage.rejected)) == (40, 38, {"decode_error": 1, "limit": 1})
    assert stage.rate == pytest.approx(2)
    assert stage.left_s == pytest.approx(30)
    stage.advance(kept=-8, rejected={"below_min": 8})
    assert (stage.done, stage.kept, stage.rejected.total()) == (40, 30, 10)
    stage.finish()
    assert stage.left_s is None
    clock.now += 500
    assert stage.seconds == pytest.approx(20)
    assert progress.seconds() == {"luma": pytest.approx(20)}


def test_what_an_earlier_run_did_is_no_speed() -> None:
    clock = Clock()
    progress, _ = logged(clock)
    stage = progress.stage("luma", total=10_000, done=4000)
    clock.now += 30  # reading it takes a while
    stage.advance(cached=5000)
    assert (stage.done, stage.rate, stage.left_s) == (9000, None, None)
    for _ in range(10):
        clock.now += 1
        stage.advance(kept=10)
    assert stage.rate == pytest.approx(10)
    assert stage.left_s == pytest.approx(90)
    stage.finish()
    assert stage.rate == pytest.approx(10)


def test_the_time_that_an_engine_loads_is_no_speed() -> None:
    clock = Clock()
    progress, shown = logged(clock)
    stage = progress.stage("sliding", total=100)
    progress.say("engine vlm: loading on GPU 0")
    clock.now += 300
    progress.say("engine vlm: ready")
    clock.now += 10
    stage.advance(kept=20)
    assert stage.rate == pytest.approx(2)
    assert stage.left_s == pytest.approx(40)
    assert "engine vlm: ready" in shown.getvalue()


def test_the_speed_shown_is_that_of_the_last_minute() -> None:
    clock = Clock()
    progress, _ = logged(clock)
    stage = progress.stage("luma", total=100_000)
    for rate in (100, 10):
        for _ in range(200):
            clock.now += 1
            stage.advance(kept=rate)
    assert stage.rate == pytest.approx(10, rel=0.05)
    stage.finish()
    assert stage.rate == pytest.approx(55, rel=0.05)


def test_a_log_gets_a_plain_line_now_and_then_and_at_the_end() -> None:
    clock = Clock()
    progress, stream = logged(clock)
    with progress:
        stage = progress.stage("luma + [blur]", total=1000)
        for _ in range(100):
            clock.now += LOG_EVERY_S / 10
            stage.advance(kept=9, rejected={"decode_error": 1})
        stage.finish()
    lines = stream.getvalue().splitlines()
    assert len(lines) == 11
    assert lines[0] == "luma + [blur]: 100 of 1,000 clips, 20 a second, 90 kept, 10 rejected, 45s left"
    assert lines[-1] == "luma + [blur]: 1,000 of 1,000 clips, 20 a second, 900 kept, 100 rejected, took 50s"
    assert "\x1b" not in stream.getvalue()


def test_a_finished_run_says_so_in_one_line() -> None:
    clock = Clock()
    progress, stream = logged(clock)
    with progress:
        stage = progress.stage(LONG, total=10_000)
        clock.now += 0.2
        stage.advance(cached=10_000)
        stage.finish()
    assert stream.getvalue() == f"{LONG}: 10,000 of 10,000 clips, 10,000 kept, 0 rejected, took 0.2s\n"


def test_an_error_ends_it_quietly() -> None:
    progress, stream = logged(Clock())
    stage = progress.stage("luma", total=0)
    with pytest.raises(ZeroDivisionError), progress:
        stage.advance(kept=1 // stage.total)
    assert stream.getvalue() == ""


def test_clips_are_counted_from_many_threads() -> None:
    progress, _ = logged(Clock())
    stage = progress.stage("luma", total=40_000)

    def work() -> None:
        for _ in range(5000):
            stage.advance(kept=1, rejected={"limit": 1})

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (stage.done, stage.rejected["limit"]) == (40_000, 20_000)


@pytest.mark.parametrize("environment", [{}, {"FORCE_COLOR": "1"}, {"TERM": "dumb"}])
def test_no_control_characters_where_there_is_no_terminal(environment: dict[str, str]) -> None:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT.replace("LONG", LONG)],
        capture_output=True,
        check=True,
        env={**os.environ, **environment},
    )
    assert done.stdout == b""
    assert re.fullmatch(
        r"probe: 20 of 20 clips, [0-9.]+ a second, 15 kept, 5 rejected, took 0\.[0-9]s\n", done.stderr.decode()
    )


@pytest.mark.parametrize("columns", [80, 120])
def test_a_terminal_gets_a_live_line_for_each_stage(columns: int) -> None:
    screen = run_script(columns)
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", screen).replace("\r", "\n")
    assert all(len(line) <= columns for line in plain.split("\n"))
    probe, later = [line for line in plain.rstrip().split("\n") if "/" in line][-2:]
    assert re.match(r"probe +━+ +20/20 +[0-9.]+ +15 +5 +took 0\.[0-9]s", probe)
    assert re.match(r"duration \+ .*…? +━* +1/1,234,567 +[0-9.]+ +1 +0 +[0-9]+d [0-9]+h", later)
    assert "left" in plain
    assert screen.count("\x1b[2K") > 2  # redrawn in place
    assert "\x1b[36m" in screen


def test_no_color_is_honoured() -> None:
    assert not re.search(r"\x1b\[(3[0-9]|4[0-9]|9[0-7])", run_script(100, NO_COLOR="1"))


RECORD: Any = {
    "sources": [
        {"use": "folder", "license": None, "clips": 1200, "rejected": {"unreadable": 2}, "options": {}},
        {"use": "table", "license": None, "clips": 34, "rejected": {"bad_row": 3}, "options": {}},
    ],
    "steps": [
        {
            "name": "probe",
            "rows_in": 1234,
            "rows_out": 1230,
            "rejected": {"not_a_video": 1, "decode_error": 3},
            "options": {},
        },
        {
            "name": "luma",
            "rows_in": 1230,
            "rows_out": 1000,
            "rejected": {"below_min": 230},
            "options": {"below_min": {"min_luma": 200}},
        },
        {"name": "[blur]", "rows_in": 1000, "rows_out": 1000, "rejected": {}, "options": {}},
    ],
    "caption": "caption",
    "captioned": 990,
    "rows": 1000,
    "seconds": 7384.2,
    "bytes": 12_345_678,
}


def test_the_funnel() -> None:
    stream = io.StringIO()
    closing_table(cast(BuildRecord, RECORD), seconds={"luma": 75.0}, console=Console(file=stream, width=110))
    lines = [" ".join(line.split()) for line in stream.getvalue().splitlines()]
    assert lines == [
        "step in kept rejected why time",
        "sources 1,239 1,234 5 3 bad_row, 2 unreadable",
        "probe 1,234 1,230 4 3 decode_error, 1 not_a_video",
        "luma 1,230 1,000 230 200 below_min (min_luma), 30 below_min 1m 15s",
        "[blur] 1,000 1,000",
        "1,000 clips, 2h 03m of video, 12.3 MB, 990 of 1,000 captioned",
    ]
    assert "\x1b" not in stream.getvalue()


def test_the_funnel_goes_to_stdout(capsys: pytest.CaptureFixture[str]) -> None:
    closing_table(cast(BuildRecord, RECORD))
    shown = capsys.readouterr()
    assert "below_min" in shown.out
    assert shown.err == ""
    assert "time" not in shown.out


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(None, ""), (0, "0.0s"), (9.94, "9.9s"), (9.96, "10s"), (59.6, "1m 00s"), (3599.7, "1h 00m"), (90_000, "1d 01h")],
)
def test_durations(seconds: float | None, text: str) -> None:
    assert duration(seconds) == text
