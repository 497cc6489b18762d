"""Counts the pictures that vLLM's vision encoder is given, a line a batch in the file that ENCODED names.

Loaded by vLLM's own workers, as their `worker_extension_cls`.
"""

from __future__ import annotations

import os
from typing import Any

from vllm.v1.worker.gpu_model_runner import GPUModelRunner

_batch = GPUModelRunner._batch_mm_inputs_from_scheduler


def _counted(self: Any, scheduler_output: Any) -> Any:
    made = _batch(self, scheduler_output)
    if made[0] and "ENCODED" in os.environ:
        with open(os.environ["ENCODED"], "a") as file:  # noqa: PTH123  (one write a line: several workers append)
            file.write("".join(f"{name}\n" for name in made[0]))
    return made


GPUModelRunner._batch_mm_inputs_from_scheduler = _counted


class Counting:
    """Nothing to add to a worker but what loading this module did."""
