"""Limits by age and by number: what lies beyond them leaves the ledger, with its result file and its note.

Files go before the events that name them: a crash between the two leaves events whose files are gone, which the next
step removes, and never a file that nobody knows any more.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from time import monotonic

from oct_edge.exports import Exports
from oct_edge.ledger.store import Ledger

log = logging.getLogger("oct_edge.retention")

_EVENTS = 2000  # in one step: a fraction of a second
_PAGES = 1000
_PAUSE = 86400.0  # seconds: what is removed lies all over the indexes, and many at once write fewer pages to the card


@dataclass(frozen=True)
class Limits:
    """How old events may get, and how many contents may keep their answer; None for no limit."""

    days: float | None = None
    results: int | None = None


class Upkeep:
    """Retention at the start, once a day and under new limits, a step at each look at the folder: no scan waits long.

    `limits` are asked for each time, `clock` gives seconds that never go back.
    """

    def __init__(
        self, ledger: Ledger, exports: Exports, limits: Callable[[], Limits], clock: Callable[[], float] = monotonic
    ) -> None:
        self._ledger, self._exports, self._limits, self._clock = ledger, exports, limits, clock
        self._held: Limits | None = None
        self._due = clock()

    def step(self) -> None:
        """Remove something if it is time to. Raises as `Retention.step`."""
        limits = self._limits()
        if limits == self._held and self._clock() < self._due:
            return
        if not Retention(self._ledger, self._exports, limits).step():
            self._held, self._due = limits, self._clock() + _PAUSE


class Retention:
    """Holds ledger and files within limits. Age is by the device's clock: leave `days` out while that is not set."""

    def __init__(
        self,
        ledger: Ledger,
        exports: Exports,
        limits: Limits,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._ledger, self._exports, self._limits, self._now = ledger, exports, limits, now

    def step(self) -> bool:
        """Remove so much that nobody has to wait; whether that was something, and there may be more.

        Raises:
            OutputUnavailable: it cannot be written down, and is still there.
        """
        until = self._ledger.over(self._before(), self._limits.results, _EVENTS)
        if until:
            answers = self._ledger.leaving(until)
            self._exports.remove(answers)
            with self._ledger.batch() as batch:
                batch.forgotten(until)
            log.info("events up to %d were removed, and with them %d answers", until, len(answers))
        return bool(until) or self._ledger.give_back(_PAGES)

    def _before(self) -> str | None:
        if self._limits.days is None:
            return None
        try:
            before = self._now() - timedelta(days=self._limits.days)
        except OverflowError:  # older than the calendar
            return None
        return before.strftime("%Y-%m-%dT%H:%M:%SZ")
