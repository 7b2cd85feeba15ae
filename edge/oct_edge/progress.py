"""What the daemon has done, and what is in its way: printed, counted, kept, and told to systemd.

Whoever has done something says so here; nothing is told for a daemon that only exists.
"""

from collections import Counter
from collections.abc import Callable, Iterable

from oct_edge.console import say
from oct_edge.errors import OctEdgeError
from oct_edge.health import Health
from oct_edge.monitor import Monitor
from oct_edge.notify import Notifier
from oct_edge.result import Result
from oct_edge.worker.supervisor import Worker

_FAILING = 3  # replacements of the worker without an answer in between, before that is called a trouble


class Progress:
    """What was answered since the start, and what is in the way: printed, counted, kept, and told to systemd."""

    def __init__(self, health: Health, worker: Worker, monitor: Monitor, look_up: Callable[[], object]) -> None:
        self.answers: Counter[str] = Counter()
        self.is_started = False
        self._waiting = 0
        self._health, self._worker, self._monitor, self._look_up = health, worker, monitor, look_up
        self._notifier = Notifier()

    def started(self) -> None:
        """The daemon serves, or says why it cannot."""
        if not self.is_started:
            self.is_started = True
            self._notifier.ready(self._status())

    def made(self, waiting: int) -> None:
        """Something was done; so many scans in the folder have no answer yet."""
        self._waiting = waiting
        if self._worker.failures >= _FAILING:
            self._health.degrade("worker_failing", f"it was replaced {self._worker.failures} times in a row")
        else:
            self._health.recover("worker_failing")
        self._monitor.look(waiting)
        self._look_up()
        self._notifier.progress(self._status())

    def report(self, result: Result) -> None:
        say(result.to_json())
        self.answers[result.status] += 1
        self._monitor.answered(result)
        self.made(max(0, self._waiting - 1))

    def troubled(self, error: OctEdgeError) -> None:
        """Something is in the way that may go away by itself; it was just looked at."""
        self._health.degrade(error.code, error.message)
        self.started()
        self.made(self._waiting)

    def healed(self, codes: Iterable[str]) -> None:
        for code in codes:
            self._health.recover(code)

    def heard(self, why_not: str | None) -> None:
        """File events can be had, or not for this reason."""
        if why_not:
            self._health.degrade("events_unavailable", why_not)
        else:
            self._health.recover("events_unavailable")

    def ended(self) -> None:
        self._notifier.stopping()

    def _status(self) -> str:
        total, rejected = self.answers.total(), self.answers["rejected"]
        reasons = f"degraded: {', '.join(self._health.reasons)}; " if self._health.reasons else ""
        return f"{reasons}{self._waiting} waiting, {total} answered since the start, {rejected} of them rejected"
