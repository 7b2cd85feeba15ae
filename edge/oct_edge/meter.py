"""How far a long command is: one line on stderr that is written over and over, and only where a person looks on."""

import sys
from collections.abc import Callable
from time import monotonic

_EVERY = 0.2  # seconds between two lines
_CLEAR = "\r\x1b[K"


class Meter:
    """Counts `total` scans as they are done; the clock is a parameter, in seconds."""

    def __init__(self, total: int, clock: Callable[[], float] = monotonic) -> None:
        self._total, self._clock = total, clock
        self._start = self._shown = clock()
        self._done = 0

    def step(self) -> None:
        """One more is done."""
        self._done += 1
        now = self._clock()
        if now - self._shown >= _EVERY:
            self._shown = now
            print(_CLEAR + self.line(now), end="", file=sys.stderr, flush=True)

    def line(self, now: float) -> str:
        rate = self._done / max(now - self._start, 1e-9)
        left = (self._total - self._done) / max(rate, 1e-9)
        return f"{self._done} of {self._total} scans, {rate:.1f} a second, {_time(left)} left"

    def close(self) -> None:
        """Leave no line behind."""
        if self._shown != self._start:
            print(_CLEAR, end="", file=sys.stderr, flush=True)


def _time(seconds: float) -> str:
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"
