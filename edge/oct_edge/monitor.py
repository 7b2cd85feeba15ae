"""What the daemon looks at besides scans, now and then: its clock, its board, what it writes; and whom it tells.

All of it goes into `health.json`, for `oct-edge status`, and into a textfile for monitoring where one is wanted. None
of it may cost a scan: what cannot be read is left out, what cannot be written is tried again.
"""

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path

from oct_edge.board import Board, read_board
from oct_edge.clock import UNSYNCED, Clock
from oct_edge.errors import OctEdgeError
from oct_edge.health import Health, read_health
from oct_edge.ledger.reader import reading
from oct_edge.ledger.tally import Tally
from oct_edge.metrics import Histogram, Sight, checked, render, write_textfile
from oct_edge.result import ModelIdentity, Result
from oct_models import bundled_models

_CLOCK, _BOARD, _TEXTFILE = 5.0, 60.0, 15.0  # seconds between two looks, or writes
_BOARD_CODES = ("undervoltage", "throttled")
_IO = Path("/proc/self/io")


class Monitor:
    """Of the daemon that keeps its ledger in `state`.

    `model` is what was asked for, a name or a file, so that its card is found again. `clock` gives seconds that never
    go back.

    Raises:
        ConfigurationError: no collector would read `textfile`.
    """

    def __init__(
        self,
        state: Path,
        health: Health,
        identity: ModelIdentity,
        model: str,
        textfile: Path | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
        time_of_day: Clock | None = None,
        board: Callable[[], Board | None] = read_board,
    ) -> None:
        self._state, self._health, self._identity = state, health, identity
        self._textfile = checked(textfile) if textfile else None
        self._time_of_day, self._board = time_of_day or Clock(), board
        self._turns = {seconds: _Turn(seconds, clock) for seconds in (_CLOCK, _BOARD, _TEXTFILE)}
        self._started = time.time()
        self._inference = Histogram()
        self._tally = Tally.from_json(read_health(state).get("tally"))
        self._is_counted = False
        self._waiting: int | None = None
        asked_for = model if model in bundled_models() else str(Path(model).absolute())
        health.facts |= {"model": asdict(identity) | {"asked_for": asked_for}, "tally": self._tally.to_json()}

    def answered(self, result: Result) -> None:
        """A result was given out."""
        self._is_counted = False
        self._health.counters["answered"] += 1
        if (written := written_bytes()) is not None:
            self._health.counters["written_bytes"] = written
        if result.timing_ms:
            self._inference.observe(result.timing_ms.inference / 1000)

    def look(self, waiting: int) -> None:
        """Look at what it is time to look at; to be called as often as one likes. So many scans have no answer yet."""
        self._waiting = self._health.facts["waiting"] = waiting
        if self._turns[_CLOCK].comes():
            self._judge(UNSYNCED, self._time_of_day.doubt())
        if self._turns[_BOARD].comes():
            board = self._board()
            complaints = board.complaints() if board else {}
            for code in _BOARD_CODES:
                self._judge(code, complaints.get(code))
        if self._turns[_TEXTFILE].comes():
            self._write(watching=True)
        self._health.keep()

    def close(self) -> None:
        """Leave behind that nobody watches."""
        self._write(watching=False)

    def _judge(self, code: str, complaint: str | None) -> None:
        if complaint:
            self._health.degrade(code, complaint)
        else:
            self._health.recover(code)

    def _write(self, *, watching: bool) -> None:
        if not self._textfile:
            return
        self._count()
        sight = Sight(
            model=self._identity,
            started=self._started,
            watching=watching,
            tally=self._tally,
            waiting=self._waiting,
            reasons=frozenset(self._health.reasons),
            inference=self._inference,
            written=written_bytes(),
        )
        try:
            write_textfile(self._textfile, render(sight))
            self._health.recover("metrics_unwritable")
        except OSError as error:
            self._health.degrade("metrics_unwritable", f"{self._textfile}: cannot be written ({error.strerror})")

    def _count(self) -> None:
        """What was answered since the last time; of a ledger that cannot be read now, later."""
        if self._is_counted:
            return
        with suppress(OctEdgeError), reading(self._state) as reader:
            self._tally = reader.tally(self._tally)
            self._is_counted = True
            self._health.facts["tally"] = self._tally.to_json()


class _Turn:
    """Comes round every so many seconds, at first at once."""

    def __init__(self, seconds: float, clock: Callable[[], float]) -> None:
        self._seconds, self._clock = seconds, clock
        self._next = clock()

    def comes(self) -> bool:
        now = self._clock()
        if now < self._next:
            return False
        self._next = now + self._seconds
        return True


def written_bytes(io: Path = _IO) -> int | None:
    """Bytes that this process has sent to disks since it was started, None where the kernel does not count them."""
    with suppress(OSError, ValueError, KeyError):
        return int(dict(line.split(": ") for line in io.read_text().splitlines())["write_bytes"])
    return None
