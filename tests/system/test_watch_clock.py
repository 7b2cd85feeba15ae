"""`oct-edge watch` on a device whose clock was not set, or jumps: answers come all the same, and say so."""

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from oct_edge.clock import UNSYNCED

pytestmark = pytest.mark.system

Distinct = Callable[[int], list[bytes]]
TIMESYNC = Path("/run/systemd/timesync")


def kernel_says(daemon: Any, answer: str) -> tuple[object, ...]:
    calls = "adjtimex,clock_adjtime"
    return daemon.under_strace("--seccomp-bpf", "-e", f"trace={calls}", "-e", f"inject={calls}:{answer}")


def of_clock(result: dict) -> list[str]:
    return [note for note in result["notes"] if note == UNSYNCED]


@pytest.mark.skipif(TIMESYNC.exists(), reason="systemd-timesyncd answers here, whatever the kernel says")
@pytest.mark.parametrize(
    ("answer", "notes"), [("retval=0", []), ("retval=5", [UNSYNCED]), ("error=EPERM", [])], ids=["set", "not", "secret"]
)
def test_a_result_says_whether_its_time_is_to_be_relied_on(
    daemon: Any, distinct: Distinct, answer: str, notes: list[str]
) -> None:
    daemon.put(distinct(2))
    assert daemon.once(under=kernel_says(daemon, answer), stable=0) == 0
    assert [of_clock(result) for result in daemon.stored()] == [notes, notes]
    assert daemon.printed() == sorted(daemon.stored(), key=lambda result: result["source"]["name"])


@pytest.fixture
def faked(daemon: Any, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Move the wall clock of the processes by so much ("-1d"), and leave the monotonic one alone."""
    library = next(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"), None)
    if not library:
        pytest.skip("needs faketime")
    moved = daemon.folder / "moved"
    moved.write_text("+0")
    monkeypatch.setenv("FAKETIME_TIMESTAMP_FILE", str(moved))
    monkeypatch.setenv("FAKETIME_DONT_FAKE_MONOTONIC", "1")
    monkeypatch.setenv("FAKETIME_NO_CACHE", "1")
    monkeypatch.setenv("NO_FAKE_STAT", "1")  # a jump dates no file anew
    monkeypatch.setattr(daemon, "library", library, raising=False)

    def move(by: str) -> None:
        partial = moved.with_suffix(".partial")
        partial.write_text(by)
        partial.rename(moved)

    return move


def test_a_clock_that_jumps_back_and_forward_costs_no_scan_and_is_said(
    daemon: Any, distinct: Distinct, faked: Callable[[str], None]
) -> None:
    contents = distinct(3)
    daemon.start(under=(*kernel_says(daemon, "retval=0"), "-E", f"LD_PRELOAD={daemon.library}"))
    for i, (by, content) in enumerate(zip(("+0", "-1d", "+365d"), contents, strict=True)):
        faked(by)
        (daemon.inbox / f"{i}.jpeg").write_bytes(content)
        daemon.until(lambda: len(daemon.stored()) == i + 1)  # noqa: B023
    os.kill(daemon.worker(), signal.SIGTERM)  # strace has one child, the daemon
    assert daemon.end() == 0
    results = daemon.printed()
    assert daemon.answers(daemon.stored(), contents)
    assert [of_clock(result) for result in results] == [[], [UNSYNCED], [UNSYNCED]]
    assert results[1]["time"] < results[0]["time"] < results[2]["time"]
    assert list(daemon.states().values()) == ["classified"] * 3


@pytest.mark.parametrize("by", ["-1d", "+365d"])
def test_a_clock_that_jumps_makes_no_file_come_to_rest_sooner_or_later(
    daemon: Any, distinct: Distinct, faked: Callable[[str], None], by: str
) -> None:
    contents = distinct(1)
    daemon.start(under=("env", f"LD_PRELOAD={daemon.library}"), stable=4)
    began = time.monotonic()
    daemon.put(contents)
    time.sleep(1)  # it has seen the file
    faked(by)
    daemon.until(daemon.printed)
    assert time.monotonic() - began >= 4
    assert daemon.end(signal.SIGTERM) == 0
    assert daemon.lost_nothing(contents)
