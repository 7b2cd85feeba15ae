"""File events as the kernel gives them, on real folders; `Sleeper` sleeps like `signals.Signals` and notes how long."""

import ctypes
import os
import select
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from time import monotonic, process_time

import pytest

from oct_edge.events import Events, file_system, is_remote

inotify_simple = pytest.importorskip("inotify_simple")

DELAY, INTERVAL = 0.1, 5.0
QUEUE_LENGTH = Path("/proc/sys/fs/inotify/max_queued_events")


class Sleeper:
    def __init__(self) -> None:
        self.asked: list[float] = []
        self.stopped = False

    def is_set(self) -> bool:
        return self.stopped

    def wait(self, timeout: float, *descriptors: int) -> None:
        self.asked.append(timeout)
        select.select(descriptors, [], [], timeout)


class Place:
    """An inbox, and `Events` that have slept once already: after the start nothing is new any more."""

    def __init__(self, folder: Path) -> None:
        self.inbox = folder / "inbox"
        self.inbox.mkdir()
        self.sleeper = Sleeper()
        self.noticed: list[str | None] = []
        self.delay = DELAY
        self.events = Events(self.sleeper, self.inbox, delay=lambda: self.delay, notice=self.noticed.append)
        self.sleep()

    def sleep(self, interval: float = INTERVAL) -> list[float]:
        """How long each part of one sleep was to be."""
        self.sleeper.asked.clear()
        self.events.wait(interval)
        return list(self.sleeper.asked)

    def is_woken_by(self, happening: Callable[[], object]) -> bool:
        threading.Timer(0.05, happening).start()
        started = monotonic()
        self.sleep()
        return monotonic() - started < INTERVAL


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    place = Place(tmp_path)
    with place.events:
        yield place


@pytest.mark.parametrize(
    "happening",
    [
        lambda inbox: (inbox / "x.jpeg").write_bytes(b"scan"),
        lambda inbox: (inbox.parent / "x.jpeg").rename(inbox / "x.jpeg"),
        lambda inbox: (inbox / "x.jpeg").hardlink_to(inbox.parent / "x.jpeg"),
        lambda inbox: (inbox / "old.jpeg").chmod(0o600),
        lambda inbox: os.utime(inbox / "old.jpeg", (1, 1)),
        lambda inbox: inbox.rename(inbox.parent / "moved"),
    ],
    ids=["written", "moved in", "linked in", "made readable", "dated", "the folder itself"],
)
def test_what_happens_to_a_scan_ends_the_sleep(tmp_path: Path, happening: Callable[[Path], object]) -> None:
    place = Place(tmp_path)
    (tmp_path / "x.jpeg").touch()
    (place.inbox / "old.jpeg").write_bytes(b"scan")
    with place.events:
        place.sleep()
        place.sleep(DELAY)
        assert place.is_woken_by(lambda: happening(place.inbox))


def test_a_look_at_the_folder_and_its_scans_does_not(place: Place) -> None:
    scan = place.inbox / "x.jpeg"
    scan.write_bytes(b"scan")
    place.sleep()
    assert [path.read_bytes() for path in place.inbox.iterdir()] == [b"scan"]
    assert place.sleep() == [DELAY]


def test_a_writer_is_heard_when_it_begins_and_when_it_ends_and_not_at_each_write(place: Place) -> None:
    with (place.inbox / "x.jpeg").open("wb", buffering=0) as file:
        assert place.sleep()[0] == INTERVAL
        for _ in range(5000):
            file.write(b"chunk")
        assert place.sleep() == [DELAY]
    assert len(place.sleep()) == 2
    assert place.sleep() == [DELAY]


def test_what_is_new_is_looked_at_again_when_it_may_have_come_to_rest(tmp_path: Path) -> None:
    """Also what was there at the start."""
    place = Place(tmp_path)
    with place.events:
        assert place.sleeper.asked == [DELAY]
        assert place.sleep(0.3) == [0.3]
        (place.inbox / "x.jpeg").touch()
        asked, moment = place.sleep()
        assert (asked, 0 < moment < DELAY + INTERVAL) == (INTERVAL, True)
        assert place.sleep() == [DELAY]
        assert place.sleep(0.3) == [0.3]


def test_what_comes_within_a_moment_is_one_reason_to_look(place: Place) -> None:
    threading.Timer(0.05, (place.inbox / "y.jpeg").touch).start()
    (place.inbox / "x.jpeg").touch()
    assert len(place.sleep()) == 2
    assert (place.inbox / "y.jpeg").exists()
    assert place.sleep() == [DELAY]


def test_a_stability_delay_that_is_longer_than_the_interval_waits_for_the_interval(place: Place) -> None:
    place.delay = 100.0
    (place.inbox / "x.jpeg").touch()
    place.sleep(0.1)
    assert place.sleep(0.1) == [0.1]


def test_who_writes_all_the_time_causes_a_few_looks_and_never_a_longer_sleep(place: Place) -> None:
    ended = threading.Event()

    def write() -> None:
        while not ended.is_set():
            (place.inbox / "x.jpeg").write_bytes(b"scan")

    writer = threading.Thread(target=write)
    writer.start()
    started, looks = monotonic(), 0
    while monotonic() - started < 2:
        place.sleep()
        looks += 1
    asked = [place.sleep(0.05) for _ in range(9)]
    ended.set()
    writer.join()
    assert looks <= 2 / 0.25 + 2
    assert max(seconds for parts in asked for seconds in parts) <= 0.05


def test_looks_that_cost_much_are_rare_however_much_happens(place: Place) -> None:
    (place.inbox / "x.jpeg").touch()
    started = process_time()
    while process_time() - started < 0.2:
        pass
    assert 3 * 0.2 <= place.sleep()[1] <= 2


def test_a_burst_that_the_kernel_cannot_remember_is_heard_all_the_same(tmp_path: Path) -> None:
    if not os.access(QUEUE_LENGTH, os.W_OK):
        pytest.skip("needs root and the right to shorten the kernel's queues")
    before = QUEUE_LENGTH.read_text()
    QUEUE_LENGTH.write_text("4")
    try:
        place = Place(tmp_path)
        other = inotify_simple.INotify()
    finally:
        QUEUE_LENGTH.write_text(before)
    with place.events, other:
        other.add_watch(place.inbox, inotify_simple.flags.CREATE)
        for i in range(100):
            (place.inbox / f"{i}.jpeg").touch()
        assert inotify_simple.flags.Q_OVERFLOW in [event.mask for event in other.read()]
        assert len(place.sleep()) == 2
        assert place.sleep() == [DELAY]
        assert place.noticed == [None]


def exchange(one: Path, other: Path) -> None:
    assert ctypes.CDLL(None).renameat2(-100, bytes(one), -100, bytes(other), 2) == 0


def replaced_by_another(place: Place) -> None:
    place.inbox.with_name("other").mkdir()
    exchange(place.inbox, place.inbox.with_name("other"))


def removed_and_made_again(place: Place) -> None:
    place.inbox.rmdir()
    place.inbox.mkdir()


def moved_away_and_back(place: Place) -> None:
    place.inbox.rename(place.inbox.with_name("away"))
    assert place.sleep(0.1)
    place.inbox.with_name("away").rename(place.inbox)


@pytest.mark.parametrize("change", [replaced_by_another, removed_and_made_again, moved_away_and_back])
def test_the_folder_that_has_the_name_now_is_listened_to(place: Place, change: Callable[[Place], None]) -> None:
    change(place)
    place.sleep(0.3)
    place.sleep(0.3)
    assert place.is_woken_by((place.inbox / "x.jpeg").touch)
    assert place.noticed == [None]


def test_what_came_into_a_folder_while_it_was_away_is_looked_at_as_if_it_were_new(place: Place) -> None:
    place.inbox.rmdir()
    assert place.sleep(0.1) == [0.1]
    assert place.sleep(0.1) == [0.1]
    place.inbox.mkdir()
    assert place.sleep()[0] == DELAY


def test_told_to_stop_it_does_not_wait_for_what_comes_together(place: Place) -> None:
    place.sleeper.stopped = True
    (place.inbox / "x.jpeg").touch()
    assert place.events.is_set()
    assert len(place.sleep()) == 1


def test_no_descriptor_is_left_open(tmp_path: Path) -> None:
    descriptors = Path("/proc/self/fd")
    before = sorted(descriptors.iterdir())
    place = Place(tmp_path)
    with place.events:
        removed_and_made_again(place)
        place.sleep(0.1)
    assert sorted(descriptors.iterdir()) == before


def test_without_the_package_it_sleeps_for_the_interval_and_says_nothing(tmp_path: Path) -> None:
    script = (
        "import sys; sys.modules['inotify_simple'] = None\n"
        "from pathlib import Path; from oct_edge.events import Events\n"
        "class Sleeper:\n"
        "    def wait(self, *asked): print(asked)\n"
        "Events(Sleeper(), Path(sys.argv[1]), delay=lambda: 2, notice=print).wait(3)\n"
    )
    done = subprocess.run([sys.executable, "-c", script, tmp_path], capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("(3,)\n", "")


@pytest.mark.parametrize("name", ["disk", "a - b \\040", "\udcff\n"])
def test_the_file_system_is_that_of_the_last_mount_on_a_folder(small_disk: Callable[[str], Path], name: str) -> None:
    folder = small_disk("64k") / name
    folder.mkdir()
    outer = subprocess.run(["mount", "-t", "ramfs", "ramfs", os.fsencode(folder)])
    assert outer.returncode == 0
    try:
        (folder / "inbox").mkdir()
        assert file_system(folder / "inbox") == "ramfs"
    finally:
        subprocess.run(["umount", os.fsencode(folder)], check=True)
    assert file_system(folder) == "tmpfs"
    assert file_system(Path("/proc/self")) == "proc"


def test_there_is_no_file_system_without_a_folder(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        file_system(tmp_path / "missing")


@pytest.mark.parametrize("kind", ["nfs4", "cifs", "smb3", "9p", "virtiofs", "fuse", "fuse.sshfs", "fuse.rclone"])
def test_where_others_write_without_this_kernel_knowing_it_is_not_relied_upon(kind: str) -> None:
    assert is_remote(kind)


@pytest.mark.parametrize("kind", ["ext4", "vfat", "exfat", "ntfs3", "fuseblk", "tmpfs", "overlay", "btrfs", "f2fs", ""])
def test_a_disk_in_this_device_is_relied_upon(kind: str) -> None:
    assert not is_remote(kind)
