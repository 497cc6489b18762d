"""How many requests a server should have at once: additive increase while throughput grows, multiplicative decrease.

Time is an argument everywhere, so the same events at the same times give the same limits.
"""

from __future__ import annotations

from collections import deque

_START = 8
_STEP = 2
_LEAST = 16  # completions that a throughput is measured over; of larger limits, as many as the limit: a spell
_HOLD = 2  # spells that a limit is kept for after a raise that has brought nothing
# A raise has paid off when it brought a tenth of what it would have on a server with room: for a doubling, 10% more
_WORTH = 0.1
_RECENT = 16
_TROUBLED = 4  # faults among the recent outcomes that mean trouble: one now and then is the request's own
_FIRST_REST_S, _LONGEST_REST_S = 1.0, 60.0


class Limit:
    """`value`: requests that may be at the server, 1 to `most`.

    A limit that was used up over a spell is raised; where that brings no more completions a second it is taken back,
    and raised again later, by less. It is doubled at first. Trouble halves it, once for all requests that were sent
    before; from then on it is doubled up to half of what it was before the trouble, and grows by 2 above that.
    """

    def __init__(self, most: int) -> None:
        self.most = most
        self.value = min(_START, most)
        self.decreases = 0
        self._setbacks = 0  # decreases without a completion in between
        self._growth = 1.0  # the part of the limit that a raise adds to it
        self._doubled_to: int | None = None  # since there was trouble
        self._raised: tuple[int, float] | None = None  # the limit and the completions a second before the last raise
        self._since: float | None = None
        self._seconds, self._count, self._length = 0.0, 0, 0
        self._recent = deque[bool](maxlen=_RECENT)

    def done(self, now: float, *, sent: float, full: bool) -> None:
        """A completion has come. `full`: until then the limit was used up; else it is not what slows us down.

        Throughput is what is at the server over the time that it stays there (Little's law): unlike completions that
        are counted over a while, it does not depend on how they bunch. What was sent before the limit was set does not
        count, nor does the first round after that, which finds the server's queue as it was.
        """
        self._recent.append(False)
        self._setbacks = 0
        if not full or self._since is None:
            self._raised = None
            self._measure(now)
        elif sent >= self._since:
            self._count += 1
            self._seconds += now - sent if self._count > 0 else 0
            if self._count >= self._length and self._seconds > 0:
                self._measure(now, spells=self._judge(self.value * self._count / self._seconds))

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
        if self._setbacks == 0:
            self._doubled_to = self.value
        self.decreases += 1
        self._raised = None
        self._recent.clear()
        self._measure(now)
        self._setbacks += 1
        return min(_LONGEST_REST_S, _FIRST_REST_S * 2.0 ** min(self._setbacks - 1, 16))

    def _measure(self, now: float, *, spells: int = 1) -> None:
        self._since, self._seconds, self._count = now, 0.0, -self.value
        self._length = spells * max(self.value, _LEAST)

    def _judge(self, rate: float) -> int:
        """Set the limit by the throughput that the present one has brought. For how many spells to keep it."""
        if self._raised is not None:
            before, old_rate = self._raised
            if rate < old_rate * (1 + _WORTH * (self.value / before - 1)):
                self.value, self._raised = before, None
                self._growth /= 2
                return _HOLD
            self._growth = min(1.0, self._growth * 2)
        self._raised = (self.value, rate)
        self.value = min(self.most, self.value + self._step())
        return 1

    def _step(self) -> int:
        if self._doubled_to is None:
            return max(_STEP, int(self.value * self._growth))
        return min(self.value, self._doubled_to - self.value) if self.value < self._doubled_to else _STEP
