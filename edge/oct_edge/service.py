"""`oct-edge watch` as a process: checked at the start, obedient to signals, honest to systemd.

Three troubles heal by themselves and do not end it: an inbox that is gone, an output folder that is gone, a full disk.
It says so, takes nothing, and goes on as soon as it can, from what the disk holds and not from what it remembers. Any
other failure of a write ends it, because nobody knows what the disk holds then; the next start reads it.
"""

import logging
import os
import signal
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from oct_edge import logs
from oct_edge.clock import synchronised
from oct_edge.config.live import Live
from oct_edge.config.tree import Config, Decision
from oct_edge.errors import DiskFull, InboxUnavailable, OutputMissing
from oct_edge.events import Events
from oct_edge.exports import Exports
from oct_edge.health import Health
from oct_edge.intake import Intake
from oct_edge.ledger.retention import Limits, Upkeep
from oct_edge.ledger.store import Ledger
from oct_edge.monitor import Monitor
from oct_edge.naming import naming
from oct_edge.prior import parse_prior
from oct_edge.progress import Progress
from oct_edge.signals import Signals
from oct_edge.watch import Stop, Watcher, watch_once
from oct_edge.worker.supervisor import Worker

log = logging.getLogger("oct_edge.service")

INTERRUPTED = 130
QUARANTINE = "quarantine"
_HEALING = (DiskFull, OutputMissing)
_PAUSE, _LONGEST_PAUSE = 1.0, 30.0  # seconds between two tries to go on
_LONGEST_SLEEP = 60.0  # seconds: a look is what feeds the watchdog of the unit, which waits for three minutes
_ROOM = 2**20  # bytes that have to be free before it goes on: less is full again at once


def serve(config: Config, *, once: bool = False, read: Callable[[], Config] | None = None) -> int:
    """Watch until a signal or, with `once`, until all is answered; returns the exit code.

    The model has to give its golden answers before the first scan is taken, or a folder made. `read` gives the settings
    anew when SIGHUP comes.

    Raises:
        OctEdgeError: ModelError, RuntimeUnavailable, ConfigurationError, LedgerError, WorkerUnavailable,
            InferenceFailed or OutputUnavailable; with `once` also what would heal by itself.
    """
    lines = logs.set_up(config.log)
    signals = Signals()
    live = Live(config, read or (lambda: config))

    def look_up() -> None:
        """What is done besides, whenever something was done."""
        lines.tell_held_back()
        if signals.hung_up():
            live.reload()
            logs.set_up(live.config.log)
            watcher.tracker.delay, watcher.give_up = live.config.source.stable, live.config.source.give_up

    with ExitStack() as stack:
        model, decision = config.model, _told(config.decision)
        worker = Worker(model.name, model.runtime, model.threads, decision=decision, pause=signals.wait)
        stack.callback(worker.close)
        health = stack.enter_context(closing(Health(config.state_folder)))
        textfile = config.metrics.textfile
        monitor = Monitor(config.state_folder, health, worker.identity, config.model.name, textfile)
        progress = Progress(health, worker, stack.enter_context(closing(monitor)), look_up)
        watcher = Watcher(
            config.source.inbox,
            delay=config.source.stable,
            give_up=config.source.give_up,
            follow=config.source.symlinks == "follow",
            naming=naming(config.privacy.names, config.state_folder),
            progress=lambda: progress.made(watcher.waiting),
        )
        service = _Service(live, worker, watcher, signals, progress)
        if once:
            with service.opened() as (intake, upkeep, stop):
                watch_once(watcher, intake, stop, progress.report, config.source.interval)
                upkeep.step()
        else:
            service.watch()
        progress.ended()
        unreadable = once and not signals.received and watcher.unreadable()
    if signal.SIGINT in signals.received:
        return INTERRUPTED
    return 1 if once and (progress.answers["rejected"] or unreadable) else 0


@dataclass(frozen=True)
class _Service:
    """What stays for as long as the process lives; ledger and results are opened anew after each trouble with them."""

    live: Live
    worker: Worker
    watcher: Watcher
    signals: Signals
    progress: Progress

    def watch(self) -> None:
        """Until a signal: watch, and where a trouble comes that heals by itself, wait until it has."""
        pause = _PAUSE
        while not self.signals.is_set():
            before = self.progress.answers.total()
            try:
                with self.opened() as (intake, upkeep, stop):
                    self.progress.healed(error.code for error in _HEALING)
                    self._look_around(intake, upkeep, stop)
            except _HEALING as error:
                self.progress.troubled(error)
                pause = _PAUSE if self.progress.answers.total() > before else min(_LONGEST_PAUSE, 2 * pause)
                self.signals.wait(pause)

    @contextmanager
    def opened(self) -> Iterator[tuple[Intake, Upkeep, Stop]]:
        """Ledger and results as they are on the disk, and what to sleep on; what was left undone before is done."""
        output, state = self.live.config.output.folder, self.live.config.state_folder
        lines = [path.parent for path in (self.live.config.output.jsonl, self.live.config.output.csv) if path]
        if self.progress.is_started:
            _require_room([output, state, *lines])
        with closing(Ledger(state)) as ledger, closing(self._exports()) as exports, self._woken() as stop:
            intake = Intake(ledger, self.worker, exports)
            intake.catch_up()
            identity = self.worker.identity
            log.info("watching %s with %s on %s", self.watcher.inbox, identity.name, identity.runtime)
            self.progress.started()
            yield intake, Upkeep(ledger, exports, self._limits), stop

    def _exports(self) -> Exports:
        config = self.live.config
        return Exports(
            config.output.folder,
            config.state_folder / QUARANTINE,
            jsonl=config.output.jsonl,
            csv=config.output.csv,
            mode=lambda: self.live.config.quarantine.mode,
            inbox=config.source.inbox,
            naming=naming(config.privacy.names, config.state_folder),
        )

    def _limits(self) -> Limits:
        """What holds now. While the clock may be wrong nothing is too old."""
        retention = self.live.config.retention
        return Limits(None if synchronised() is False else retention.days, retention.results)

    def _look_around(self, intake: Intake, upkeep: Upkeep, stop: Stop) -> None:
        while not stop.is_set():
            answers = self.progress.answers.total()
            try:
                for result in self.watcher.take(intake, stop):
                    self.progress.report(result)
                self.progress.healed([InboxUnavailable.code])
                upkeep.step()
            except InboxUnavailable as error:
                self.progress.troubled(error)
            if self.progress.answers.total() == answers:  # else more has come, and come to rest, meanwhile
                stop.wait(min(self.live.config.source.interval, self.watcher.tracker.rests_in(), _LONGEST_SLEEP))

    def _woken(self) -> AbstractContextManager[Stop]:
        """The signals, and file events unless it is told to poll."""
        if self.live.config.source.events == "poll":
            return nullcontext(self.signals)
        inbox, tracker = self.watcher.inbox, self.watcher.tracker
        return Events(self.signals, inbox, delay=lambda: tracker.delay, notice=self.progress.heard)


def _told(decision: Decision) -> dict[str, Any]:
    """The settings as `decision_of` takes them."""
    prior = parse_prior(decision.prior) if decision.prior else None
    return {"threshold": decision.threshold, "strict": decision.strict, "prior": prior}


def _require_room(folders: Iterable[Path]) -> None:
    """Whether it is worth a try to go on. No folder is made: one that is gone may be back with what is in it."""
    for folder in folders:
        if not folder.is_dir():
            raise OutputMissing(f"{folder}: the folder is gone.")
        disk = os.statvfs(folder)
        if disk.f_bavail * disk.f_frsize < _ROOM:
            raise DiskFull(f"{folder}: less than {_ROOM >> 20} MiB are free.")
