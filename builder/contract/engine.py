"""The contract of an engine: what answers a step's requests. A step never knows which one it has.

A recipe names engines once, under `engines`, and its steps use them by name. An engine is a file in
`captioners/engines/` with one public class, an `EngineSpec`, whose fields are its YAML. It is started in a process of
its own (`executors/engines.py`), once, and answers hundreds of requests at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from typing import ClassVar, Literal

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field

from .errors import RunError
from .frames import Images
from .identity import Json, canonical_json, json_hash, text_hash
from .markers import PLACEMENT, Placement, marked
from .own_code import code_of

Ask = Literal["complete", "embed_images", "embed_texts", "classify", "read_text"]
"""What may be wanted of an engine, by the names of its methods."""

Layer = Literal["cls", "projected"]
"""Of an image encoder: what the last layer gives at its first token, or the embedding that texts are compared with."""

Vectors = npt.NDArray[np.float32]

Scores = Mapping[str, float]
"""Of one picture, by the classifier's own labels: probabilities, 0 to 1."""


@dataclass(frozen=True, slots=True)
class TextLine:
    """A line of text in a picture. `corners`: four points (x, y), clockwise from where the line begins, as fractions of
    the picture's width and height. `score`: how sure the reader is, 0 to 1.
    """

    text: str
    score: float
    corners: tuple[tuple[float, float], ...]

    @property
    def area(self) -> float:
        """The share of the picture that it covers."""
        turns = zip(self.corners, (*self.corners[1:], self.corners[0]), strict=True)
        return abs(sum(x * below - right * y for (x, y), (right, below) in turns)) / 2


Finish = Literal["stop", "length", "refused"]
"""Why a completion ended: by itself, because its tokens were used up, or by the server's content filter."""


@dataclass(frozen=True, slots=True, eq=False)
class Image:
    """`pixels`: uint8 (h, w, 3) RGB; `hash`: of `pixel_hash`, by which an engine knows that it has seen it."""

    pixels: Images = field(repr=False)
    hash: str


@dataclass(frozen=True, slots=True, eq=False)
class Video:
    """Frames as one video input. `times`: seconds from the clip's start, a frame each; `duration`: of the clip."""

    frames: tuple[Image, ...]
    times: tuple[float, ...]
    duration: float

    @property
    def hash(self) -> str:
        """32 hex digits of the frames and their times."""
        return text_hash(canonical_json([[image.hash for image in self.frames], self.times, self.duration]))


Part = str | Image | Video


@dataclass(frozen=True, slots=True, eq=False)
class Message:
    """One turn of a conversation: text, images and videos in the order in which the model shall see them."""

    role: Literal["system", "user", "assistant"]
    parts: tuple[Part, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Request:
    """What a captioner asks. `schema`: a JSON Schema that the answer is decoded under, strings and lists bounded."""

    messages: tuple[Message, ...]
    max_tokens: int
    temperature: float = 0.0
    top_p: float = 1.0
    seed: int = 0
    stop: tuple[str, ...] = ()
    schema: Mapping[str, object] | None = None

    def key(self) -> str:
        """Names the request by its content, 32 hex digits: frames by their hashes, everything else as it is, but for
        the limit of tokens, which changes no answer that stays below it.
        """
        turns = [[message.role, *(_named(part) for part in message.parts)] for message in self.messages]
        sampling = [self.temperature, self.top_p, self.seed, self.stop, self.schema]
        return text_hash(canonical_json([turns, sampling]))


def _named(part: Part) -> object:
    return part if isinstance(part, str) else {type(part).__name__: part.hash}


@dataclass(frozen=True, slots=True)
class Completion:
    """What an engine answered. Tokens as the engine counts them; `cost` in dollars, where prices are known; `thought`:
    there were thoughts, which the engine has kept apart from the text.
    """

    text: str
    finish: Finish
    input_tokens: int
    output_tokens: int
    cost: float | None = None
    thought: bool = False


class Unable(RunError):
    """An engine cannot do what a captioner asks, whatever the clip: the captioner knows the option to change.

    `what`: show one picture, several, or a video, or decode under a schema.
    """

    def __init__(self, said: str, what: Literal["one", "several", "video", "schema"]) -> None:
        super().__init__(said, what)  # all, so that it survives pickling between processes
        self.said, self.what = said, what

    def __str__(self) -> str:
        return self.said


class EngineDied(Exception):
    """The engine is gone, and with it all requests that it held: its process ends, and is started again."""


class Engine:
    """A running engine, on one event loop. A subclass has the methods that its spec's `answers` names.

    `model` and `revision` are published with each caption: the model's name, never a path, and what pins its content.
    `slots`: how many requests it works on at once; None where that is a server's own affair.
    """

    model: str = ""
    revision: str | None = None
    slots: int | None = None

    async def complete(self, request: Request) -> Completion:
        """Answer one request. Called concurrently; the engine batches.

        Raises ClipError for a request that cannot be served (context_overflow, engine_error, timeout), RunError where
        none can be (a bad key, no such model), Unable where none of this kind can be, EngineDied where the engine is
        gone.
        """
        raise self._no("captions")

    async def embed_images(self, images: Sequence[Images], *, layer: Layer) -> Vectors:
        """Vectors (n, d) of uint8 RGB pictures (h, w, 3). Called concurrently; the engine batches over clips."""
        raise self._no("vectors of pictures")

    async def embed_texts(self, texts: Sequence[str]) -> Vectors:
        """Vectors (n, d) of texts that are not blank. Called concurrently; the engine batches over clips."""
        raise self._no("vectors of texts")

    async def classify(self, images: Sequence[Images]) -> list[Scores]:
        """Scores of uint8 RGB pictures (h, w, 3), the same labels for each. Called concurrently; the engine batches
        over clips.
        """
        raise self._no("classes of pictures")

    async def read_text(self, images: Sequence[Images]) -> list[list[TextLine]]:
        """The lines of text in uint8 RGB pictures (h, w, 3). Called concurrently; the engine batches over clips."""
        raise self._no("texts in pictures")

    async def close(self) -> None:
        """Let go of everything that it holds."""
        return

    def _no(self, what: str) -> RunError:
        engine = f"the engine of {self.model}" if self.model else "a step that names no engine"
        return RunError(f"{engine} has no {what}; a step's engine_name() and asks must say what it wants, and of whom")


NO_ENGINE = Engine()
"""What a step is given that asks none."""


class EngineSpec(BaseModel):
    """An engine as a recipe names it. A subclass declares `use: Literal["<file name>"] = "<file name>"`."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    version: ClassVar[int] = 1
    runtime: ClassVar[str]
    """The module beside the spec's own whose `async started(spec, say) -> Engine` starts it. Only the engine's process
    imports it, with the libraries that it needs."""

    answers: ClassVar[frozenset[Ask]] = frozenset({"complete"})
    """What may be asked of it."""

    use: str
    in_flight: Placement[int] = Field(default=256, ge=1)
    """Clips that a process of the engine works on at once."""

    def requires(self) -> Mapping[str, str]:
        """Modules that the base install lacks, each with the extra that brings it."""
        return {}

    @classmethod
    def placing(cls) -> set[str]:
        """The names of the fields that are marked `Placement`."""
        return marked(cls, PLACEMENT)

    def identity(self) -> Json:
        """What completions depend on: JSON-able, no place and no speed."""
        fields = self.model_dump(mode="json", exclude=self.placing())
        return {"version": self.version, **fields}

    def processes(self, gpus: int) -> int:
        """How many processes to start on a machine with so many GPUs to use."""
        return 1

    def gpus_each(self) -> int:
        """How many GPUs each of them needs."""
        return 0

    def gpu_share(self) -> float | None:
        """The share of a GPU's memory that it keeps to, beside engines that have one too. None: it has its GPUs for
        itself, and takes turns with the others.
        """
        return None

    def check(self) -> None:
        """What can be known to be wrong before a run starts. Raises RunError."""
        return

    async def start(self, say: Callable[[str], None] = lambda line: None) -> Engine:
        """Start it in this process. `say` shows a line to whoever watches the run. RunError where it cannot be started:
        no such model, no chat template, too little memory.
        """
        runtime = import_module(f"{type(self).__module__.rpartition('.')[0]}.{self.runtime}")
        engine: Engine = await runtime.started(self, say)
        return engine


def engine_digest(spec: EngineSpec) -> str:
    """64 hex digits of what completions depend on; somebody's own engine is its code, too."""
    identity = [spec.identity(), code_of(type(spec))]
    return json_hash(identity)
