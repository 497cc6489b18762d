"""The processes of the engines, as the run sees them: clips go in, what their captioners made comes out.

Any number of pieces share an engine's processes: each takes the next clip as soon as it has room, so that no piece's
end leaves a GPU without work. A process that dies is started again, and the clips that it held are tried again: a few
at a time, and those that were there when it died once more, alone. So a clip that kills its engine is found by name.
"""

from __future__ import annotations

from types import TracebackType
from typing import Self

from .pool import EnginePool
from .process import EngineHost


class Engines:
    """The engines of a run, each started when a clip first needs it; use as a context manager."""

    def __init__(self, host: EngineHost) -> None:
        self._host = host
        self._pools: dict[str, EnginePool] = {}

    def pool(self, name: str) -> EnginePool:
        """The processes of an engine of the recipe; they start with the first clip. Those of another one that it takes
        turns with end.
        """
        if name not in self._pools:
            for other in list(self._pools):
                if self.take_turns(name, other):
                    self.close(other)
            self._pools[name] = EnginePool(name, self._host)
        return self._pools[name]

    def take_turns(self, name: str, other: str) -> bool:
        """Whether two engines of the recipe want the same GPUs, and one of them for itself."""
        both = [self._host.specs[one] for one in (name, other)]
        wanted = all(spec.gpus_each() for spec in both)
        return name != other and wanted and any(spec.gpu_share() is None for spec in both)

    def hungry(self, name: str) -> bool:
        """Whether no clip waits for an engine: soon it will have nothing to do."""
        return name not in self._pools or self._pools[name].hungry()

    def close(self, name: str) -> None:
        """End an engine's processes: its GPUs are free then."""
        if name in self._pools:
            pool = self._pools.pop(name)
            if summary := pool.summary():
                self._host.on_news(summary)
            pool.stop()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for name in list(self._pools):
            self.close(name)
