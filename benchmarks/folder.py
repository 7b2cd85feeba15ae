"""How close does classifying a folder come to the bare interpreter?

    python benchmarks/folder.py [FOLDER] [--pairs 10] [--model NAME]

In each pair the bare interpreter answers as many tensors as there are scans, then `classify` without looking ahead and
with it answer the files; with one interpreter thread, and with as many as there are cores. The ratio is to the bare
rate of the same pair. Without FOLDER the bundled phantoms are taken, eight times.

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

_ROW = "{:<28} {:>8} {:>10} {:>22}"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("folder", nargs="?", type=Path)
    parser.add_argument("--pairs", type=int, default=10)
    parser.add_argument("--model", default=DEFAULT)
    options = parser.parse_args()
    paths = expand_paths([options.folder]) if options.folder else sample_scans() * 8
    rows: list[dict[str, Any]] = []
    print(_ROW.format(f"{len(paths)} scans", "threads", "scans/s", "of bare"))
    for threads in sorted({1, len(os.sched_getaffinity(0))}):
        for row in _rows(Classifier.open(options.model, threads=threads), paths, options.pairs):
            rows.append({"threads": threads, **row})
            ratio = f"{row['ratio']:.3f} ({row['low']:.3f}-{row['high']:.3f})"
            print(_ROW.format(row["way"], threads, f"{row['rate']:.1f}", ratio), flush=True)
    print(DISCLAIMER)
    Path("folder.json").write_text(json.dumps(rows, indent=1) + "\n")


def _rows(classifier: Classifier, paths: list[Path], pairs: int) -> list[dict[str, Any]]:
    tensors = [to_tensor(read_scan(path)) for path in paths]
    ways: dict[str, Callable[[], object]] = {
        "bare interpreter": lambda: [classifier.runtime.invoke(tensor) for tensor in tensors],
        "one scan after the other": lambda: [classifier.classify_file(path) for path in paths],
        "decoding ahead": lambda: list(answers(classifier, paths)),
    }
    rates: dict[str, list[float]] = {way: [] for way in ways}
    for number in range(pairs + 1):  # the first finds cold caches
        for way, run in ways.items():
            start = time.perf_counter()
            run()
            if number:
                rates[way].append(len(paths) / (time.perf_counter() - start))
    bare = rates["bare interpreter"]
    rows = []
    for way, found in rates.items():
        ratios = [rate / floor for rate, floor in zip(found, bare, strict=True)]
        low, high = interval(ratios)
        rows.append(
            {
                "way": way,
                "rate": statistics.median(found),
                "ratio": statistics.median(ratios),
                "low": low,
                "high": high,
            }
        )
    return rows


if __name__ == "__main__":
    main()
