"""How close does the watching daemon come to the bare interpreter, and does it stay as small as it began?

    python benchmarks/daemon.py [--scans 10000] [--pairs 10] [--folder DIR]

Phantoms are dropped into the inbox in parts, as fast as the disk takes them. Before and after each part the bare
interpreter answers for a while, with the same model and one thread, while the daemon has nothing to do: the ratio of a
part is its rate, from the first answer that was told to the last, over the mean of the two. An answer is told when it
is durable. Then single scans come one by one: how long after closing each is answered, less the stability delay.
Memory, descriptors and threads are those of daemon and worker together, after each part.

Prints a table and writes `daemon.json` into the current folder. `--folder` chooses the disk.
"""

import argparse
import json
import signal
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from intervals import interval
from watching import STABLE, Watch, contents, drop

from oct_edge.labels import DISCLAIMER
from oct_edge.preprocess import to_tensor
from oct_edge.runtime import Runtime, open_runtime
from oct_edge.scan import read_scan
from oct_models import DEFAULT, bundled_models, sample_scans

SINGLE = 40  # scans that come one by one
BARE_SECONDS = 3.0
_ROW = "{:>8} {:>10} {:>10} {:>7} {:>8} {:>12} {:>8} {:>10}"
_TITLES = ("answered", "bare 1/s", "daemon 1/s", "ratio", "PSS MiB", "descriptors", "threads", "kB a scan")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--scans", type=int, default=10_000)
    parser.add_argument("--pairs", type=int, default=10)
    parser.add_argument("--folder", type=Path)
    options = parser.parse_args()
    runtime = open_runtime(bundled_models()[DEFAULT].read_bytes(), threads=1)
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        watch = Watch(Path(folder))
        watch.start()
        parts = _parts(watch, runtime, options.scans // options.pairs, options.pairs)
        late = _late(watch, options.pairs * (options.scans // options.pairs))
        watch.end(signal.SIGTERM)
    ratios = [part["ratio"] for part in parts]
    low, high = interval(ratios)
    print(f"ratio {statistics.median(ratios):.3f} ({low:.3f}-{high:.3f}), aim 0.9")
    print(f"a single scan is answered {late['p50']:.2f} s after it came to rest, 95 % within {late['p95']:.2f} s")
    print(DISCLAIMER)
    document = {
        "parts": parts,
        "ratio": statistics.median(ratios),
        "ratio_low": low,
        "ratio_high": high,
        "late_s": late,
    }
    Path("daemon.json").write_text(json.dumps(document, indent=1) + "\n")


def _parts(watch: Watch, runtime: Runtime, size: int, count: int) -> list[dict[str, Any]]:
    drop(watch.inbox, contents(0, 8), 10**6)  # the first answers find cold caches
    watch.wait_for(8)
    print(_ROW.format(*_TITLES))
    parts = []
    before = bare_rate(runtime)
    for number in range(count):
        names = [f"{i:06}.jpeg" for i in range(number * size, (number + 1) * size)]
        written = watch.bytes_written()
        drop(watch.inbox, contents(8 + number * size, size), number * size)
        watch.wait_for(8 + (number + 1) * size)
        told = [watch.answered[name] for name in names]
        time.sleep(1)  # for what is written down last
        after = bare_rate(runtime)
        rate, bare = (size - 1) / (max(told) - min(told)), (before + after) / 2
        part = {"answered": (number + 1) * size, "bare": bare, "daemon": rate, "ratio": rate / bare, **watch.burden()}
        part["kilobytes"] = (watch.bytes_written() - written) / size / 1000
        figures = (f"{bare:.1f}", f"{rate:.1f}", f"{part['ratio']:.3f}", f"{part['pss_mib']:.1f}")
        print(
            _ROW.format(part["answered"], *figures, part["descriptors"], part["threads"], f"{part['kilobytes']:.1f}"),
            flush=True,
        )
        parts.append(part)
        before = after
    return parts


def _late(watch: Watch, first: int) -> dict[str, float]:
    waits = []
    pauses = np.random.default_rng(0).uniform(0, 1, SINGLE)  # the daemon looks at its own times, not at ours
    for i, pause in enumerate(pauses, first):
        time.sleep(pause)
        (closed,) = drop(watch.inbox, contents(i + 10**6, 1), i)
        watch.wait_for(len(watch.answered) + 1)
        waits.append(watch.answered[f"{i:06}.jpeg"] - closed - STABLE)
    return {"p50": float(np.percentile(waits, 50)), "p95": float(np.percentile(waits, 95))}


def bare_rate(runtime: Runtime) -> float:
    """Answers a second of the interpreter alone."""
    tensor = to_tensor(read_scan(sample_scans()[0]))
    start, count = time.perf_counter(), 0
    while time.perf_counter() - start < BARE_SECONDS:
        runtime.invoke(tensor)
        count += 1
    return count / (time.perf_counter() - start)


if __name__ == "__main__":
    main()
