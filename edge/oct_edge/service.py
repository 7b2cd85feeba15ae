"""`oct-edge watch` as a process: checked at the start, obedient to signals, honest to systemd."""

import logging
import os
import select
import signal
import sys
from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from oct_edge.console import say
from oct_edge.exports import Exports
from oct_edge.exports.quarantine import Mode
from oct_edge.intake import Intake
from oct_edge.ledger.store import Ledger
from oct_edge.notify import Notifier
from oct_edge.result import Result
from oct_edge.watch import Watcher, watch
from oct_edge.worker.supervisor import Worker

log = logging.getLogger("oct_edge.service")

INTERRUPTED = 130
QUARANTINE = "quarantine"


@dataclass(frozen=True)
class Settings:
    """What to watch, with what, and where to keep what is known."""

    inbox: Path
    output: Path
    state: Path
    model: str
    runtime: str
    threads: int | None
    once: bool
    interval: float
    stable: float
    jsonl: Path | None = None
    csv: Path | None = None
    quarantine: Mode = "note"


def serve(settings: Settings) -> int:
    """Watch until a signal or, with `once`, until all is answered; returns the exit code.

    The model has to give its golden answers before the first scan is taken, or a folder made.

    Raises:
        OctEdgeError: ModelError, RuntimeUnavailable, ConfigurationError, LedgerError, InboxUnavailable,
            WorkerUnavailable, InferenceFailed or OutputUnavailable.
    """
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
    signals = Signals()
    progress = Progress()
    with ExitStack() as stack:
        worker = Worker(settings.model, settings.runtime, settings.threads, pause=signals.wait)
        stack.callback(worker.close)
        ledger = Ledger(settings.state)
        stack.callback(ledger.close)
        exports = Exports(
            settings.output,
            settings.state / QUARANTINE,
            jsonl=settings.jsonl,
            csv=settings.csv,
            mode=settings.quarantine,
            inbox=settings.inbox,
        )
        stack.callback(exports.close)
        intake = Intake(ledger, worker, exports)
        watcher = Watcher(settings.inbox, intake, delay=settings.stable, progress=progress.made)
        intake.catch_up()
        log.info("watching %s with %s on %s", settings.inbox, worker.identity.name, worker.identity.runtime)
        progress.started()
        watch(watcher, signals, progress.report, interval=settings.interval, once=settings.once)
        progress.ended()
        unreadable = settings.once and not signals.received and watcher.unreadable()
    if signal.SIGINT in signals.received:
        return INTERRUPTED
    return 1 if settings.once and (progress.answers["rejected"] or unreadable) else 0


class Progress:
    """What was answered since the start: printed, counted, and told to systemd."""

    def __init__(self) -> None:
        self.answers: Counter[str] = Counter()
        self._notifier = Notifier()

    def started(self) -> None:
        self._notifier.ready("watching")

    def made(self) -> None:
        total, rejected = self.answers.total(), self.answers["rejected"]
        self._notifier.progress(f"{total} answered since the start, {rejected} of them rejected")

    def report(self, result: Result) -> None:
        say(result.to_json())
        self.answers[result.status] += 1
        self.made()

    def ended(self) -> None:
        self._notifier.stopping()


class Signals:
    """SIGTERM and SIGINT, from now on, as a `Stop`.

    Not a `threading.Event`: a handler that sets one while the main thread is going to sleep on it waits for itself.
    Python writes to the pipe as soon as a signal comes, so none is missed on the way into `select`.
    """

    def __init__(self) -> None:
        self.received: list[int] = []
        self._wake, writer = os.pipe()
        os.set_blocking(writer, False)
        signal.set_wakeup_fd(writer)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._receive)

    def is_set(self) -> bool:
        return bool(self.received)

    def wait(self, timeout: float) -> None:
        if select.select([self._wake], [], [], timeout)[0]:
            os.read(self._wake, 64)

    def _receive(self, number: int, _: FrameType | None) -> None:
        self.received.append(number)
