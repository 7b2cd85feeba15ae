"""Does the ledger of a daemon that runs for years cost more than that of a new one?

Ledgers of 1,000, 10,000 and 100,000 results are filled, and asked side by side: how long opening takes after a clean
end and after a kill (which has all of the file read), what a scan costs (taken, answered, marked: three commits), in
turns, so that all meet the same disk. Then the largest loses its older half to retention and is copied, while it goes
on being written and read. The aim of the design is a start in less than 2 s and a cost that does not grow. Prints
tables and writes `ledger.json` into the current folder.
"""

import hashlib
import json
import shutil
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from intervals import interval

from oct_edge.exports import Exports
from oct_edge.ledger.backup import back_up
from oct_edge.ledger.reader import reading
from oct_edge.ledger.retention import Limits, Retention
from oct_edge.ledger.store import Ledger
from oct_edge.result import ModelIdentity, Referral, Result, Source, Timing, utc_now

SIZES = (1_000, 10_000, 100_000)
TURNS, SCANS = 30, 8
MODEL = ModelIdentity("mobilenet-int8", "6" * 64, "litert 2.3.0")
PROBABILITIES = {"CNV": 0.9402, "DME": 0.0407, "DRUSEN": 0.0074, "NORMAL": 0.0117}


def result(i: int) -> Result:
    source = Source(f"scan-{i}.jpeg", hashlib.sha256(b"%d" % i).hexdigest())
    referral, timing = Referral("urgent", 0.9809, 0.5), Timing(7.63, 12.71, 20.35)
    return Result(
        utc_now(), source, "classified", MODEL, (), (), "CNV", PROBABILITIES, referral, {"min_confidence": 0.5}, timing
    )


def fill(folder: Path, results: int) -> Ledger:
    ledger = Ledger(folder)
    for start in range(0, results, 500):
        with ledger.batch() as batch:
            for i in range(start, start + 500):
                one = result(i)
                batch.sighted(str(one.source.sha256), one.source.name)
                batch.taken(str(one.source.sha256), MODEL.sha256, one.source.name)
                batch.answered(one)
            batch.exported()
    return ledger


def scan(ledger: Ledger, i: int) -> None:
    """What a scan that comes alone costs the ledger."""
    one = result(i)
    with ledger.batch() as batch:
        batch.sighted(str(one.source.sha256), one.source.name)
        batch.taken(str(one.source.sha256), MODEL.sha256, one.source.name)
        batch.is_due(str(one.source.sha256))
    with ledger.batch() as batch:
        batch.answered(one)
    with ledger.batch() as batch:
        batch.exported()


def seconds(action: Callable[[], Any]) -> float:
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


def openings(folder: Path) -> dict[str, float]:
    """Milliseconds to open a ledger that was closed, and one that was not."""
    clean = []
    for _ in range(5):
        began = time.perf_counter()
        ledger = Ledger(folder)
        clean.append(time.perf_counter() - began)
        ledger.close()
    killed = folder.with_name("killed")
    ledger = Ledger(folder)
    scan(ledger, -1)
    shutil.copytree(folder, killed)  # with a log that nobody emptied
    ledger.close()
    after_kill = seconds(lambda: Ledger(killed).close())
    shutil.rmtree(killed)
    return {"clean_ms": round(1000 * statistics.median(clean), 1), "killed_ms": round(1000 * after_kill, 1)}


def costs(ledgers: dict[int, Ledger]) -> Iterator[dict[str, Any]]:
    """CPU and wall milliseconds a scan, and the wall time over that of the smallest."""
    fresh = iter(range(10**6, 10**7))
    wall: dict[int, list[float]] = {size: [] for size in ledgers}
    cpu: dict[int, list[float]] = {size: [] for size in ledgers}
    for _ in range(TURNS):
        for size, ledger in ledgers.items():
            began = time.process_time()
            wall[size].append(seconds(lambda ledger=ledger: [scan(ledger, next(fresh)) for _ in range(SCANS)]))
            cpu[size].append(time.process_time() - began)
    for size in ledgers:
        ratios = [b / a for a, b in zip(wall[SIZES[0]], wall[size], strict=True)]
        cpu_ratios = [b / a for a, b in zip(cpu[SIZES[0]], cpu[size], strict=True)]
        yield {
            "results": size,
            "scan_ms": round(1000 * statistics.median(wall[size]) / SCANS, 2),
            "ratio": round(statistics.median(ratios), 3),
            "ratio_interval": [round(end, 3) for end in interval(ratios)],
            "cpu_ms": round(1000 * statistics.median(cpu[size]) / SCANS, 2),
            "cpu_ratio": round(statistics.median(cpu_ratios), 3),
            "cpu_ratio_interval": [round(end, 3) for end in interval(cpu_ratios)],
        }


def maintenance(ledger: Ledger, place: Path) -> dict[str, Any]:
    """Half of the results go while somebody reads; a copy is made while scans come."""
    exports = Exports(place / "results", place / "quarantine")
    retention = Retention(ledger, exports, Limits(results=SIZES[-1] // 2))
    size = ledger.path.stat().st_size
    steps: list[float] = []
    with reading(ledger.folder) as reader:
        reader.serving()
        more = True
        while more:
            began = time.perf_counter()
            more = retention.step()
            steps.append(time.perf_counter() - began)
    exports.close()
    ledger.close()
    size_after = ledger.path.stat().st_size
    ledger = Ledger(ledger.folder)
    fresh = iter(range(10**7, 10**8))
    alone = [seconds(lambda: scan(ledger, next(fresh))) for _ in range(100)][50:]
    copying = threading.Thread(target=back_up, args=(ledger.folder, place / "copy"))
    began = time.perf_counter()
    copying.start()
    beside = []
    while copying.is_alive():
        beside.append(seconds(lambda: scan(ledger, next(fresh))))
    took = time.perf_counter() - began
    row = {
        "removed": SIZES[-1] // 2,
        "steps": len(steps),
        "retention_s": round(sum(steps), 2),
        "longest_step_s": round(max(steps), 2),
        "mb_before": round(size / 1e6, 1),
        "mb_after": round(size_after / 1e6, 1),
        "copy_s": round(took, 2),
        "scans_beside_the_copy": len(beside),
        "scan_ms_alone": round(1000 * statistics.median(alone), 2),
        "scan_ms_beside_the_copy": round(1000 * statistics.median(beside), 2),
        "longest_ms_beside_the_copy": round(1000 * max(beside), 1),
    }
    ledger.close()
    with reading(ledger.folder) as reader:
        row["status_ms"] = round(1000 * seconds(reader.status), 1)
        row["verify_s"] = round(seconds(reader.verify), 2)
    return row


def main() -> None:
    with tempfile.TemporaryDirectory(dir=".") as work:
        place = Path(work)
        ledgers = {size: fill(place / str(size), size) for size in SIZES}
        scans = list(costs(ledgers))
        for ledger in ledgers.values():
            ledger.close()
        starts = [openings(place / str(size)) for size in SIZES]
        upkeep = maintenance(Ledger(place / str(SIZES[-1])), place)
    print("results   opened   after a kill   a scan   over the smallest       CPU a scan   over the smallest")
    for start, cost in zip(starts, scans, strict=True):
        ratio, cpu_ratio = (
            f"{cost[kind]:.2f} ({low:.2f}-{high:.2f})"
            for kind, (low, high) in ((k, cost[f"{k}_interval"]) for k in ("ratio", "cpu_ratio"))
        )
        print(
            f"{cost['results']:>7}   {start['clean_ms']:>3.0f} ms   {start['killed_ms']:>9.0f} ms   "
            f"{cost['scan_ms']:>3.0f} ms   {ratio:<21}   {cost['cpu_ms']:>7.2f} ms   {cpu_ratio}"
        )
    for name, value in upkeep.items():
        print(f"{name.replace('_', ' '):<28} {value}")
    Path("ledger.json").write_text(json.dumps({"starts": starts, "scans": scans, "upkeep": upkeep}, indent=1) + "\n")


if __name__ == "__main__":
    main()
