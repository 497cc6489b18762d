"""What becomes of thoughts, system turns and what a model cannot be shown, on the real engine."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.timeout(900)

SCRIPT = """
import asyncio, json, sys
from dataclasses import asdict
from pathlib import Path

import numpy as np
from shotscribe.builder.contract.engine import Image, Message, Request, Unable, Video
from shotscribe.builder.contract.identity import pixel_hash
from shotscribe.captioners.engines import _vllm_running
from shotscribe.captioners.engines.vllm import Vllm

model, folder, options = sys.argv[1], Path(sys.argv[2]), json.loads(sys.argv[3])
pixels = np.full((64, 64, 3), [255, 0, 0], np.uint8)
red = Image(pixels, pixel_hash(pixels))
SCHEMA = {"type": "object", "properties": {"a": {"enum": ["x"]}}, "required": ["a"], "additionalProperties": False}


async def ask(engine, *parts, **sampling):
    turns = (Message("system", ("You see purple.",)), Message("user", parts))
    try:
        return asdict(await engine.complete(Request(turns, 12, **sampling)))
    except Unable as error:
        return {"unable": error.what, "said": str(error)}


async def main():
    said = {}
    same = {"chat_template": str(folder / "strict.jinja"), "reasoning_parser": "qwen3"}
    engine = await Vllm(model=model, **options, **same).start()

    async def like(**other):  # the same engine, as another recipe would have it
        parser = engine._parser if "reasoning_parser" in other else None
        running = _vllm_running.Running(Vllm(model=model, **options, **other), engine._engine, parser)
        await running.check()
        return running

    async def written(running):
        return (await running._written((Message("user", ("Hello.",)),)))["prompt"]

    thinks = await like(**same, chat_template_kwargs={"enable_thinking": True})
    deaf, plain = await like(chat_template=str(folder / "deaf.jinja")), await like()
    said["written"] = [await written(running) for running in (engine, thinks)]
    said["strict"] = await ask(engine, "Describe green.")
    said["deaf"] = await ask(deaf, "Describe green.")
    said["plain"] = await ask(plain, "Describe green.")
    said["folds"] = [running._folds for running in (engine, deaf, plain)]
    said["thinks"] = await ask(thinks, "Describe green.")
    said["schema"] = await ask(engine, "Describe green.", schema=SCHEMA)
    said["three"] = await ask(plain, red, red, red)
    said["two"] = await ask(plain, red, red)
    said["video"] = await ask(plain, Video((red, red), (0.0, 1.0), 2.0))
    await engine.close()
    print(json.dumps(said))


asyncio.run(main())
"""
STRICT = "{% if messages[0].role == 'system' %}{{ raise_exception('no system turn') }}{% endif %}"
DEAF = "{% set messages = messages | rejectattr('role', 'equalto', 'system') | list %}"
THINKS = "{% if enable_thinking %}<think>{% else %}<think></think>{% endif %}\n"


def test_thoughts_system_turns_and_what_cannot_be_shown(tmp_path: Path, truth_vlm: Path) -> None:
    template = (truth_vlm / "chat_template.jinja").read_text()
    (tmp_path / "strict.jinja").write_text(STRICT + template + THINKS)
    (tmp_path / "deaf.jinja").write_text(DEAF + template)
    (tmp_path / "script.py").write_text(f"if __name__ == '__main__':\n    exec({SCRIPT!r})")
    options = {
        "dtype": "float32",
        "enforce_eager": True,
        "max_model_len": 2048,
        "gpu_memory_utilization": 0.2,
        "limit_mm_per_prompt": {"image": 2, "video": 0},
        "arguments": {"distributed_executor_backend": "uni"},
    }
    words = [sys.executable, tmp_path / "script.py", truth_vlm, tmp_path, json.dumps(options)]
    done = subprocess.run(words, capture_output=True, text=True, timeout=880, check=False, env=os.environ)
    assert done.returncode == 0, done.stderr[-3000:]
    said: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])

    assert ["<think></think>" in prompt for prompt in said["written"]] == [True, False], (
        "thinking is off, unless asked for"
    )
    assert said["folds"] == [True, True, False], "a system turn that is refused, or left out, is told in the user's"
    assert [said[name]["text"].split() for name in ("strict", "deaf", "plain")] == [["purple", "green"]] * 3
    assert (said["thinks"]["text"], said["thinks"]["thought"]) == ("", True), "thoughts without an end are no answer"
    assert not said["strict"]["thought"]
    assert json.loads(said["schema"]["text"]) == {"a": "x"}
    assert said["three"]["unable"] == "several"
    assert "2 pictures in one request, and not 3" in said["three"]["said"]
    assert said["two"]["text"].split()[-1] == "red"
    assert said["video"] == {"unable": "video", "said": "the engine vllm: truth_vlm takes no video"}
