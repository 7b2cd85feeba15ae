"""How long a file is waited for: until it has come to rest, between two tries to read it, and to read it once more.

Both go by a clock that never jumps; it is a parameter, in seconds.
"""

import math
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path
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
        self._since: dict[Path, tuple[Signature, float]] = {}
        self._first: dict[Path, float] = {}

    def is_stable(self, path: Path, signature: Signature) -> bool:
        """Whether `path` has had this signature for the whole delay."""
        known, since = self._since.get(path, (None, 0.0))
        if known != signature:
            now = self._clock()
            self._first.setdefault(path, now)
            self._since[path] = (signature, now)
            return self.delay <= 0
        return self._clock() - since >= self.delay

    def rests_in(self) -> float:
        """Seconds until the next of the files that changed lately may have come to rest; infinite where none did."""
        now = self._clock()
        left = (since + self.delay - now for _, since in self._since.values())
        return min((seconds for seconds in left if seconds > 0), default=math.inf)

    def waited(self, path: Path) -> float:
        """Seconds since the file was first seen, or seen again after it was answered."""
        return self._clock() - self._first.get(path, self._clock())

    def answered(self, path: Path) -> None:
        """Whatever comes under this name now is waited for anew."""
        self._first.pop(path, None)
        self._since.pop(path, None)

    def keep_only(self, paths: Collection[Path]) -> None:
        self._since = {path: entry for path, entry in self._since.items() if path in paths}
        self._first = {path: first for path, first in self._first.items() if path in paths}


@dataclass
class _Failure:
    signature: Signature
    code: str
    pause: float
    next_try: float


class Attempts:
    """Files that could not be read: each is tried again, after a pause that doubles up to five minutes."""

    def __init__(self, clock: Clock = monotonic) -> None:
        self._clock = clock
        self._failures: dict[Path, _Failure] = {}

    def is_due(self, path: Path, signature: Signature) -> bool:
        """Whether it may be tried now: it never failed as it is, or its pause is over."""
        failure = self._failures.get(path)
        return failure is None or failure.signature != signature or self._clock() >= failure.next_try

    def failed(self, path: Path, signature: Signature, code: str) -> bool:
        """Note that it failed; whether that is news."""
        before = self._failures.get(path)
        again = before is not None and (before.signature, before.code) == (signature, code)
        pause = min(_LONGEST, 2 * before.pause) if before is not None and again else _FIRST
        self._failures[path] = _Failure(signature, code, pause, self._clock() + pause)
        return not again

    def failed_as_it_is(self, path: Path, signature: Signature) -> bool:
        failure = self._failures.get(path)
        return failure is not None and failure.signature == signature

    def answered(self, path: Path) -> None:
        self._failures.pop(path, None)

    def keep_only(self, paths: Collection[Path]) -> None:
        self._failures = {path: failure for path, failure in self._failures.items() if path in paths}

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
        self._planned: dict[Path, tuple[Signature, float]] = {}

    def due(self) -> list[tuple[Path, Signature]]:
        now = self._clock()
        return [(path, signature) for path, (signature, when) in self._planned.items() if now >= when]

    def answered(self, path: Path, signature: Signature, delay: float) -> None:
        """What was read after `delay` has an answer: read it again, unless that was done now or need not be."""
        planned, _ = self._planned.pop(path, (None, 0.0))
        if planned != signature and delay < _COARSEST:
            self._planned[path] = (signature, self._clock() + _COARSEST)

    def keep_only(self, paths: Collection[Path]) -> None:
        self._planned = {path: entry for path, entry in self._planned.items() if path in paths}
