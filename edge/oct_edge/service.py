"""`oct-edge watch` as a process: start checked, signals obeyed, results acknowledged only when durable."""

import logging
import signal
import sys
import threading
from pathlib import Path
from types import FrameType

from oct_edge.classifier import Classifier
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
        ModelError, RuntimeUnavailable, ConfigurationError, OutputUnavailable: as in the parts it calls.
    """
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
    stop = threading.Event()
    received = _stop_on_signals(stop)
    classifier = Classifier.open(model, runtime, threads)
    classifier.self_test()
    watcher = Watcher(inbox, classifier.classify_bytes, ResultFolder(output), delay=stable)
    log.info("watching %s with %s on %s", inbox, classifier.bundle.name, classifier.identity.runtime)
    rejections = 0

    def report(result: Result) -> None:
        nonlocal rejections
        rejections += result.status == "rejected"
        print(result.to_json(), flush=True)

    watch(watcher, stop, report, interval=interval, once=once)
    if signal.SIGINT in received:
        return INTERRUPTED
    return 1 if once and (rejections or watcher.unreadable()) else 0


def _stop_on_signals(stop: threading.Event) -> list[int]:
    """Set `stop` on SIGTERM and SIGINT; the list fills with the signals received."""
    received: list[int] = []

    def handle(number: int, _: FrameType | None) -> None:
        received.append(number)
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, handle)
    return received
