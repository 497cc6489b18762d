"""A running vLLM engine: with `_vllm_requests.py` the only module that imports vllm.

It imports all that it uses when it is loaded: what another release lacks is found when the engine starts, not in the
middle of a run.
"""

from __future__ import annotations

import asyncio
import itertools
import re
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from vllm.config import StructuredOutputsConfig
from vllm.engine.arg_utils import AsyncEngineArgs
from vllm.entrypoints.openai.chat_completion.protocol import ChatCompletionRequest
from vllm.exceptions import VLLMError
from vllm.platforms import current_platform
from vllm.reasoning import ReasoningParserManager
from vllm.renderers.params import ChatParams
from vllm.usage.usage_lib import UsageContext
from vllm.utils.mistral import is_mistral_tokenizer
from vllm.v1.engine.async_llm import AsyncLLM
from vllm.v1.engine.exceptions import EngineDeadError

from ...builder.contract.engine import Completion, Engine, EngineDied, Image, Message, Request, Unable, Video
from ...builder.contract.errors import ClipError, Reason, RunError
from ...builder.contract.identity import Json
from ._chat import folded
from ._template import template_arguments
from ._vllm_requests import sampling_of, turn, video_of

if TYPE_CHECKING:
    from .vllm import Vllm

_TOO_MUCH = ("input_tokens", "image", "video")  # what vLLM's errors about prompts that do not fit are about
_ALONE = 0.9  # of a GPU's memory
_MARKER = "system-turn-test"
_OVERFLOW = re.compile(r"maximum (context|model) length|encoder cache", re.IGNORECASE)


_AS_THEY_ARE = (
    *("model", "revision", "trust_remote_code", "dtype", "quantization", "max_model_len", "max_num_seqs"),
    *("max_num_batched_tokens", "limit_mm_per_prompt", "mm_processor_cache_gb"),
    "enforce_eager",
)


async def load(spec: Vllm) -> Running:
    """Load the model. Raises RunError."""
    try:
        parser = None if spec.reasoning_parser is None else _parser(spec.reasoning_parser)
        config = AsyncEngineArgs(**_arguments(spec)).create_engine_config(UsageContext.LLM_CLASS)
        _keep_frames(config, tokens=spec.encoder_cache_tokens)
        engine = AsyncLLM.from_vllm_config(config, usage_context=UsageContext.LLM_CLASS, disable_log_stats=True)
        running = Running(spec, engine, parser)
        await running.check()
    except (ImportError, OSError, RuntimeError, TypeError, ValueError, VLLMError) as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise RunError(f"the engine vllm cannot start the model {spec.shown[0]}: {reason}") from error
    return running


def _parser(name: str) -> Any:
    """vLLM's class that takes thoughts out of an answer. Raises ValueError."""
    try:
        return ReasoningParserManager.get_reasoning_parser(name)
    except KeyError:
        known = ", ".join(ReasoningParserManager.list_registered())
        raise ValueError(f'reasoning_parser "{name}" is none of vLLM\'s: {known}') from None


def _arguments(spec: Vllm) -> Json:
    """vLLM's names for what a recipe says; what it leaves out is vLLM's own choice."""
    given = {name: getattr(spec, name) for name in _AS_THEY_ARE}
    return {
        **{name: value for name, value in given.items() if value is not None},
        "gpu_memory_utilization": spec.gpu_memory_utilization or _ALONE,
        "tensor_parallel_size": spec.tensor_parallel,
        "mm_processor_kwargs": dict(spec.mm_processor_kwargs) or None,
        # whitespace between the parts of a structured answer is bounded by nothing else
        "structured_outputs_config": StructuredOutputsConfig(
            backend="xgrammar", disable_any_whitespace=True, reasoning_parser=spec.reasoning_parser or ""
        ),
        **spec.arguments,
    }


def _keep_frames(config: Any, *, tokens: int) -> None:
    """Keep the encoder's output of so many tokens of frames, out of the share of the GPU's memory that the engine has.

    vLLM keeps as many tokens as a batch has: less than two windows of each of 256 clips see, so that when a clip's next
    window comes, the frame that it shares with the last would have to be encoded once more.
    """
    model, scheduler = config.model_config, config.scheduler_config
    more = tokens - scheduler.encoder_cache_size
    if not model.is_multimodal_model or more <= 0:
        return
    scheduler.encoder_cache_size = tokens
    if current_platform.is_cuda_alike():
        vision = getattr(model.hf_config, "vision_config", None)
        layers = 1 + len(getattr(vision, "deepstack_visual_indexes", None) or ())  # Qwen3-VL keeps several
        size = more * model.get_hidden_size() * layers * model.dtype.itemsize
        config.cache_config.gpu_memory_utilization -= size / current_platform.get_device_total_memory()


class Running(Engine):
    def __init__(self, spec: Vllm, engine: Any, parser: Any) -> None:
        self._answered = time.monotonic()
        self.model: str = spec.shown[0]
        self.revision: str | None = spec.shown[1]
        self._engine, self._spec = engine, spec
        self._numbers = itertools.count()
        self.slots: int | None = engine.vllm_config.scheduler_config.max_num_seqs
        self._parser, self._thinking = parser, template_arguments(spec.chat_template_kwargs)
        self._folds = self._several = False
        processor = engine.renderer.mm_processor
        self._limits: dict[str, int] = {} if processor is None else dict(processor.info.allowed_mm_limits)
        template = None if spec.chat_template is None else spec.chat_template.read_text("utf-8")
        self._chat = ChatParams(
            chat_template=template,
            chat_template_kwargs={
                **self._thinking,
                "add_generation_prompt": True,
                "continue_final_message": False,
                "tokenize": is_mistral_tokenizer(engine.renderer.tokenizer),
            },
        )

    async def check(self) -> None:
        """Raises ValueError where the model cannot hold a conversation; finds out whether it knows a system turn."""
        user = Message("user", ("A test.",))
        try:
            await self._written((user,))
        except (ValueError, VLLMError) as error:
            raise ValueError(
                f"{error}; a captioner needs a model with a chat template: name a Jinja file as `chat_template`"
            ) from error
        try:
            written = await self._written((Message("system", (_MARKER,)), user))
        except (ValueError, VLLMError):
            self._folds = True
        else:
            self._folds = _MARKER not in written.get("prompt", _MARKER)

    def _check_media(self, request: Request) -> None:
        """Raises Unable where the model cannot be shown what a request shows, whatever the clip."""
        parts = [part for message in request.messages for part in message.parts]
        images, limit = sum(isinstance(part, Image) for part in parts), self._limits.get("image", 0)
        name = f"the engine vllm: {self.model}"
        if any(isinstance(part, Video) for part in parts) and not self._limits.get("video"):
            raise Unable(f"{name} takes no video", "video")
        if images and not limit:
            raise Unable(f"{name} takes no pictures", "one")
        if images > limit and not self._several:  # else it is this clip that has more than others
            raise Unable(f"{name} takes {limit} pictures in one request, and not {images}", "several")

    async def complete(self, request: Request) -> Completion:
        self._check_media(request)
        try:
            async with asyncio.timeout(self._spec.timeout_s):
                result = await self._result(request)
                if result.outputs[0].finish_reason == "error":  # it had forgotten a frame that we took it to know
                    result = await self._result(request)
        except TimeoutError:
            if time.monotonic() - self._answered >= self._spec.timeout_s:
                raise EngineDied(f"no request was answered in {self._spec.timeout_s:g} s") from None
            raise ClipError(Reason.TIMEOUT, f"no answer after {self._spec.timeout_s:g} s") from None
        except EngineDeadError as error:
            raise EngineDied(str(error)) from error
        except (ValueError, VLLMError) as error:
            told = error.__cause__ or error  # a failure that is no request's fault comes wrapped, without a word
            line = (str(told).strip().splitlines() or [type(told).__name__])[0][:300]
            raise ClipError(Reason.CONTEXT_OVERFLOW if _too_much(told) else Reason.ENGINE_ERROR, line) from error
        self._answered = time.monotonic()
        said = result.outputs[0]
        if said.finish_reason not in ("stop", "length"):
            raise ClipError(Reason.ENGINE_ERROR, f"the engine ended the answer: {said.finish_reason}")
        self._several = self._several or sum(isinstance(p, Image) for m in request.messages for p in m.parts) > 1
        thoughts, text = self._parted(said.text)
        return Completion(
            text=text,
            finish=said.finish_reason,
            input_tokens=len(result.prompt_token_ids),
            output_tokens=len(said.token_ids),
            thought=bool(thoughts),
        )

    def _parted(self, text: str) -> tuple[str, str]:
        """Thoughts and answer, by the parser that the recipe names: a new one each time, as it has a state."""
        if self._parser is None:
            return "", text
        parser = self._parser(self._engine.renderer.tokenizer, chat_template_kwargs=self._thinking)
        request = ChatCompletionRequest(messages=[], chat_template_kwargs=self._thinking)
        thoughts, answer = parser.extract_reasoning(text, request)
        return thoughts or "", answer or ""

    async def _result(self, request: Request) -> Any:
        prompt = await self._prompt(request)
        result: Any = None
        parsing = {"reasoning_parser_kwargs": {"chat_template_kwargs": self._thinking}} if self._parser else {}
        sampling = sampling_of(request, marks=self._parser is not None)
        async for output in self._engine.generate(prompt, sampling, f"{next(self._numbers)}", **parsing):
            result = output
        return result

    async def _prompt(self, request: Request) -> Any:
        """The conversation as the model's own template and processor write it.

        vLLM's chat takes a video as a URL only. Here it goes in as a placeholder by its hash, and its frames, with
        their times, beside it.
        """
        renderer = self._engine.renderer
        videos = [part for message in request.messages for part in message.parts if isinstance(part, Video)]
        prompt = await self._written(folded(request.messages) if self._folds else request.messages)
        if videos:
            prompt["multi_modal_data"]["video"] = [video_of(video) for video in videos]
        tokenizing = renderer.default_chat_tok_params.with_kwargs(add_special_tokens=False)  # the template has them
        (rendered,) = await renderer.render_cmpl_async([prompt], tokenizing)
        return rendered

    async def _written(self, messages: Sequence[Message]) -> Any:
        """The conversation by the model's template."""
        renderer = self._engine.renderer
        _, prompt = await renderer.render_messages_async([turn(message) for message in messages], self._chat)
        return prompt

    async def close(self) -> None:
        self._engine.shutdown()


def _too_much(error: BaseException) -> bool:
    return getattr(error, "parameter", None) in _TOO_MUCH or _OVERFLOW.search(str(error)) is not None
