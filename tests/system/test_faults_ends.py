"""`oct-edge watch` is told to end while it is at work: in time, and with nothing half done."""

import os
import re
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.system

Distinct = Callable[[int], list[bytes]]
UNIT = Path(__file__).parents[2] / "systemd" / "oct-edge.service"


def catches(pid: int, number: int) -> bool:
    """Whether the process has a handler for the signal."""
    mask = re.search(r"^SigCgt:\s*(\w+)$", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
    return bool(mask and int(mask[1], 16) >> (number - 1) & 1)


def at_work(daemon: Any, contents: list[bytes]) -> None:
    """It has told some answers, and waits for a worker that was stopped in the middle of the next scan."""
    daemon.put(contents)
    daemon.start(stable=0)
    daemon.until(daemon.printed)
    os.kill(daemon.worker(), signal.SIGSTOP)


def test_sigterm_while_the_worker_hangs_ends_it_within_the_time_that_systemd_gives(
    daemon: Any, distinct: Distinct
) -> None:
    contents = distinct(60)
    at_work(daemon, contents)
    daemon.process.send_signal(signal.SIGTERM)
    given = re.search(r"^TimeoutStopSec=(\d+)$", UNIT.read_text(), re.MULTILINE)
    assert daemon.process.wait(int(given[1])) == 0
    assert 0 < len(daemon.printed()) < len(contents)
    assert sorted(map(str, daemon.printed())) == sorted(map(str, daemon.stored()))
    assert daemon.once(stable=0) == 0
    assert daemon.lost_nothing(contents)


def test_a_second_sigint_ends_it_at_once_and_the_next_start_goes_on(daemon: Any, distinct: Distinct) -> None:
    contents = distinct(60)
    at_work(daemon, contents)
    hanging = Path(f"/proc/{daemon.worker()}/stat")
    daemon.process.send_signal(signal.SIGINT)
    daemon.until(lambda: not catches(daemon.process.pid, signal.SIGINT))
    assert daemon.process.poll() is None
    assert daemon.worker()  # still the one that hangs
    assert daemon.end(signal.SIGINT) == -signal.SIGINT  # what a shell calls 130
    daemon.until(lambda: not hanging.exists() or " Z " in hanging.read_text())
    told = daemon.printed()
    assert len(told) < len(contents)
    assert daemon.once(stable=0) == 0
    assert daemon.lost_nothing(contents)
    assert all(result in daemon.stored() for result in told)
