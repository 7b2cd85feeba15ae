"""Does a daemon that is killed again and again lose a scan, or say anything twice?

    python benchmarks/soak.py [--scans 50000] [--every 500] [--model NAME] [--folder DIR]

Scans are dropped `--every` at a time, and each time the daemon gets a SIGKILL at a moment that is drawn anew; the next
one goes on. What has its result is taken out of the inbox, as a clinic would. In the end every distinct content must
have exactly one state, every answer that was told must be there, and the chain of the ledger must hold.

Prints a line each tenth of the way, then the verdict, and writes `soak.json` into the current folder; exits 1 where
something was lost.
"""

import argparse
import hashlib
import json
import random
import signal
import sqlite3
import statistics
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from watching import Watch, contents, drop

from oct_edge.labels import DISCLAIMER
from oct_edge.ledger.reader import reading
from oct_edge.ledger.store import LEDGER
from oct_models import DEFAULT

_ROW = "{:>8} {:>7} {:>10} {:>9} {:>12} {:>8}"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--scans", type=int, default=50_000)
    parser.add_argument("--every", type=int, default=500)
    parser.add_argument("--model", default=DEFAULT)
    parser.add_argument("--folder", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        watch = Watch(Path(folder), "--model", options.model)
        burdens, dropped, seconds = _kill_again_and_again(watch, options.scans // options.every, options.every)
        figures = _verdict(watch, dropped)
    figures |= {
        "model": options.model,
        "seconds": seconds,
        "kills": len(burdens),
        "burdens": burdens,
        "disclaimer": DISCLAIMER,
    }
    lost = any(figures[name] for name in ("without_a_state", "with_two_states", "told_and_gone"))
    first, last = (statistics.median(b["pss_mib"] for b in part) for part in (burdens[:10], burdens[-10:]))
    print(f"{figures['contents']} contents, {figures['states']}; without a state {figures['without_a_state']}")
    print(f"with two {figures['with_two_states']}, told and gone {figures['told_and_gone']} of {figures['told']}")
    print(f"chain of {figures['events']} events holds; PSS {first:.1f} MiB at first, {last:.1f} MiB at last")
    print(DISCLAIMER)
    Path("soak.json").write_text(json.dumps(figures, indent=1) + "\n")
    sys.exit(1 if lost else 0)


def _kill_again_and_again(watch: Watch, cycles: int, every: int) -> tuple[list[dict[str, float]], set[str], float]:
    chance = random.Random(0)
    burdens, dropped = [], set[str]()
    print(_ROW.format("dropped", "kills", "told", "PSS MiB", "descriptors", "threads"))
    begin = time.perf_counter()
    for cycle in range(cycles):
        scans = contents(cycle * every, every)
        dropped |= {hashlib.sha256(scan).hexdigest() for scan in scans}
        drop(watch.inbox, scans, cycle * every)
        waiting = len(list(watch.inbox.iterdir()))
        watch.start()
        watch.wait_for(len(watch.answered) + max(1, waiting - chance.randrange(every)))
        burdens.append(watch.burden())
        watch.end(signal.SIGKILL)
        for path in (watch.folder / "results").glob("[!.]*.json"):
            (watch.inbox / f"{path.name.split('.')[0]}.jpeg").unlink(missing_ok=True)
        if not (cycle + 1) % max(1, cycles // 10):
            burden = burdens[-1]
            row = (f"{burden['pss_mib']:.1f}", burden["descriptors"], burden["threads"])
            print(_ROW.format((cycle + 1) * every, cycle + 1, len(watch.answered), *row), flush=True)
    return burdens, dropped, time.perf_counter() - begin


def _verdict(watch: Watch, dropped: set[str]) -> dict[str, object]:
    """After a last run that answers what is left."""
    watch.options = (*watch.options, "--once")
    watch.start()
    watch.process.wait()
    watch.end(signal.SIGTERM)
    state = watch.folder / "results.state"
    with reading(state) as reader:
        events = reader.verify().seq
    connection = sqlite3.connect(f"file:{state / LEDGER}?mode=ro", uri=True)
    states = dict(connection.execute("SELECT scan, state FROM scans"))
    finals = connection.execute("SELECT scan, count(*) FROM events WHERE kind = 'classified' GROUP BY scan")
    stored = {path.name.split(".")[0] for path in (watch.folder / "results").glob("*.json")}
    return {
        "contents": len(dropped),
        "states": dict(Counter(states.values())),
        "without_a_state": len([scan for scan in dropped if states.get(scan) != "classified"]),
        "with_two_states": sum(count > 1 for _, count in finals),
        "told": len(watch.answered),
        "told_and_gone": len({Path(name).stem for name in watch.answered} - stored),
        "events": events,
    }


if __name__ == "__main__":
    main()
