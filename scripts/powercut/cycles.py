"""`make powercut`: the power of a machine is cut again and again, and each time its card has to keep every promise.

First a machine whose daemon syncs nothing has to be caught losing results; otherwise nothing would be shown. With
--mutant only that is done, with the mutant that is named. Exits 0 when every promise was kept, or a mutant's broken one
was noticed, and 1 when not. Runs in a mount namespace of its own (`run`).
"""

import argparse
import signal
import sys
from pathlib import Path
from random import randrange

from powercut.laboratory import Laboratory, Row
from powercut.machine import System

MUTANTS = ("no-sync", "no-barrier", "no-folder-sync", "no-commit-sync")
_MUTANT_CYCLES = 8  # in which a mutant has to be caught
_HEAD = "cycle  seconds  writes  flushes   unflushed  lost  torn   scans  synced  others gone   acknowledged  promises"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cycles", type=int, default=10, help="power cuts (10)")
    parser.add_argument("--seed", type=int, default=randrange(10**6), help="of the moments and of what is lost")
    parser.add_argument("--mutant", choices=MUTANTS, help="break this promise, and expect it to be noticed")
    for name in ("kernel", "initrd", "folder"):
        parser.add_argument(f"--{name}", type=Path, required=True, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # the first process of its namespace has to ask for it
    system = System(chosen.kernel, chosen.initrd)
    print(f"seed {chosen.seed}")
    mutant = chosen.mutant or MUTANTS[0]
    if not caught(Laboratory(system, chosen.folder / mutant, chosen.seed, mutant), mutant):
        return 1
    return 0 if chosen.mutant else cycles(Laboratory(system, chosen.folder / "cuts", chosen.seed), chosen.cycles)


def caught(laboratory: Laboratory, mutant: str) -> bool:
    """Whether a machine that breaks a promise is caught at it."""
    print(f"a machine with {mutant}:", _HEAD, sep="\n", flush=True)
    for cycle in range(1, _MUTANT_CYCLES + 1):
        faults = tell(str(cycle), laboratory.cut(cycle)).faults
        if any(fault.startswith(("I1", "I2", "I3", "I4")) for fault in faults):
            print(f"{mutant} was noticed, as it has to be", flush=True)
            return True
    print(f"{mutant} was not noticed in {_MUTANT_CYCLES} power cuts")
    return False


def cycles(laboratory: Laboratory, count: int) -> int:
    """The real machine; ends with the first fault, and leaves the card for whoever looks into it."""
    print("the machine as it is:", _HEAD, sep="\n", flush=True)
    rows: list[Row] = []
    for cycle in range(1, count + 2):
        last = cycle > count
        step = laboratory.finish if last else laboratory.cut
        rows.append(tell("end" if last else str(cycle), step(cycle)))
        if rows[-1].faults:
            print(f"the card, and what the machine said, are in {laboratory.folder}")
            return 1
    lost, torn = sum(row.loss.lost for row in rows), sum(row.loss.torn for row in rows)
    gone, graded = sum(row.gone for row in rows), sum(row.graded for row in rows)
    print(f"{count} power cuts, {lost} unflushed writes lost and {torn} torn")
    print(f"{gone} scans gone that nobody had synced, {graded} of them after they were graded")
    print(f"{sum(row.acknowledged for row in rows)} results acknowledged, all promises kept")
    return 0


def tell(name: str, row: Row) -> Row:
    """Print the row; returns it."""
    loss = f"{row.loss.unflushed:10}  {row.loss.lost:4}  {row.loss.torn:4}"
    scans = f"{row.put:6}  {row.synced:6}  {row.gone:11}  {row.acknowledged:13}"
    verdict = f"{len(row.faults)} broken" if row.faults else "kept"
    print(
        f"{name:>5}  {row.seconds:7.0f}  {row.writes:6}  {row.flushes:7}  {loss}  {scans}  {verdict}",
        *row.faults[:8],
        sep="\n    ",
        flush=True,
    )
    return row


if __name__ == "__main__":
    sys.exit(main())
