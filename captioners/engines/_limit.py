"""How many requests a server should have at once: additive increase while throughput grows, multiplicative decrease.

Time is an argument everywhere, so the same events at the same times give the same limits.
"""

from __future__ import annotations

from collections import deque

_START = 4
_STEP = 2  # added at once, after the doubling of the start has ended
_LEAST = 8  # completions that a throughput is measured over; of larger limits, as many as the limit
_HOLD = 8  # so many times longer a limit is kept after one above it has brought nothing
# A raise has paid off when it brought a tenth of what it would have on a server with room: for a doubling, 10% more
_WORTH = 0.1
_RECENT = 16
_TROUBLED = 4  # faults among the recent outcomes that mean trouble: one now and then is the request's own
_FIRST_REST_S, _LONGEST_REST_S = 1.0, 60.0


class Limit:
    """`value`: requests that may be at the server, 1 to `most`.

    Doubles at first, later adds 2, each time a limit was used up over a round of requests and brought more completions
    a second than the one before. One that did not is taken back, and the next is tried after 8 rounds. Trouble halves
    the limit, once for all requests that were sent before it did.
    """

    def __init__(self, most: int) -> None:
        self.most = most
        self.value = min(_START, most)
        self.decreases = 0
        self._setbacks = 0  # decreases without a completion in between
        self._doubling = True
        self._raised: tuple[int, float] | None = None  # the limit and the completions a second before the last raise
        self._length = max(self.value, _LEAST)
        self._since: float | None = None
        self._count = 0
        self._recent = deque[bool](maxlen=_RECENT)

    def done(self, now: float, *, full: bool) -> None:
        """A completion has come. `full`: until then the limit was used up; else it is not what slows us down."""
        self._recent.append(False)
        self._setbacks = 0
        if not full or self._since is None:
            self._measure(now, self._length)
            return
        self._count += 1
        if self._count >= self._length and now > self._since:
            self._judge(self._count / (now - self._since))
            self._measure(now, self._length)

    def trouble(self, now: float, *, busy: bool, sent_after: int) -> float | None:
        """A request has failed; `busy`: because the server wants fewer of them. `sent_after`: the `decreases` when it
        was sent. Seconds in which nothing should be sent, where the limit was lowered for it: longer each time that
        nothing has succeeded since the last.
        """
        if sent_after != self.decreases:
            return None
        self._recent.append(True)
        if not busy and sum(self._recent) < _TROUBLED:
            return None
        self.value = max(1, self.value // 2)
        self.decreases += 1
        self._doubling, self._raised = False, None
        self._recent.clear()
        self._measure(now, max(self.value, _LEAST))
        self._setbacks += 1
        return min(_LONGEST_REST_S, _FIRST_REST_S * 2.0 ** min(self._setbacks - 1, 16))

    def _measure(self, now: float, length: int) -> None:
        self._since, self._count, self._length = now, 0, length

    def _judge(self, rate: float) -> None:
        if self._raised is not None:
            before, old_rate = self._raised
            if rate < old_rate * (1 + _WORTH * (self.value / before - 1)):
                self.value, self._raised, self._doubling = before, None, False
                self._length = _HOLD * max(before, _LEAST)
                return
        self._raised = (self.value, rate)
        self.value = min(self.most, self.value * 2 if self._doubling else self.value + _STEP)
        self._length = max(self.value, _LEAST)
