"""A watching daemon as benchmarks need it: fed with distinct contents, its answers timed, its processes looked at."""

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path

from oct_models import sample_scans

STABLE = 0.5  # seconds


def contents(first: int, count: int) -> list[bytes]:
    """Phantoms that differ behind their last marker, where no decoder looks."""
    samples = [path.read_bytes() for path in sample_scans()]
    return [samples[i % len(samples)] + b"%d" % i for i in range(first, first + count)]


def drop(inbox: Path, scans: Sequence[bytes], first: int) -> list[float]:
    """Write them as fast as the disk takes them; when each of them was closed."""
    closed = []
    for i, data in enumerate(scans, first):
        (inbox / f"{i:06}.jpeg").write_bytes(data)
        closed.append(time.perf_counter())
    return closed


class Watch:
    """`oct-edge watch` in `folder`, with one interpreter thread; `answered` maps a file's name to when it was told."""

    def __init__(self, folder: Path, *options: str) -> None:
        self.folder, self.inbox = folder, folder / "inbox"
        self.inbox.mkdir(exist_ok=True)
        self.answered: dict[str, float] = {}
        self.options = options

    def start(self) -> None:
        command = [str(Path(sys.executable).parent / "oct-edge"), "watch", str(self.inbox)]
        command += ["--output", str(self.folder / "results"), "--stable", str(STABLE), "--threads", "1", *self.options]
        self.log = (self.folder / "log").open("ab")
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=self.log, start_new_session=True)
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()

    def wait_for(self, count: int, limit: float = 600.0) -> None:
        """Until so many were told in all."""
        deadline = time.perf_counter() + limit
        while len(self.answered) < count:
            if time.perf_counter() > deadline or self.process.poll() is not None:
                raise SystemExit(f"{len(self.answered)} of {count} answers; see {self.folder / 'log'}")
            time.sleep(0.02)

    def end(self, number: int) -> int:
        """Its exit code after a signal; every whole line that it wrote is read."""
        self.process.send_signal(number)
        code = self.process.wait(60)
        self._listener.join(60)
        self.log.close()
        return code

    def burden(self) -> dict[str, float]:
        """PSS in MiB, file descriptors and threads of the daemon and its worker together."""
        main = self.process.pid
        pids = [main, *map(int, Path(f"/proc/{main}/task/{main}/children").read_text().split())]
        return {
            "pss_mib": sum(map(pss_mib, pids)),
            "descriptors": sum(len(os.listdir(f"/proc/{pid}/fd")) for pid in pids),  # noqa: PTH208
            "threads": sum(len(os.listdir(f"/proc/{pid}/task")) for pid in pids),  # noqa: PTH208
        }

    def bytes_written(self) -> int:
        """What the daemon has had written to disks so far."""
        lines = Path(f"/proc/{self.process.pid}/io").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("write_bytes"))

    def _listen(self) -> None:
        for line in self.process.stdout or ():
            if line.endswith(b"\n"):
                self.answered[json.loads(line)["source"]["name"]] = time.perf_counter()


def pss_mib(pid: int) -> float:
    """What a process holds, with its share of what it has in common with others."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024
