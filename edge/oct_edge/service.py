"""`oct-edge watch` as a process: start checked, signals obeyed, results acknowledged only when durable."""

import logging
import os
import select
import signal
import sys
from pathlib import Path
from types import FrameType

from oct_edge.classifier import Classifier
from oct_edge.console import say
from oct_edge.files import ResultFolder
from oct_edge.result import Result
from oct_edge.watch import Watcher, watch

log = logging.getLogger("oct_edge.service")

INTERRUPTED = 130


def serve(
    inbox: Path,
    output: Path,
    model: str,
    runtime: str,
    threads: int | None,
    *,
    once: bool,
    interval: float,
    stable: float,
) -> int:
    """Watch until a signal or, with `once`, until all is answered; returns the exit code.

    The model has to give its golden answers before the first scan is taken.

    Raises:
        OctEdgeError: ModelError, RuntimeUnavailable, ConfigurationError, InboxUnavailable or OutputUnavailable.
    """
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
    signals = Signals()
    classifier = Classifier.open(model, runtime, threads)
    classifier.self_test()
    watcher = Watcher(inbox, classifier.classify_bytes, ResultFolder(output), delay=stable)
    log.info("watching %s with %s on %s", inbox, classifier.bundle.name, classifier.identity.runtime)
    rejections = 0

    def report(result: Result) -> None:
        nonlocal rejections
        rejections += result.status == "rejected"
        say(result.to_json())

    watch(watcher, signals, report, interval=interval, once=once)
    if signal.SIGINT in signals.received:
        return INTERRUPTED
    return 1 if once and (rejections or watcher.unreadable()) else 0


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
