"""How long a file is waited for: until it has come to rest, between two tries to read it, and to read it once more.

Files are known by their name in the inbox: years of them are remembered. The clock is one that never jumps; it is a
parameter, in seconds.
"""

import math
from collections.abc import Callable, Collection
from dataclasses import dataclass
from time import monotonic

from oct_edge.inbox import Signature

Clock = Callable[[], float]
_FIRST, _LONGEST = 1.0, 300.0  # seconds between two tries
_COARSEST = 2.0  # seconds between two times of FAT; ext3 and many a NAS have one


class StabilityTracker:
    """Says since when a file has been the same, and for how long it has been waited for."""

    def __init__(self, delay: float, clock: Clock = monotonic) -> None:
        self.delay = delay
        self._clock = clock
        self._since: dict[str, tuple[Signature, float]] = {}
        self._first: dict[str, float] = {}

    def is_stable(self, name: str, signature: Signature) -> bool:
        """Whether `name` has had this signature for the whole delay."""
        known, since = self._since.get(name, (None, 0.0))
        if known != signature:
            now = self._clock()
            self._first.setdefault(name, now)
            self._since[name] = (signature, now)
            return self.delay <= 0
        return self._clock() - since >= self.delay

    def rests_in(self) -> float:
        """Seconds until the next of the files that changed lately may have come to rest; infinite where none did."""
        now = self._clock()
        left = (since + self.delay - now for _, since in self._since.values())
        return min((seconds for seconds in left if seconds > 0), default=math.inf)

    def waited(self, name: str) -> float:
        """Seconds since the file was first seen, or seen again after it was answered."""
        return self._clock() - self._first.get(name, self._clock())

    def answered(self, name: str) -> None:
        """Whatever comes under this name now is waited for anew."""
        self._first.pop(name, None)
        self._since.pop(name, None)

    def keep_only(self, names: Collection[str]) -> None:
        self._since = {name: entry for name, entry in self._since.items() if name in names}
        self._first = {name: first for name, first in self._first.items() if name in names}


@dataclass(slots=True)
class _Failure:
    signature: Signature
    code: str
    pause: float
    next_try: float


class Attempts:
    """Files that could not be read: each is tried again, after a pause that doubles up to five minutes."""

    def __init__(self, clock: Clock = monotonic) -> None:
        self._clock = clock
        self._failures: dict[str, _Failure] = {}

    def is_due(self, name: str, signature: Signature) -> bool:
        """Whether it may be tried now: it never failed as it is, or its pause is over."""
        failure = self._failures.get(name)
        return failure is None or failure.signature != signature or self._clock() >= failure.next_try

    def failed(self, name: str, signature: Signature, code: str) -> bool:
        """Note that it failed; whether that is news."""
        before = self._failures.get(name)
        again = before is not None and (before.signature, before.code) == (signature, code)
        pause = min(_LONGEST, 2 * before.pause) if before is not None and again else _FIRST
        self._failures[name] = _Failure(signature, code, pause, self._clock() + pause)
        return not again

    def failed_as_it_is(self, name: str, signature: Signature) -> bool:
        failure = self._failures.get(name)
        return failure is not None and failure.signature == signature

    def answered(self, name: str) -> None:
        self._failures.pop(name, None)

    def keep_only(self, names: Collection[str]) -> None:
        self._failures = {name: failure for name, failure in self._failures.items() if name in names}

    def codes(self) -> list[str]:
        """Why files are waiting, one code a file."""
        return [failure.code for failure in self._failures.values()]


class SecondReadings:
    """Answered files that are to be read once more.

    Where the delay of stability is shorter than the times of a file system are apart, a change of equal size that comes
    right after the answer leaves no trace. Only the bytes show it, and two seconds later they do.
    """

    def __init__(self, clock: Clock = monotonic) -> None:
        self._clock = clock
        self._planned: dict[str, tuple[Signature, float]] = {}

    def due(self) -> list[tuple[str, Signature]]:
        now = self._clock()
        return [(name, signature) for name, (signature, when) in self._planned.items() if now >= when]

    def answered(self, name: str, signature: Signature, delay: float) -> None:
        """What was read after `delay` has an answer: read it again, unless that was done now or need not be."""
        planned, _ = self._planned.pop(name, (None, 0.0))
        if planned != signature and delay < _COARSEST:
            self._planned[name] = (signature, self._clock() + _COARSEST)

    def keep_only(self, names: Collection[str]) -> None:
        self._planned = {name: entry for name, entry in self._planned.items() if name in names}
