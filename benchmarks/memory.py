"""How much memory do `classify` and `watch` hold after one scan, and how much after 10,000?

    python benchmarks/memory.py [--scans 10000] [--runs 10] [--daemons 3] [--folder DIR]

A run is one process, looked at twice: when its first answer was read, and shortly before its last. PSS counts its share
of what it has in common with others, and for the daemon is that of both its processes. `classify` gets eight phantoms
under many names; every scan of the daemon is another content, and stays in the inbox, which it remembers.

Prints medians with their intervals, and writes `memory.json` into the current folder.
"""

import argparse
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from intervals import interval
from watching import Watch, contents, drop, pss_mib

from oct_edge.labels import DISCLAIMER
from oct_models import sample_scans

AIM = 150.0  # MiB
IN_THE_PIPE = 200  # lines, and more: the process is not done when so many are left to read
_ROW = "{:<10} {:>6} {:>24} {:>24} {:>24}"
Pair = tuple[float, float]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--scans", type=int, default=10_000)
    parser.add_argument("--runs", type=int, default=10)
    parser.add_argument("--daemons", type=int, default=3)
    parser.add_argument("--folder", type=Path)
    options = parser.parse_args()
    found: dict[str, list[Pair]] = {"classify": [], "watch": []}
    for number in range(options.runs):
        for way, run in (("classify", _classify), ("watch", _watch))[: 2 if number < options.daemons else 1]:
            with tempfile.TemporaryDirectory(dir=options.folder) as folder:
                first, last = run(Path(folder), options.scans)
            found[way].append((first, last))
            print(f"{way}: {first:.1f}, {last:.1f} MiB", file=sys.stderr, flush=True)
    rows = {way: _summary(pairs) for way, pairs in found.items()}
    print(_ROW.format("PSS in MiB", "runs", "after 1 scan", f"after {options.scans}", "more"))
    for way, row in rows.items():
        figures = (f"{value:.1f} ({low:.1f}-{high:.1f})" for value, low, high in row.values())
        print(_ROW.format(way, len(found[way]), *figures))
    print(f"aim: {AIM:.0f} MiB; {DISCLAIMER}")
    Path("memory.json").write_text(json.dumps({"scans": options.scans, "pairs": found, **rows}, indent=1) + "\n")


def _summary(pairs: list[Pair]) -> dict[str, tuple[float, float, float]]:
    columns = {
        "first": [first for first, _ in pairs],
        "last": [last for _, last in pairs],
        "more": [last - first for first, last in pairs],
    }
    return {name: (statistics.median(values), *interval(values)) for name, values in columns.items()}


def _classify(folder: Path, scans: int) -> Pair:
    samples = sample_scans()
    for i in range(scans):
        os.link(_near(samples[i % len(samples)], folder), folder / f"{i:06}.jpeg")
    command = [str(Path(sys.executable).parent / "oct-edge"), "classify", "--json", "--threads", "1", str(folder)]
    held = []
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        for number, _ in enumerate(process.stdout or (), start=1):
            if number in (1, max(2, scans - IN_THE_PIPE)):
                process.send_signal(signal.SIGSTOP)
                held.append(pss_mib(process.pid))
                process.send_signal(signal.SIGCONT)
    return held[0], held[-1]


def _near(sample: Path, folder: Path) -> Path:
    """A copy on the same disk, which can be linked."""
    copy = folder / f".{sample.name}"
    if not copy.exists():
        copy.write_bytes(sample.read_bytes())
    return copy


def _watch(folder: Path, scans: int) -> Pair:
    watch = Watch(folder)
    watch.start()
    drop(watch.inbox, contents(0, 1), 0)
    watch.wait_for(1)
    first = watch.burden()["pss_mib"]
    drop(watch.inbox, contents(1, scans - 1), 1)
    watch.wait_for(scans, limit=3600)
    last = watch.burden()["pss_mib"]
    watch.end(signal.SIGTERM)
    return first, last


if __name__ == "__main__":
    main()
