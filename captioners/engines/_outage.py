"""Whether a server answers anybody: since when it does not, and what is to be said of it."""

from __future__ import annotations

from collections.abc import Callable

from ._faults import Fault, Server

SAY_S = 60.0
"""Seconds of an outage until it is told, of a server that has answered before."""
_SAY_FIRST_S = 5.0


class Outage:
    """Of one server; times in seconds of any clock that only goes forward."""

    def __init__(self, server: Server, *, patience_s: float, say: Callable[[str], None]) -> None:
        self._server, self._patience_s, self._say = server, patience_s, say
        self._answered_at: float | None = None
        self._latest_sent: float | None = None  # of those that were answered
        self._down_at: float | None = None
        self._since: float | None = None
        self._told = False

    def answered(self, *, sent: float, now: float) -> None:
        """The server has dealt with a request that was sent then, whatever it thought of it."""
        if self._told and self._since is not None:
            self._say(f"the server answers again, after {now - self._since:.0f} s")
        self._answered_at, self._since, self._told = now, None, False
        self._latest_sent = max(sent, self._latest_sent or sent)

    def failed(self, fault: Fault, *, sent: float, now: float) -> str | None:
        """A request that was sent then has failed in a way that may pass: why the run ends, if it does."""
        if self._since is None:
            self._since = sent if self._answered_at is None else max(sent, self._answered_at)
        seconds, ever = now - self._since, self._answered_at is not None
        if seconds >= self._patience_s:
            return self._server.silent(seconds, fault, ever=ever)
        if not self._told and seconds >= (SAY_S if ever else _SAY_FIRST_S):
            self._told = True
            left = self._patience_s - seconds
            self._say(
                f"{self._server.address} has answered nothing for {seconds:.0f} s: {self._server.line(fault.said)}; "
                f"waiting for it, {left:.0f} s more at most (patience_s)"
            )
        return None

    def found_down(self, now: float) -> None:
        """It has not answered the plainest request either."""
        self._down_at = now

    def is_over(self, *, since: float) -> bool | None:
        """Whether the server answers others, so that what failed then failed by itself; None: not known. What was sent
        before may have been answered before the server went: it tells nothing.
        """
        if self._latest_sent is not None and self._latest_sent >= since:
            return True
        return False if self._down_at is not None and self._down_at >= since else None
