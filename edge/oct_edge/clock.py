"""Whether the time of day is to be relied on: a board without a battery starts with that of its last shutdown.

Two witnesses can say that it was set since then. The kernel knows what a time daemon told it (`adjtimex`, which only
reads here). systemd-timesyncd leaves a file as well, and that is what counts inside the service: `ProtectClock=` and
`SystemCallFilter=~@privileged` refuse the call there, also to those who only read. Where no witness can be heard (the
service asks, and chrony keeps the time) nothing is doubted: a guess would be no better than the clock.

A clock that was set may still jump, by hand or by a time daemon that finds it wrong. That shows against the monotonic
clock, which never does.
"""

import ctypes
import time
from collections.abc import Callable
from pathlib import Path

UNSYNCED = "clock_unsynced"  # among the notes of a result, and as a reason why the daemon is degraded
JUMP = 2.0  # seconds; a leap second is none, and a correction by slewing moves both clocks
SETTLING = 60.0  # seconds after a jump in which another may follow
_TIMESYNC = Path("run/systemd/timesync")  # there while systemd-timesyncd runs
_SYNCHRONIZED = "synchronized"  # in it as soon as the clock was set
_TIME_ERROR = 5  # what the kernel answers where nobody set its clock
_TIMEX = 512  # bytes; the structure has 208, and all of them zero ask for nothing but an answer


def synchronised(root: Path = Path("/"), kernel: Callable[[], bool | None] | None = None) -> bool | None:
    """Whether the clock was set, None where nobody can tell."""
    timesync = root / _TIMESYNC
    if (timesync / _SYNCHRONIZED).exists():
        return True
    told = (kernel or ask_kernel)()
    return False if told is None and timesync.is_dir() else told


def ask_kernel() -> bool | None:
    """Whether a time daemon keeps the clock, None where the kernel may not be asked."""
    state = ctypes.CDLL(None).adjtimex(ctypes.create_string_buffer(_TIMEX))
    return None if state < 0 else state != _TIME_ERROR


class Clock:
    """The time of day, looked at again and again. `wall` and `steady` give seconds; `steady` never jumps."""

    def __init__(
        self,
        witness: Callable[[], bool | None] = synchronised,
        wall: Callable[[], float] = time.time,
        steady: Callable[[], float] = time.monotonic,
    ) -> None:
        self._witness, self._wall, self._steady = witness, wall, steady
        self._offset = wall() - steady()
        self._jumped: tuple[float, float] | None = None

    def doubt(self) -> str | None:
        """What speaks against the time of day, None where nothing does."""
        now, offset = self._steady(), self._wall() - self._steady()
        jump = offset - self._offset
        if abs(jump) > JUMP:
            self._offset = offset
            self._jumped = (now, jump)
        if self._jumped and now - self._jumped[0] < SETTLING:
            return f"the clock jumped by {self._jumped[1]:+.0f} s"
        if self._witness() is False:
            return "the clock was not set since the device was started"
        return None
