"""Starts a vLLM engine: what vLLM reads from the environment is set before it is imported."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING

from ...builder.contract.engine import Engine
from ...builder.contract.errors import RunError

if TYPE_CHECKING:
    from .vllm import Vllm


async def started(spec: Vllm, say: Callable[[str], None]) -> Engine:
    """Load the model. Raises RunError."""
    os.environ.setdefault("VLLM_NO_USAGE_STATS", "1")
    os.environ.setdefault("VLLM_LOGGING_LEVEL", "WARNING")
    os.environ.setdefault("VLLM_WORKER_MULTIPROC_METHOD", "spawn")
    if spec.is_local:
        os.environ.setdefault("HF_HUB_OFFLINE", "1")  # else the Hub is asked for files that a folder may lack
    try:
        from ._vllm_running import load
    except ImportError as error:
        raise RunError(
            f'the engine vllm cannot be imported: {error}; pip install "shotscribe[gpu]" brings a release that fits'
        ) from error
    return await load(spec)
