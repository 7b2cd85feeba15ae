"""The program that decodes and grades.

    python -m oct_edge.worker.child MODEL RUNTIME THREADS DECISION PARENT READER WRITER

The next scans are decoded, and the answer before is written, while the interpreter is busy (`pipeline`). It says that
it is ready only when the model has given its golden answers, and how long one of them takes. Then it answers one scan
after the other until its parent closes the pipe. It never outlives the parent, leaves signals for the end to it, and is
the one to be killed where memory runs out.
"""

import ctypes
import json
import os
import signal
import sys
from collections import deque
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from statistics import median
from time import perf_counter
from types import TracebackType
from typing import Any

from oct_edge.bundle import open_bundle
from oct_edge.classifier import Classifier
from oct_edge.clock import UNSYNCED, Clock
from oct_edge.decision import decision_of
from oct_edge.errors import NotEnoughMemory, OctEdgeError
from oct_edge.pipeline import AHEAD, Pipeline
from oct_edge.preprocess import expand
from oct_edge.result import Result
from oct_edge.runtime import open_runtime
from oct_edge.worker.channel import Channel, Frame

_PR_SET_PDEATHSIG = 1
_EXPENDABLE = "500"  # of 1000, for the kernel's choice of whom to kill
_TIMED = 3


def main(model: str, runtime: str, threads: str, decision: str, parent: str, reader: str, writer: str) -> int:
    _belong_to(int(parent))
    sys.excepthook = _say_where
    channel = Channel(int(reader), int(writer))
    try:
        _serve(channel, _classifier(model, runtime, int(threads) or None, json.loads(decision)))
    except OctEdgeError as error:
        channel.send({"error": error.code, "message": error.message, "hint": error.hint})
        channel.flush()
        return error.exit_code
    except EOFError:
        pass
    return 0


def _classifier(model: str, runtime: str, threads: int | None, decision: dict[str, Any]) -> Classifier:
    bundle = open_bundle(model)
    decided = decision_of(bundle, **decision)  # before the interpreter, which takes a while
    return Classifier(bundle, open_runtime(bundle.content, runtime, threads), decided)


def _serve(channel: Channel, classifier: Classifier) -> None:
    clock = Clock()
    with Pipeline(classifier) as pipeline:
        pipeline.run(Classifier.self_test)
        channel.send({"ready": asdict(classifier.identity), "seconds": pipeline.run(_seconds_an_invoke)})
        ahead: deque[Future[Result]] = deque()
        while True:
            channel.flush()
            while len(ahead) < AHEAD and (frame := _next(channel, wait=not ahead)):
                ahead.append(pipeline.submit(partial(classifier.prepare, frame.data, frame.header["name"])))
            result = ahead.popleft().result()
            if any(reason.code == NotEnoughMemory.code for reason in result.reasons):
                raise MemoryError  # no answer to the scan: a fresh process may have what this one has not
            if clock.doubt():
                result = replace(result, notes=(*result.notes, UNSYNCED))
            channel.send({"result": result.to_json()})


def _next(channel: Channel, wait: bool) -> Frame | None:
    try:
        return channel.receive(None if wait else 0.0)
    except TimeoutError:
        return None


def _seconds_an_invoke(classifier: Classifier) -> float:
    tensor = expand(classifier.bundle.golden[0].grey)
    times = []
    for _ in range(_TIMED):
        start = perf_counter()
        classifier.runtime.invoke(tensor)
        times.append(perf_counter() - start)
    return median(times)


def _belong_to(parent: int) -> None:
    """End with the parent, also in the middle of a hang; leave SIGTERM and SIGINT, which everyone gets, to it."""
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        sys.exit(0)  # it was gone before it could be watched
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text(_EXPENDABLE)


def _say_where(kind: type[BaseException], _: BaseException, trace: TracebackType | None) -> None:
    """One line without the exception's text, in which a scan's name may stand."""
    while trace and trace.tb_next:
        trace = trace.tb_next
    place = f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}" if trace else "?"
    print(f"the worker failed with {kind.__name__} in {place}", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
