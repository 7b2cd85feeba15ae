"""`oct-edge watch` on a disk that is slow, fails or goes away: a file system (FUSE) that does what a test says."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from ctypes.util import find_library
from pathlib import Path
from typing import Any

import pytest

pytestmark = [
    pytest.mark.system,
    pytest.mark.skipif(os.geteuid() != 0 or not os.access("/dev/fuse", os.W_OK), reason="needs root and /dev/fuse"),
    pytest.mark.skipif(not (find_library("fuse3") or find_library("fuse")), reason="needs libfuse"),
]

Distinct = Callable[[int], list[bytes]]
POLL = ("env", "OCT_EDGE_SOURCE_EVENTS=poll")
PROGRAM = Path(__file__).with_name("failing_disk.py")


class Disk:
    """What lies behind the inbox of a daemon, and the program that shows it there."""

    def __init__(self, daemon: Any) -> None:
        self.inbox, self.behind = daemon.inbox, daemon.folder / "behind"
        self._mood, self._reads = daemon.folder / "mood", daemon.folder / "reads"
        self.behind.mkdir()
        self.mood()
        self._until = daemon.until

    def mood(self, **of: float | str) -> None:
        """From now on: seconds or an error for each file, by its number."""
        partial = self._mood.with_suffix(".partial")
        partial.write_text(json.dumps({f"{name.strip('_')}.jpeg": what for name, what in of.items()}))
        partial.rename(self._mood)

    def put(self, contents: list[bytes]) -> None:
        for i, content in enumerate(contents):
            (self.behind / f"{i}.jpeg").write_bytes(content)

    def reads(self) -> list[str]:
        """What was read, or begun to be."""
        return self._reads.read_text().split()

    def mount(self) -> None:
        command = [sys.executable, PROGRAM, self.behind, self.inbox, self._mood]
        with self._reads.open("wb") as out:
            self._program = subprocess.Popen(list(map(str, command)), stdout=out)
        self._until(lambda: os.path.ismount(self.inbox) or self._program.poll() is not None)
        assert self._program.poll() is None

    def crash(self) -> None:
        """The program is gone and the mount is not: what a user of sshfs knows as a broken endpoint."""
        self._program.kill()
        self._program.wait()

    def unmount(self) -> None:
        subprocess.run(["umount", "--lazy", self.inbox], check=True)
        self.crash()


@pytest.fixture
def disk(daemon: Any) -> Iterator[Disk]:
    disk = Disk(daemon)
    disk.mount()
    yield disk
    disk.unmount()


def test_slow_reads_are_waited_for_and_a_stop_comes_after_the_one_under_way(
    daemon: Any, disk: Disk, distinct: Distinct
) -> None:
    contents = distinct(4)
    disk.mood(_0=0.5, _1=0.5)
    disk.put(contents[:3])
    daemon.start(under=POLL, stable=0)
    daemon.until(lambda: len(daemon.printed()) == 3)
    disk.mood(_3=2)
    disk.put(contents)
    daemon.until(lambda: "3.jpeg" in disk.reads())
    assert daemon.end(signal.SIGTERM) == 0
    assert daemon.answers(daemon.printed(), contents[:3])
    disk.mood()
    assert daemon.once(under=POLL, stable=0) == 0
    assert daemon.lost_nothing(contents)


def test_a_file_on_bad_sectors_delays_nobody_and_is_answered_when_it_can_be_read(
    daemon: Any, disk: Disk, distinct: Distinct
) -> None:
    contents = distinct(4)
    disk.mood(_1="EIO")
    disk.put(contents)
    daemon.start(under=POLL, stable=0)
    daemon.until(lambda: len(daemon.printed()) == 3 and disk.reads().count("1.jpeg") >= 2)
    assert daemon.answers(daemon.printed(), [contents[0], *contents[2:]])
    assert len(daemon.states()) == 3
    disk.mood()
    daemon.until(lambda: len(daemon.printed()) == 4)
    assert daemon.end(signal.SIGTERM) == 0
    assert daemon.lost_nothing(contents)
    assert daemon.log().count("(unreadable)") == 1


def test_a_disk_whose_driver_dies_is_an_inbox_that_is_missing_until_it_is_mounted_again(
    daemon: Any, disk: Disk, distinct: Distinct
) -> None:
    contents = distinct(3)
    disk.put(contents[:2])
    daemon.start(under=POLL, stable=0)
    daemon.until(lambda: len(daemon.printed()) == 2)
    disk.crash()
    daemon.until(lambda: daemon.degraded() == ["inbox_missing"])
    disk.unmount()
    disk.put(contents)
    disk.mount()
    daemon.until(lambda: len(daemon.printed()) == 3 and not daemon.degraded())
    assert daemon.end(signal.SIGTERM) == 0
    assert daemon.lost_nothing(contents)
