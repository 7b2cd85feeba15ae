"""`oct-edge watch` for a long time: what it holds at the end is what it held at the beginning."""

import signal
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.system

BATCH = 100
MIB = 1024  # of kB


def burden(*pids: int) -> tuple[int, int, int]:
    """Descriptors, threads and kB of memory of these processes together."""
    places = [Path(f"/proc/{pid}") for pid in pids]
    memory = [
        dict(line.split(":") for line in (place / "smaps_rollup").read_text().splitlines()[1:]) for place in places
    ]
    descriptors, threads = (sum(len(list((p / what).iterdir())) for p in places) for what in ("fd", "task"))
    return descriptors, threads, sum(int(told["Pss"].split()[0]) for told in memory)


@pytest.mark.parametrize("batches", [4, pytest.param(60, marks=pytest.mark.nightly)])
def test_descriptors_threads_and_memory_stay_as_they_are(daemon: Any, samples: list[Path], batches: int) -> None:
    """Scans that were answered are taken away, as a clinic would."""
    burdens = []
    daemon.start(stable=0)
    for end in range(BATCH, (batches + 1) * BATCH, BATCH):
        for i in range(end - BATCH, end):
            (daemon.inbox / f"{i}.jpeg").write_bytes(samples[i % len(samples)].read_bytes() + b"%d" % i)
        daemon.until(lambda: (daemon.folder / "stdout").read_bytes().count(b"\n") == end, seconds=300)  # noqa: B023
        burdens.append(burden(daemon.process.pid, daemon.worker()))
        for scan in daemon.inbox.iterdir():
            scan.unlink()
    assert daemon.end(signal.SIGTERM) == 0
    (descriptors, threads, memory), last = burdens[1], burdens[-1]
    assert last[0] <= descriptors + 2
    assert last[1] <= threads + 1
    assert last[2] <= memory + 8 * MIB, burdens
    assert Counter(daemon.states().values()) == {"classified": batches * BATCH}
