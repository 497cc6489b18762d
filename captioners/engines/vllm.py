"""vLLM in this machine's own processes: one for each GPU, or for each group of GPUs that shares a large model."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, ClassVar, Literal

from pydantic import Field, JsonValue, field_validator

from ...builder.contract.engine import EngineSpec
from ...builder.contract.identity import Json
from ...builder.contract.locations import RecipePath
from ...builder.contract.markers import Placement
from ...builder.contract.model import ModelRef

_OURS = frozenset(
    {
        *("tensor_parallel_size", "pipeline_parallel_size", "data_parallel_size", "tokenizer", "code_revision"),
        *("hf_token", "disable_log_stats", "structured_outputs_config"),
    }
)


class Vllm(ModelRef, EngineSpec):
    """A model of the Hub or a local folder, run by vLLM. The model is loaded once in each process, and the processes
    share the run's clips.

    Where the model's template knows no system turn, or leaves it out, its text is put before the user's. A model that
    cannot do what a step asks (pictures, a video) ends the run before any clip is rejected.
    """

    version: ClassVar[int] = 2
    runtime: ClassVar[str] = "_vllm_engine"
    use: Literal["vllm"] = "vllm"
    tensor_parallel: Placement[int] = Field(default=1, ge=1)
    """GPUs that share one copy of the model."""
    replicas: Placement[Annotated[int, Field(ge=1)] | Literal["auto"]] = "auto"
    """Copies of the model, each in a process of its own; `auto` is as many as the GPUs hold, or one without a GPU."""
    dtype: Literal["auto", "bfloat16", "float16", "float32"] = "auto"
    """Of the weights and activations; `auto` is what the model says."""
    quantization: str | None = None
    """A way of vLLM's to quantize the weights, such as fp8; none, if left out, but what the model itself brings."""
    max_model_len: int | None = Field(default=None, ge=16)
    """Tokens of a prompt and its answer together; the model's own limit, if left out."""
    gpu_memory_utilization: Placement[float | None] = Field(default=None, gt=0, le=1)
    """The share of a GPU's memory that vLLM takes, beside engines that say theirs. Left out: it takes 0.9, has the GPU
    for itself, and takes turns with the others."""
    max_num_seqs: Placement[int | None] = Field(default=None, ge=1)
    """Requests that are decoded at once; vLLM's choice, if left out."""
    max_num_batched_tokens: Placement[int | None] = Field(default=None, ge=16)
    """Tokens of one step of the engine; vLLM's choice, if left out."""
    limit_mm_per_prompt: Placement[dict[Literal["image", "video"], int] | None] = None
    """The most images and videos of one prompt; vLLM sets memory aside for them."""
    mm_processor_cache_gb: Placement[float] = Field(default=4, ge=0)
    """Gigabytes of main memory for processed frames: a frame that two windows see is processed once."""
    encoder_cache_tokens: Placement[int] = Field(default=131_072, ge=0)
    """Tokens of encoded frames that are kept on the GPU, 0.9 GB for a model of 7B: a frame that two windows see is
    encoded once."""
    mm_processor_kwargs: dict[str, JsonValue] = Field(default={})
    """Options of the model's own processor, such as {max_pixels: 602112}."""
    chat_template: RecipePath | None = None
    """A Jinja file that turns a conversation into a prompt; the model's own, if left out."""
    chat_template_kwargs: dict[str, JsonValue] = Field(default={})
    """Arguments of the chat template. Thinking is off, by the names enable_thinking and thinking, unless they are given
    here: {enable_thinking: true}. A template does not read what it does not know."""
    reasoning_parser: str | None = Field(default=None, min_length=1)
    """vLLM's parser that tells the model's thoughts from its answer, such as qwen3: for a model that thinks. Structured
    answers are then decoded under their schema once the thoughts have ended."""
    enforce_eager: Placement[bool] = False
    """Starts sooner and runs slower: no CUDA graphs."""
    trust_remote_code: bool = False
    """Runs Python code that comes with the model: only for a model whose code you have read."""
    arguments: dict[str, JsonValue] = Field(default={})
    """Further arguments of vLLM's engine, by their names in `AsyncEngineArgs`."""
    timeout_s: Placement[float] = Field(default=900, gt=0)
    """Seconds after which a request is given up and its clip rejected."""

    @field_validator("arguments", mode="after")
    @classmethod
    def _check_arguments(cls, arguments: dict[str, JsonValue]) -> dict[str, JsonValue]:
        for name in arguments:
            if name in cls.model_fields or name in _OURS:
                raise ValueError(f"arguments: {name} is set by this engine's own options, or is not for a recipe")
        return arguments

    def requires(self) -> Mapping[str, str]:
        return {"vllm": "gpu"}

    def identity(self) -> Json:
        made = EngineSpec.identity(self)
        template = None if self.chat_template is None else self.chat_template.read_text("utf-8")
        hidden = ("model", "revision", "chat_template")
        return {
            **{name: value for name, value in made.items() if name not in hidden},
            **ModelRef.identity(self),
            "chat_template": template,
        }

    def processes(self, gpus: int) -> int:
        most = max(1, gpus // self.tensor_parallel)
        return most if self.replicas == "auto" else min(self.replicas, most) if gpus else self.replicas

    def gpus_each(self) -> int:
        return self.tensor_parallel

    def gpu_share(self) -> float | None:
        return self.gpu_memory_utilization

    @property
    def shown(self) -> tuple[str, str]:
        """Model and revision as published: of a folder its name and the start of its content's hash."""
        if self.is_local:
            return Path(self.model).name, f"sha256:{ModelRef.identity(self)['sha256'][:16]}"
        return self.model, str(self.revision)
