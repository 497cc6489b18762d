"""What the engines that run a model on torch share: their options, how they load, and what they do without memory."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import ClassVar, Literal, TypeVar

import numpy as np
from pydantic import Field

from ...builder.contract.engine import Engine, EngineSpec, Vectors
from ...builder.contract.errors import RunError
from ...builder.contract.identity import Json
from ...builder.contract.markers import Placement
from ...builder.contract.model import ModelRef
from ._batches import Batches

T = TypeVar("T")


class TorchEngine(ModelRef, EngineSpec):
    """A model that makes vectors: one copy a GPU, or one on the CPU where there is none."""

    modules: ClassVar[tuple[str, ...]] = ("torch", "transformers")

    batch: Placement[int] = Field(default=64, ge=1)
    """Texts or pictures that go through the model at once, of however many clips."""
    dtype: Literal["float32", "bfloat16"] = "float32"
    """Of the weights and activations. float32 gives the same to five digits with and without a GPU; bfloat16 two or
    three, several times as fast on a GPU."""
    gpu_memory_utilization: Placement[float | None] = Field(default=None, gt=0, le=1)
    """The share of a GPU's memory that it keeps to, beside engines that say theirs. Left out: it has the GPU for
    itself, and takes turns with the others."""

    def requires(self) -> Mapping[str, str]:
        return dict.fromkeys(self.modules, "models")

    def identity(self) -> Json:
        made = EngineSpec.identity(self)
        return {
            **{name: value for name, value in made.items() if name not in ("model", "revision")},
            **ModelRef.identity(self),
        }

    def processes(self, gpus: int) -> int:
        return max(1, gpus)

    def gpus_each(self) -> int:
        return 1

    def gpu_share(self) -> float | None:
        return self.gpu_memory_utilization


def place(spec: TorchEngine) -> Json:
    """Device and dtype for the model, as arguments of `.to`; no more of the device's memory is used than the engine may
    have. Quiets transformers.
    """
    import torch
    import transformers

    transformers.logging.set_verbosity_error()  # else it lists the weights that are not used, one by one
    transformers.logging.disable_progress_bar()
    there = torch.cuda.is_available()
    if there and spec.gpu_memory_utilization is not None:
        torch.cuda.set_per_process_memory_fraction(spec.gpu_memory_utilization)
    return {"device": "cuda" if there else "cpu", "dtype": getattr(torch, spec.dtype)}


async def loaded(spec: TorchEngine, load: Callable[[], T]) -> T:
    """Load a model in a thread. Raises RunError that says why it cannot be had."""
    try:
        return await asyncio.to_thread(load)
    except ImportError as error:
        raise RunError(f'the engine {spec.use}: {error}; pip install "shotscribe[models]"') from error
    except (OSError, RuntimeError, ValueError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise RunError(f"the engine {spec.use}: cannot load the model {spec.model}: {reason}") from error


_AT_ONCE = 2  # while the model works on one batch, the next is brought to it
_SORTED = 16  # batches of texts that are sorted by length together, so that little of each is padding


def batches(spec: TorchEngine, run: Callable[[Sequence[T]], Vectors], *, most: int) -> Batches[T, Vectors]:
    """Batches of a model on torch: what the device's memory does not hold ends the run with the option to change."""

    def explained(error: Exception) -> RunError | None:
        import torch

        if not isinstance(error, torch.OutOfMemoryError):
            return None
        return RunError(
            f"the engine {spec.use} has too little memory on the GPU for a batch of {spec.batch}; "
            "lower its option batch, or raise gpu_memory_utilization"
        )

    return Batches(run, most=most, at_once=_AT_ONCE, explained=explained)


class TextEncoder(ABC, Engine):
    """A running engine that embeds texts. A subclass encodes them, a few batches at a time."""

    def __init__(self, spec: TorchEngine) -> None:
        self.model, self.revision = spec.model, spec.revision
        self._batches = batches(spec, self._encoded, most=_SORTED * spec.batch)

    async def embed_texts(self, texts: Sequence[str]) -> Vectors:
        return np.stack(await self._batches.results(texts))

    @abstractmethod
    def _encoded(self, texts: Sequence[str]) -> Vectors:
        """Vectors (n, d)."""
