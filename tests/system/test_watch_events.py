"""`oct-edge watch` woken by file events, and without them.

The interval is ten minutes wherever an answer is to show that events brought it.
"""

import ctypes
import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from oct_edge.ledger.reader import Query, reading

pytest.importorskip("inotify_simple")
pytestmark = pytest.mark.system

Distinct = Callable[[int], list[bytes]]
NEVER = ("--interval", 600)
POLL = ("env", "OCT_EDGE_SOURCE_EVENTS=poll")
QUEUE_LENGTH = Path("/proc/sys/fs/inotify/max_queued_events")


@contextmanager
def kernel_set(setting: Path, value: int) -> Iterator[None]:
    """A setting of the whole kernel, for as long as nothing else can be done."""
    if not os.access(setting, os.W_OK):
        pytest.skip(f"needs root and the right to set {setting}")
    before = setting.read_text()
    setting.write_text(str(value))
    try:
        yield
    finally:
        setting.write_text(before)


def names(daemon: Any, state: str) -> set[str]:
    """What the contents in the ledger that are in this state were called."""
    with reading(daemon.state) as reader:
        return {sighting.name for sighting in reader.sightings(Query(state=state))}


def looks(daemon: Any) -> int:
    """How often the daemon listed its inbox while strace looked on."""
    trace = (daemon.folder / "trace").read_text()
    return len(re.findall(rf"openat\(.*O_DIRECTORY\) = \d+<{daemon.inbox}>", trace))


def test_scans_there_at_the_start_and_later_ones_are_answered_long_before_the_interval_is_over(
    daemon: Any, distinct: Distinct
) -> None:
    contents = distinct(3)
    daemon.put(contents[:1])
    daemon.start(*NEVER)
    for count in (1, 2, 3):
        daemon.put(contents[:count])
        daemon.until(lambda count=count: len(daemon.printed()) == count)
    assert daemon.answers(daemon.stored(), contents)


def test_without_events_it_looks_when_the_interval_is_over(daemon: Any, distinct: Distinct) -> None:
    daemon.start("--interval", 6, under=POLL)
    daemon.put(distinct(1))
    time.sleep(3 + 3 * daemon.stable)
    assert daemon.printed() == []
    daemon.until(daemon.printed)


def test_what_comes_during_a_pass_is_answered_after_it_and_not_after_another_interval(
    daemon: Any, distinct: Distinct
) -> None:
    *many, last = distinct(65)
    daemon.put(many)
    daemon.start(*NEVER, under=POLL)
    daemon.until(daemon.printed)
    (daemon.inbox / "last.jpeg").write_bytes(last)
    daemon.until(lambda: len(daemon.printed()) == 65)
    assert daemon.end(signal.SIGTERM) == 0


def test_a_writer_that_opens_and_closes_five_times_is_answered_once(daemon: Any, samples: list[Path]) -> None:
    content = samples[0].read_bytes()
    step = len(content) // 5 + 1
    daemon.start(*NEVER)
    for start in range(0, len(content), step):
        with (daemon.inbox / "x.jpeg").open("ab") as file:
            file.write(content[start : start + step])
        time.sleep(daemon.stable / 2)
    daemon.until(daemon.printed)
    time.sleep(3 * daemon.stable)
    assert daemon.answers(daemon.printed(), [content])


def test_a_slow_copy_of_a_thousand_writes_is_answered_once_and_costs_a_few_looks(
    daemon: Any, samples: list[Path]
) -> None:
    content = samples[0].read_bytes()
    step = len(content) // 1000 + 1
    daemon.start(*NEVER, under=daemon.under_strace("-e", "trace=openat"))
    with (daemon.inbox / "x.jpeg").open("wb", buffering=0) as file:
        for start in range(0, len(content), step):
            file.write(content[start : start + step])
            time.sleep(4 * daemon.stable / 1000)
        assert daemon.printed() == []
    daemon.until(daemon.printed)
    assert daemon.answers(daemon.stored(), [content])
    assert looks(daemon) <= 2 + 3 * 2  # at the start; then for its beginning, its end, and an event in between


def test_files_that_are_opened_and_closed_all_the_time_hold_nobody_up_and_cost_a_few_looks(
    daemon: Any, distinct: Distinct
) -> None:
    contents = distinct(1)
    daemon.start(*NEVER, under=daemon.under_strace("-e", "trace=openat"))
    before, started = looks(daemon), time.monotonic()
    daemon.put(contents)
    touched = 0
    while "0.jpeg" not in names(daemon, "classified") or time.monotonic() - started < 3:
        (daemon.inbox / f"noise{touched % 7}.jpeg").write_bytes(b"never the same %d" % touched)
        touched += 1
        assert time.monotonic() - started < 20
    assert looks(daemon) - before <= 4 * (time.monotonic() - started) + 2
    assert touched > 30


def test_a_burst_of_five_thousand_that_the_kernel_cannot_remember_is_in_the_ledger(daemon: Any) -> None:
    """The queue holds sixteen events, and nobody reads it while ten thousand come."""
    with kernel_set(QUEUE_LENGTH, 16):
        daemon.start(*NEVER)
    daemon.process.send_signal(signal.SIGSTOP)
    contents = [b"no picture %d" % (i % 250) for i in range(5000)]
    daemon.put(contents)
    daemon.process.send_signal(signal.SIGCONT)
    daemon.until(lambda: len(daemon.printed()) == 250)
    daemon.until(lambda: names(daemon, "rejected") == {f"{i}.jpeg" for i in range(5000)})
    assert daemon.answers(daemon.stored(), contents)
    assert list(daemon.states().values()) == ["rejected"] * 250


@pytest.mark.parametrize("limit", ["max_inotify_watches", "max_inotify_instances"])
def test_where_the_kernel_has_no_watch_left_it_says_so_and_polls_until_there_is_one(
    daemon: Any, distinct: Distinct, limit: str
) -> None:
    setting = f"/proc/sys/user/{limit}"
    unshare = ("unshare", "--user", "--map-root-user", "sh", "-c", f'echo 0 >{setting}; exec "$@"', "sh")
    if subprocess.run([*unshare, "true"]).returncode:
        pytest.skip("needs user namespaces")
    contents = distinct(2)
    daemon.start("--interval", 0.2, under=unshare)
    daemon.put(contents)
    daemon.until(lambda: len(daemon.printed()) == 2)
    assert daemon.degraded() == ["events_unavailable"]
    assert daemon.log().count("the kernel refuses") == daemon.log().count("see fs.inotify.max_user_") == 1
    raise_it = ("nsenter", "--user", "--target", str(daemon.process.pid), "sh", "-c", f"echo 9 >{setting}")
    subprocess.run(raise_it, check=True)
    daemon.until(lambda: not daemon.degraded())
    assert daemon.answers(daemon.stored(), contents)


def test_where_the_kernels_queue_cannot_be_read_any_more_it_says_so_once_and_polls(
    daemon: Any, distinct: Distinct
) -> None:
    contents = distinct(3)
    fail = ("-P", "anon_inode:inotify", "-e", "inject=read:error=EIO:when=2+")
    daemon.start("--interval", 0.2, under=daemon.under_strace(*fail))
    for count in (1, 2, 3):
        daemon.put(contents[:count])
        daemon.until(lambda count=count: len(daemon.printed()) == count)
    assert daemon.degraded() == ["events_unavailable"]
    assert daemon.log().count("cannot be read any more (Input/output error)") == 1
    assert (daemon.folder / "trace").read_text().count("INJECTED") == 1
    assert daemon.answers(daemon.stored(), contents)


def test_an_inbox_on_fuse_is_polled_and_told_about(daemon: Any, distinct: Distinct) -> None:
    if os.geteuid() or not shutil.which("bindfs") or not os.access("/dev/fuse", os.W_OK):
        pytest.skip("needs root, bindfs and /dev/fuse")
    behind = daemon.folder / "behind"
    behind.mkdir()
    subprocess.run(["bindfs", behind, daemon.inbox], check=True)
    try:
        daemon.start("--interval", 0.2)
        (behind / "x.jpeg").write_bytes(distinct(1)[0])
        daemon.until(daemon.printed)
        time.sleep(3 * 0.2)
        assert daemon.degraded() == ["events_unavailable"]
        assert daemon.log().count("is on a file system (fuse) to which others write as well") == 1
    finally:
        subprocess.run(["umount", "--lazy", daemon.inbox], check=True)


def test_a_folder_that_takes_the_place_of_the_inbox_is_listened_to(daemon: Any, distinct: Distinct) -> None:
    contents = distinct(3)
    other = daemon.folder / "other"
    other.mkdir()
    (other / "there.jpeg").write_bytes(contents[0])
    daemon.start(*NEVER)
    time.sleep(2 * daemon.stable)
    exchanged = ctypes.CDLL(None).renameat2(-100, bytes(daemon.inbox), -100, bytes(other), 2)
    assert exchanged == 0
    daemon.until(lambda: len(daemon.printed()) == 1)
    (other / "elsewhere.jpeg").write_bytes(contents[1])
    (daemon.inbox / "new.jpeg").write_bytes(contents[2])
    daemon.until(lambda: len(daemon.printed()) == 2)
    assert {result["source"]["name"] for result in daemon.stored()} == {"there.jpeg", "new.jpeg"}


def test_an_inbox_that_returns_is_listened_to_again_and_what_came_meanwhile_is_answered(
    daemon: Any, distinct: Distinct
) -> None:
    """It is missed and found by looks; what is in it then is answered without waiting for two more."""
    contents = distinct(3)
    daemon.put(contents[:1])
    daemon.start("--interval", 5)
    daemon.until(daemon.printed)
    daemon.inbox.rename(daemon.folder / "unplugged")
    daemon.until(lambda: daemon.degraded() == ["inbox_missing"])
    (daemon.folder / "unplugged" / "1.jpeg").write_bytes(contents[1])
    (daemon.folder / "unplugged").rename(daemon.inbox)
    daemon.until(lambda: len(daemon.printed()) == 2)
    assert daemon.degraded() == []
    started = time.monotonic()
    daemon.put(contents)
    daemon.until(lambda: len(daemon.printed()) == 3)
    assert time.monotonic() - started < 5
    assert daemon.answers(daemon.stored(), contents)


def test_without_the_package_it_polls_and_says_nothing(
    daemon: Any, distinct: Distinct, monkeypatch: pytest.MonkeyPatch
) -> None:
    (daemon.folder / "inotify_simple.py").write_text("raise ImportError")
    monkeypatch.setenv("PYTHONPATH", f"{daemon.folder}:{os.environ.get('PYTHONPATH', '')}")
    daemon.start(under=daemon.under_strace("-e", "trace=inotify_init1"))
    daemon.put(distinct(1))
    daemon.until(daemon.printed)
    assert "inotify_init1" not in (daemon.folder / "trace").read_text()
    assert daemon.degraded() == []
    assert "events" not in daemon.log()


def test_two_changes_within_a_second_that_the_disk_cannot_tell_apart_are_both_answered(
    daemon: Any, distinct: Distinct
) -> None:
    """Polled, on a file system with times in whole seconds, at a size that does not change."""
    image = daemon.folder / "disk"
    with image.open("wb") as file:
        file.truncate(4 * 2**20)
    made = shutil.which("mkfs.ext4") and subprocess.run(["mkfs.ext4", "-q", "-I", "128", image], capture_output=True)
    if not made or os.geteuid() or subprocess.run(["mount", "-o", "loop", image, daemon.inbox]).returncode:
        pytest.skip("needs mkfs.ext4, root and a loop device")
    try:
        contents = distinct(2)
        contents[1] = contents[0][:-1] + b"x"
        scan = daemon.inbox / "x.jpeg"
        daemon.start(under=POLL, stable=0)
        while time.time() % 1 > 0.05:
            time.sleep(0.01)
        scan.write_bytes(contents[0])
        first = scan.stat()
        daemon.until(daemon.printed)
        with scan.open("r+b") as file:
            file.write(contents[1])
        os.utime(scan, ns=(first.st_atime_ns, first.st_mtime_ns))  # the same, unless the answer took a second
        daemon.until(lambda: len(daemon.printed()) == 2)
        daemon.end(signal.SIGTERM)
        assert daemon.answers(daemon.stored(), contents)
    finally:
        subprocess.run(["umount", "--lazy", daemon.inbox], check=True)
