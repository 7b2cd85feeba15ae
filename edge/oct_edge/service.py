"""`oct-edge watch` as a process: checked at the start, obedient to signals, honest to systemd.

Three troubles heal by themselves and do not end it: an inbox that is gone, an output folder that is gone, a full disk.
It says so, takes nothing, and goes on as soon as it can, from what the disk holds and not from what it remembers. Any
other failure of a write ends it, because nobody knows what the disk holds then; the next start reads it.
"""

import logging
import os
import select
import signal
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from oct_edge.console import say
from oct_edge.errors import DiskFull, InboxUnavailable, OctEdgeError, OutputMissing
from oct_edge.exports import Exports
from oct_edge.exports.quarantine import Mode
from oct_edge.health import Health
from oct_edge.intake import Intake
from oct_edge.ledger.store import Ledger
from oct_edge.naming import Names, naming
from oct_edge.notify import Notifier
from oct_edge.result import Result
from oct_edge.watch import GIVE_UP, Watcher, watch_once
from oct_edge.worker.supervisor import Worker

log = logging.getLogger("oct_edge.service")

INTERRUPTED = 130
QUARANTINE = "quarantine"
_HEALING = (DiskFull, OutputMissing)
_PAUSE, _LONGEST_PAUSE = 1.0, 30.0  # seconds between two tries to go on
_ROOM = 2**20  # bytes that have to be free before it goes on: less is full again at once
_FAILING = 3  # replacements of the worker without an answer in between, before that is called a trouble


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
    give_up: float = GIVE_UP
    follow: bool = False
    names: Names = "plain"
    jsonl: Path | None = None
    csv: Path | None = None
    quarantine: Mode = "note"


def serve(settings: Settings) -> int:
    """Watch until a signal or, with `once`, until all is answered; returns the exit code.

    The model has to give its golden answers before the first scan is taken, or a folder made.

    Raises:
        OctEdgeError: ModelError, RuntimeUnavailable, ConfigurationError, LedgerError, WorkerUnavailable,
            InferenceFailed or OutputUnavailable; with `once` also what would heal by itself.
    """
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
    signals = Signals()
    with ExitStack() as stack:
        worker = Worker(settings.model, settings.runtime, settings.threads, pause=signals.wait)
        stack.callback(worker.close)
        progress = Progress(stack.enter_context(closing(Health(settings.state))), worker)
        watcher = Watcher(
            settings.inbox,
            delay=settings.stable,
            give_up=settings.give_up,
            follow=settings.follow,
            naming=naming(settings.names, settings.state),
            progress=lambda: progress.made(watcher.waiting),
        )
        service = _Service(settings, worker, watcher, signals, progress)
        if settings.once:
            with service.opened() as intake:
                watch_once(watcher, intake, signals, progress.report, settings.interval)
        else:
            service.watch()
        progress.ended()
        unreadable = settings.once and not signals.received and watcher.unreadable()
    if signal.SIGINT in signals.received:
        return INTERRUPTED
    return 1 if settings.once and (progress.answers["rejected"] or unreadable) else 0


@dataclass(frozen=True)
class _Service:
    """What stays for as long as the process lives; ledger and results are opened anew after each trouble with them."""

    settings: Settings
    worker: Worker
    watcher: Watcher
    signals: "Signals"
    progress: "Progress"

    def watch(self) -> None:
        """Until a signal: watch, and where a trouble comes that heals by itself, wait until it has."""
        pause = _PAUSE
        while not self.signals.is_set():
            before = self.progress.answers.total()
            try:
                with self.opened() as intake:
                    self.progress.healed(error.code for error in _HEALING)
                    self._look_around(intake)
            except _HEALING as error:
                self.progress.troubled(error)
                pause = _PAUSE if self.progress.answers.total() > before else min(_LONGEST_PAUSE, 2 * pause)
                self.signals.wait(pause)

    @contextmanager
    def opened(self) -> Iterator[Intake]:
        """Ledger and results as they are on the disk; what the time before left undone is done."""
        output, state = self.settings.output, self.settings.state
        lines = [path.parent for path in (self.settings.jsonl, self.settings.csv) if path]
        if self.progress.is_started:
            _require_room([output, state, *lines])
        with closing(Ledger(state)) as ledger, closing(self._exports()) as exports:
            intake = Intake(ledger, self.worker, exports)
            intake.catch_up()
            identity = self.worker.identity
            log.info("watching %s with %s on %s", self.watcher.inbox, identity.name, identity.runtime)
            self.progress.started()
            yield intake

    def _exports(self) -> Exports:
        settings = self.settings
        return Exports(
            settings.output,
            settings.state / QUARANTINE,
            jsonl=settings.jsonl,
            csv=settings.csv,
            mode=settings.quarantine,
            inbox=settings.inbox,
            naming=naming(settings.names, settings.state),
        )

    def _look_around(self, intake: Intake) -> None:
        while not self.signals.is_set():
            try:
                for result in self.watcher.take(intake, self.signals):
                    self.progress.report(result)
                self.progress.healed([InboxUnavailable.code])
            except InboxUnavailable as error:
                self.progress.troubled(error)
            self.signals.wait(self.settings.interval)


def _require_room(folders: Iterable[Path]) -> None:
    """Whether it is worth a try to go on. No folder is made: one that is gone may be back with what is in it."""
    for folder in folders:
        if not folder.is_dir():
            raise OutputMissing(f"{folder}: the folder is gone.")
        disk = os.statvfs(folder)
        if disk.f_bavail * disk.f_frsize < _ROOM:
            raise DiskFull(f"{folder}: less than {_ROOM >> 20} MiB are free.")


class Progress:
    """What was answered since the start, and what is in the way: printed, counted, kept, and told to systemd."""

    def __init__(self, health: Health, worker: Worker) -> None:
        self.answers: Counter[str] = Counter()
        self.is_started = False
        self._waiting = 0
        self._health, self._worker = health, worker
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
        self._health.keep()
        self._notifier.progress(self._status())

    def report(self, result: Result) -> None:
        say(result.to_json())
        self.answers[result.status] += 1
        self.made(max(0, self._waiting - 1))

    def troubled(self, error: OctEdgeError) -> None:
        """Something is in the way that may go away by itself; it was just looked at."""
        self._health.degrade(error.code, error.message)
        self.started()
        self.made(self._waiting)

    def healed(self, codes: Iterable[str]) -> None:
        for code in codes:
            self._health.recover(code)

    def ended(self) -> None:
        self._notifier.stopping()

    def _status(self) -> str:
        total, rejected = self.answers.total(), self.answers["rejected"]
        reasons = f"degraded: {', '.join(self._health.reasons)}; " if self._health.reasons else ""
        return f"{reasons}{self._waiting} waiting, {total} answered since the start, {rejected} of them rejected"


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
