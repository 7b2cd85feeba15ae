"""How close does classifying a folder come to the bare interpreter, and to what the cores can do at all?

    python benchmarks/folder.py [FOLDER] [--pairs 10] [--model NAME]

In each pair the bare interpreter answers as many tensors as there are scans, then `classify` without looking ahead and
with it answer the files; with one interpreter thread, and with as many as there are cores. One ratio is to the bare
rate of the same pair. The other is to the rate at which all cores would be busy with what one scan takes of one of
them, from its file to its answer, as the same pair measured it; whatever else runs on the machine is missing there.
Without FOLDER the bundled phantoms are taken, eight times.

Prints medians with their intervals, and writes `folder.json` into the current folder.
"""

import argparse
import json
import os
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from intervals import interval

from oct_edge.classifier import Classifier
from oct_edge.labels import DISCLAIMER
from oct_edge.pipeline import answers
from oct_edge.preprocess import to_tensor
from oct_edge.scan import expand_paths, read_scan
from oct_models import DEFAULT, sample_scans

_ROW = "{:<26} {:>7} {:>8} {:>21} {:>21}"
_BARE, _COST = "bare interpreter", "one thread"
Times = tuple[float, float]  # seconds of wall and of processor


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("folder", nargs="?", type=Path)
    parser.add_argument("--pairs", type=int, default=10)
    parser.add_argument("--model", default=DEFAULT)
    options = parser.parse_args()
    paths = expand_paths([options.folder]) if options.folder else sample_scans() * 8
    cores = len(os.sched_getaffinity(0))
    rows: list[dict[str, Any]] = []
    print(_ROW.format(f"{len(paths)} scans", "threads", "scans/s", "of bare", "of the cores"))
    for threads in sorted({1, cores}):
        found = _measured(options.model, threads, paths, options.pairs)
        for way in found:
            if way == _COST:
                continue
            row = {"way": way, "threads": threads, **_compared(found, way, cores), "scans": len(paths)}
            row["scans_per_second"] = statistics.median(len(paths) / wall for wall, _ in found[way])
            rows.append(row)
            ratios = ["{:.3f} ({:.3f}-{:.3f})".format(*row[of]) for of in ("of_bare", "of_cores")]
            if way == _BARE:
                ratios = ["1", "-"]  # it decodes nothing, so it is none of what the cores could do of that
            print(_ROW.format(way, threads, f"{row['scans_per_second']:.1f}", *ratios), flush=True)
    print(DISCLAIMER)
    Path("folder.json").write_text(json.dumps(rows, indent=1) + "\n")


def _measured(model: str, threads: int, paths: list[Path], pairs: int) -> dict[str, list[Times]]:
    """The times of each way, pair by pair."""
    classifier, single = Classifier.open(model, threads=threads), Classifier.open(model, threads=1)
    tensors = [to_tensor(read_scan(path)) for path in paths]
    ways: dict[str, Callable[[], object]] = {
        _BARE: lambda: [classifier.runtime.invoke(tensor) for tensor in tensors],
        "one scan after the other": lambda: [classifier.classify_file(path) for path in paths],
        "decoding ahead": lambda: list(answers(classifier, paths)),
        _COST: lambda: [single.classify_file(path) for path in paths],
    }
    found: dict[str, list[Times]] = {way: [] for way in ways}
    for number in range(pairs + 1):  # the first finds cold caches
        for way, run in ways.items():
            wall, busy = time.perf_counter(), time.process_time()
            run()
            if number:
                found[way].append((time.perf_counter() - wall, time.process_time() - busy))
    return found


def _compared(found: dict[str, list[Times]], way: str, cores: int) -> dict[str, tuple[float, float, float]]:
    """Medians with their intervals: of the bare interpreter's rate, and of that of cores which are never idle."""
    own, bare, cost = found[way], found[_BARE], found[_COST]
    of_bare = [floor / wall for (floor, _), (wall, _) in zip(bare, own, strict=True)]
    of_cores = [busy / cores / wall for (_, busy), (wall, _) in zip(cost, own, strict=True)]
    return {
        name: (statistics.median(ratios), *interval(ratios))
        for name, ratios in (("of_bare", of_bare), ("of_cores", of_cores))
    }


if __name__ == "__main__":
    main()
