"""How fast this device answers, and what it was like meanwhile (`oct-edge/bench@1`).

Three things are measured one after the other: the interpreter alone, the whole way of one scan from its file to its
result, and many scans as `classify` takes them. The board is looked at before and after: a figure of one that is too
hot, or has too little power, says nothing of another.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from itertools import cycle, islice
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

from oct_edge.board import read_board, read_celsius
from oct_edge.classifier import Classifier, Prepared
from oct_edge.errors import ScanError, UnsupportedFormat
from oct_edge.labels import DISCLAIMER
from oct_edge.machine import read_machine
from oct_edge.pipeline import answers as answers_ahead
from oct_edge.result import Result, utc_now
from oct_edge.scan import read_scans
from oct_edge.volume import answers

SCHEMA = "oct-edge/bench@1"
ROUNDS = 100
_WARM = 5  # that find cold caches, and count for nothing
_INDENT = 12


def bench(classifier: Classifier, paths: Sequence[Path], rounds: int = ROUNDS) -> dict[str, Any]:
    """One JSON-ready object; `rounds` scans are measured in each way, the given ones over and over.

    Raises:
        UnsupportedFormat: none of the files is a scan that the model can be asked about.
        InferenceFailed: the interpreter failed.
    """
    first = {path: tensor for path in paths[:rounds] if (tensor := _first_tensor(classifier, path)) is not None}
    if not first:
        raise UnsupportedFormat(
            "none of the files is a scan that gets as far as the interpreter.",
            hint="`oct-edge classify` says why; without files the bundled samples are taken.",
        )
    tensors, usable = cycle(first.values()), list(first)
    before = _strain()
    figures = {
        "invoke_ms": _spread(lambda: classifier.runtime.invoke(next(tensors)), rounds),
        "whole_ms": _spread(_whole(classifier, usable), rounds),
        "scans_per_second": _rate(classifier, usable, rounds),
    }
    return {
        "schema": SCHEMA,
        "time": utc_now(),
        "model": asdict(classifier.identity),
        "threads": classifier.runtime.threads,
        "files": len(usable),
        "rounds": rounds,
        **figures,
        "machine": asdict(read_machine()),
        "before": before,
        "after": _strain(),
        "disclaimer": DISCLAIMER,
    }


def lines(found: Mapping[str, Any]) -> Iterator[str]:
    """The same for people."""
    machine, model = found["machine"], found["model"]
    governor = f", governor {machine['governor']}" if machine["governor"] else ""
    yield _line("model", f"{model['name']} on {model['runtime']}, {found['threads']} threads")
    yield _line("scans", f"{found['files']} files, {found['rounds']} rounds")
    yield _line("invoke", _said(found["invoke_ms"]))
    yield _line("whole way", _said(found["whole_ms"]))
    yield _line("folder", f"{found['scans_per_second']:.1f} scans/s")
    yield _line("device", machine["device"] or machine["processor"])
    yield _line("cores", f"{machine['cores']}, of which {machine['usable']} may be used{governor}")
    yield _line("heat", " to ".join(heat(found[when]["celsius"]) for when in ("before", "after")))
    yield _line("throttled", throttled(found))


def throttled(found: Mapping[str, Any]) -> str:
    """What held the board back while it was measured."""
    if found["after"]["now"] is None:
        return "nobody says"
    troubles = dict.fromkeys([*found["before"]["now"], *found["after"]["now"]])
    earlier = [trouble for trouble in found["after"]["since_boot"] if trouble not in troubles]
    since = f"; before, since the start: {', '.join(earlier)}" if earlier else ""
    return f"{', '.join(troubles) or 'no'}{since}"


def heat(celsius: float | None) -> str:
    """A temperature, or that nobody says it."""
    return "?" if celsius is None else f"{celsius:.0f} °C"


def _first_tensor(classifier: Classifier, path: Path) -> np.ndarray | None:
    """What the file, or the first frame in it, gives the interpreter; None where it is turned away before."""
    try:
        admitted = classifier.admit(next(read_scans(path)))
    except ScanError:
        return None
    return admitted.tensor if isinstance(admitted, Prepared) else None


def _whole(classifier: Classifier, paths: Sequence[Path]) -> Callable[[], object]:
    """Answers one scan, from file to result, each time that it is called."""
    results = (answer for path in cycle(paths) for answer in answers(classifier, path) if isinstance(answer, Result))
    return lambda: next(results).to_json()


def _rate(classifier: Classifier, paths: Sequence[Path], rounds: int) -> float:
    start = perf_counter()
    results = (answer for answer in answers_ahead(classifier, cycle(paths)) if isinstance(answer, Result))
    for result in islice(results, rounds):
        result.to_json()
    return round(rounds / (perf_counter() - start), 2)


def _spread(work: Callable[[], object], rounds: int) -> dict[str, float]:
    """Milliseconds: the median, and what 95 % stay below."""
    times = []
    for number in range(_WARM + rounds):
        start = perf_counter()
        work()
        if number >= _WARM:
            times.append(1000 * (perf_counter() - start))
    return {"p50": round(float(np.percentile(times, 50)), 2), "p95": round(float(np.percentile(times, 95)), 2)}


def _strain() -> dict[str, Any]:
    """Heat, and the troubles that the board has and had; None where it does not say."""
    board = read_board()
    troubles = {"now": board.now, "since_boot": board.since_boot} if board else {"now": None, "since_boot": None}
    return {"celsius": read_celsius(), **troubles}


def _said(spread: Mapping[str, float]) -> str:
    return f"p50 {spread['p50']:.1f} ms, p95 {spread['p95']:.1f} ms"


def _line(title: str, text: str) -> str:
    return f"{title:<{_INDENT}}{text}"
