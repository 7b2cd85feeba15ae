"""`oct-edge watch` as a process: checked at the start, obedient to signals, honest to systemd."""

import logging
import os
import select
import signal
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from types import FrameType

from oct_edge import logs
from oct_edge.config.live import Live
from oct_edge.config.tree import Config
from oct_edge.console import say
from oct_edge.exports import Exports
from oct_edge.intake import Intake
from oct_edge.ledger.store import Ledger
from oct_edge.notify import Notifier
from oct_edge.result import Result
from oct_edge.watch import Watcher, watch
from oct_edge.worker.supervisor import Worker

log = logging.getLogger("oct_edge.service")

INTERRUPTED = 130
QUARANTINE = "quarantine"


def serve(config: Config, *, once: bool = False, read: Callable[[], Config] | None = None) -> int:
    """Watch until a signal or, with `once`, until all is answered; returns the exit code.

    The model has to give its golden answers before the first scan is taken, or a folder made. `read` gives the settings
    as they are when SIGHUP comes.

    Raises:
        OctEdgeError: ModelError, RuntimeUnavailable, ConfigurationError, LedgerError, InboxUnavailable,
            WorkerUnavailable, InferenceFailed or OutputUnavailable.
    """
    handler = logs.set_up(config.log)
    signals = Signals()
    live = Live(config, read or (lambda: config))
    progress = Progress()

    def look_up() -> None:
        progress.made()
        handler.tell_held_back()
        if signals.hung_up():
            live.reload()
            logs.set_up(live.config.log)
            watcher.tracker.delay = live.config.source.stable

    with ExitStack() as stack:
        worker = Worker(config.model.name, config.model.runtime, config.model.threads, pause=signals.wait)
        stack.callback(worker.close)
        ledger = Ledger(config.state_folder)
        stack.callback(ledger.close)
        exports = Exports(config.output.folder, config.state_folder / QUARANTINE)
        stack.callback(exports.close)
        intake = Intake(ledger, worker, exports)
        watcher = Watcher(config.source.inbox, intake, delay=config.source.stable, progress=look_up)
        intake.catch_up()
        log.info("watching %s with %s on %s", config.source.inbox, worker.identity.name, worker.identity.runtime)
        progress.started()
        watch(watcher, signals, progress.report, interval=lambda: live.config.source.interval, once=once)
        progress.ended()
        unreadable = once and not signals.received and watcher.unreadable()
    if signal.SIGINT in signals.received:
        return INTERRUPTED
    return 1 if once and (progress.answers["rejected"] or unreadable) else 0


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
    """SIGTERM and SIGINT, from now on, as a `Stop`; and SIGHUP, which ends it where its terminal is gone.

    Not a `threading.Event`: a handler that sets one while the main thread is going to sleep on it waits for itself.
    Python writes to the pipe as soon as a signal comes, so none is missed on the way into `select`.
    """

    def __init__(self) -> None:
        self.received: list[int] = []
        self._hangups = self._seen = 0
        self._has_terminal = os.isatty(0)
        self._wake, writer = os.pipe()
        os.set_blocking(writer, False)
        signal.set_wakeup_fd(writer)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._receive)
        signal.signal(signal.SIGHUP, self._hang_up)

    def is_set(self) -> bool:
        return bool(self.received)

    def hung_up(self) -> bool:
        """Whether SIGHUP came since this was asked before."""
        hangups = self._hangups  # once: one more may come on the way
        before, self._seen = self._seen, hangups
        return hangups > before

    def wait(self, timeout: float) -> None:
        if select.select([self._wake], [], [], timeout)[0]:
            os.read(self._wake, 64)

    def _receive(self, number: int, _: FrameType | None) -> None:
        self.received.append(number)

    def _hang_up(self, number: int, frame: FrameType | None) -> None:
        if self._has_terminal and not os.isatty(0):
            self._receive(number, frame)
        self._hangups += 1
