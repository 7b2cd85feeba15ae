"""The watcher on real files and a real ledger; tests turn the clock, and the grader only writes down what it gets."""

import hashlib
import logging
import os
import re
import stat
import threading
from collections.abc import Callable, Iterable, Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from oct_edge.errors import ConfigurationError, ScanUnreadable
from oct_edge.exports import Exports
from oct_edge.intake import Intake
from oct_edge.ledger.store import Ledger
from oct_edge.naming import KEY, known_naming, naming
from oct_edge.reading import MAX_BYTES
from oct_edge.result import ModelIdentity, Result, Source
from oct_edge.watch import GIVE_UP, Watcher, watch_once
from oct_edge.worker.supervisor import Job

DELAY = 2.0


class Clock:
    """Seconds that pass only when told; as the `stop` of a watch it lets time pass instead of waiting."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now

    def is_set(self) -> bool:
        return False

    def wait(self, timeout: float) -> None:
        self.now += timeout


class Place:
    """An inbox with its watcher, and a grader for it. `meanwhile` is called while a scan is being graded."""

    identity = ModelIdentity("plain", "0", "none")

    def __init__(self, folder: Path) -> None:
        self.inbox, self.output, self.state = folder / "inbox", folder / "results", folder / "state"
        self.inbox.mkdir()
        self.graded: list[tuple[str, bytes]] = []
        self.meanwhile: Callable[[], object] = lambda: None
        self.start()

    def start(self) -> None:
        self.clock = Clock()
        self.ledger = Ledger(self.state)
        self.exports = Exports(self.output, self.state / "quarantine")
        self.intake = Intake(self.ledger, self, self.exports, clock=lambda: 0.0)
        self.watcher = Watcher(self.inbox, delay=DELAY, clock=self.clock)

    def end(self) -> None:
        self.ledger.close()
        self.exports.close()

    def restart(self) -> None:
        self.end()
        self.start()

    def grade(self, jobs: Iterable[Job | None]) -> Iterator[Result | None]:
        for job in filter(None, jobs):
            yield None
            self.graded.append((job.name, job.data))
            self.meanwhile()
            source = Source(job.name, job.sha256)
            yield Result("2026-11-23T10:11:12Z", source, "classified", self.identity, label="CNV")

    def put(self, name: str | bytes, data: bytes = b"scan") -> Path:
        path = self.inbox / os.fsdecode(name)
        path.write_bytes(data)
        return path

    def look(self, after: float = 0.0) -> list[str]:
        """Names of what one pass answers, `after` seconds later."""
        self.clock.wait(after)
        return [result.source.name for result in self.watcher.take(self.intake, self.clock)]

    def reasons(self) -> dict[str, str]:
        """Names of rejected scans, and why."""
        results = [Result.from_json(path.read_text()) for path in self.output.iterdir()]
        return {result.source.name: result.reasons[0].code for result in results if result.status == "rejected"}

    def settle(self) -> list[str]:
        return self.look() + self.look(DELAY)


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    place = Place(tmp_path)
    yield place
    place.end()


def test_a_half_written_file_at_start_is_waited_for(place: Place) -> None:
    place.put("x.jpeg", b"half")
    assert place.look() == []
    place.put("x.jpeg", b"half and half")
    assert place.look(DELAY) == []
    assert place.look(DELAY) == ["x.jpeg"]
    assert place.graded == [("x.jpeg", b"half and half")]


def test_what_comes_during_a_long_pass_has_come_to_rest_when_it_ends(place: Place) -> None:
    for i in range(64):
        place.put(f"{i:02}.jpeg", b"%d" % i)
    place.look()

    def meanwhile() -> None:
        place.clock.wait(DELAY / 8)
        if len(place.graded) == 1:
            place.put("late.jpeg")
        if len(place.graded) == 63:
            place.put("later.jpeg", b"another")

    place.meanwhile = meanwhile
    assert len(place.look(DELAY)) == 64
    assert place.look() == ["late.jpeg"]
    assert place.look(DELAY) == ["later.jpeg"]


def test_a_slow_writer_is_answered_once_and_after_the_last_byte(place: Place) -> None:
    with (place.inbox / "x.jpeg").open("wb", buffering=0) as file:
        for _ in range(9):
            file.write(b"chunk")
            assert place.look(DELAY * 0.6) == []
    assert place.settle() == ["x.jpeg"]
    assert place.settle() == []
    assert place.graded == [("x.jpeg", b"chunk" * 9)]


def test_a_writer_that_opens_and_closes_five_times_is_answered_once(place: Place) -> None:
    for _ in range(5):
        with (place.inbox / "x.jpeg").open("ab") as file:
            file.write(b"part")
        assert place.look(DELAY / 2) == []
    assert place.settle() == ["x.jpeg"]


def test_only_the_final_name_of_a_renamed_copy_is_answered(place: Place) -> None:
    part = place.put("x.jpeg.part")
    assert place.settle() == []
    part.rename(place.inbox / "x.jpeg")
    assert place.settle() == ["x.jpeg"]


@pytest.mark.parametrize(
    "name",
    [
        *("newline\n.jpeg", "-rf.jpeg", "emoji 👁.jpeg", "a" * 251 + ".png", "trailing .jpg", "UPPER.JPEG", "no\\.jpeg"),
        *("$(touch x); `id` | & > * ? ' \".jpeg", "%s%n{0}.jpeg", "a..jpeg", "e\u0301.jpeg", "\u00e9.jpeg"),
    ],
)
def test_any_name_is_answered_with_a_result_inside_the_output_folder(place: Place, name: str) -> None:
    place.put(name)
    assert place.settle() == [name]
    assert [path.suffix for path in place.output.iterdir()] == [".json"]


def test_a_name_that_is_no_text_is_told_with_its_bytes_escaped(place: Place) -> None:
    place.put(b"\xff\xe9.jpeg")
    assert place.settle() == ["\udcff\udce9.jpeg"]
    assert b'"\\\\udcff\\\\udce9.jpeg"' in next(place.output.iterdir()).read_bytes()


@pytest.mark.parametrize("seconds", [0, -86400 * 365, 2**33])
def test_a_clock_that_was_wrong_when_the_file_was_written_does_not_matter(place: Place, seconds: int) -> None:
    os.utime(place.put("x.jpeg"), (seconds, seconds))
    assert place.settle() == ["x.jpeg"]


@pytest.mark.parametrize(
    "name",
    [
        *(".hidden.jpeg", "..jpeg", "._x.jpeg", ".DS_Store", "Thumbs.db"),
        *("x.jpeg.part", "x.jpeg.tmp", "x.jpeg.filepart", "x.txt", "jpeg"),
    ],
)
def test_other_names_are_ignored(place: Place, name: str) -> None:
    place.put(name)
    assert place.watcher.pending() == {}


@pytest.mark.parametrize("kind", [stat.S_IFIFO, stat.S_IFSOCK, stat.S_IFCHR, stat.S_IFBLK])
def test_pipes_sockets_and_devices_are_ignored(place: Place, kind: int) -> None:
    try:
        os.mknod(place.inbox / "x.jpeg", kind | 0o600, os.makedev(1, 3))
    except PermissionError:
        pytest.skip("needs root")
    assert place.watcher.pending() == {}


@pytest.mark.parametrize("name", ["x.jpeg", "@eaDir"])
def test_folders_and_what_lies_in_them_are_ignored(place: Place, name: str) -> None:
    (place.inbox / name).mkdir()
    (place.inbox / name / "x.jpeg").write_bytes(b"thumbnail")
    assert place.watcher.pending() == {}


@pytest.mark.parametrize(
    "change",
    [lambda path: path.unlink(missing_ok=True), lambda path: path.write_bytes(b"half of a new scan")],
    ids=["vanishes", "is written again"],
)
def test_a_file_that_changes_while_others_are_answered_is_left_for_later(
    place: Place, change: Callable[[Path], object]
) -> None:
    names = [f"{i:02}.jpeg" for i in range(20)]  # more than are read at a time
    for name in names:
        place.put(name, name.encode())
    place.meanwhile = lambda: change(place.inbox / names[-1])
    assert place.settle() == names[:-1]
    place.meanwhile = lambda: None
    (place.inbox / names[-1]).unlink(missing_ok=True)
    place.put(names[-1], b"whole")
    assert place.settle() == names[-1:]
    assert place.graded[-1] == (names[-1], b"whole")


def test_the_same_content_under_another_name_has_no_second_result_also_after_a_restart(place: Place) -> None:
    place.put("a.jpeg")
    place.put("b.jpeg")
    assert place.settle() == ["a.jpeg"]
    place.restart()
    place.put("c.jpeg")
    place.put("new.jpeg", b"new")
    assert place.settle() == ["new.jpeg"]


def test_new_content_under_a_known_name_has_a_second_result_even_if_the_clock_went_back(place: Place) -> None:
    for content, mtime in ((b"first", 10**9), (b"later", 9 * 10**8)):
        os.utime(place.put("x.jpeg", content), (mtime, mtime))
        assert place.settle() == ["x.jpeg"]
    assert len(list(place.output.iterdir())) == 2


def test_a_second_change_that_the_file_system_dates_like_the_first_is_found_by_reading_again(place: Place) -> None:
    place.watcher.tracker.delay = 0.5
    for content in (b"first", b"later"):
        os.utime(place.put("x.jpeg", content), (10**9, 10**9))
        place.look()
        place.look(0.5)
    assert [data for _, data in place.graded] == [b"first"]
    assert place.look(1.0) == []
    assert place.look(0.5) == ["x.jpeg"]
    assert [data for _, data in place.graded] == [b"first", b"later"]


def test_what_was_read_late_enough_is_read_once_and_the_rest_twice(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[str] = []
    monkeypatch.setattr("oct_edge.watch.read_bytes", lambda path: opened.append(path.name) or path.read_bytes())
    for delay in (DELAY, 0.0):
        place.watcher.tracker.delay = delay
        place.put(f"{delay}.jpeg", b"%f" % delay)
        place.settle()
        for _ in range(3):
            place.look(2.0)
    assert opened == ["2.0.jpeg", "0.0.jpeg", "0.0.jpeg"]


def test_what_is_read_again_while_it_changes_is_answered_when_it_has_come_to_rest(place: Place) -> None:
    place.watcher.tracker.delay = 0.0
    place.put("x.jpeg", b"first")
    assert place.look() == ["x.jpeg"]
    place.put("x.jpeg", b"second one")
    place.watcher.tracker.delay = DELAY
    assert place.look(2.0) == []
    assert place.look(DELAY) == ["x.jpeg"]
    assert [data for _, data in place.graded] == [b"first", b"second one"]


def test_the_scans_are_not_touched(place: Place) -> None:
    path = place.put("x.jpeg")
    before = path.stat().st_ctime_ns
    assert place.settle() == ["x.jpeg"]
    assert (path.read_bytes(), path.stat().st_ctime_ns) == (b"scan", before)


def test_an_empty_file_is_complained_about_once_and_the_others_go_on(
    place: Place, caplog: pytest.LogCaptureFixture
) -> None:
    place.put("Meier_Anna.jpeg", b"")
    place.put("other.jpeg", b"other")
    assert place.settle() + place.settle() == ["other.jpeg"]
    assert [r.message.count("empty_file") for r in caplog.records if r.levelno == logging.WARNING] == [1]
    assert place.watcher.unreadable() == {"Meier_Anna.jpeg"}
    place.put("Meier_Anna.jpeg", b"copied again")
    assert place.settle() == ["Meier_Anna.jpeg"]
    assert place.watcher.unreadable() == set()


def test_a_file_that_is_too_large_is_rejected_unread(place: Place) -> None:
    os.truncate(place.put("x.jpeg"), MAX_BYTES + 1)
    assert place.settle() == ["x.jpeg"]
    assert place.reasons() == {"x.jpeg": "too_large"}
    assert place.graded == []


def test_a_file_that_grows_for_ever_is_rejected_in_the_end_and_answered_when_it_rests(place: Place) -> None:
    path, written = place.put("x.jpeg"), 0.0
    while not (answered := place.look(DELAY / 2)):
        written += DELAY / 2
        path.write_bytes(path.read_bytes() + b"more")
    assert (answered, place.reasons()) == (["x.jpeg"], {"x.jpeg": "never_stable"})
    assert written == pytest.approx(GIVE_UP, abs=DELAY)
    path.write_bytes(b"whole")
    assert place.settle() == ["x.jpeg"]
    assert place.graded == [("x.jpeg", b"whole")]


def test_a_file_that_stays_empty_is_rejected_in_the_end(place: Place) -> None:
    place.put("x.jpeg", b"")
    assert place.settle() == []
    assert place.look(GIVE_UP) == ["x.jpeg"]
    assert place.reasons() == {"x.jpeg": "empty_file"}


def test_a_link_is_refused_and_said_once(place: Place, caplog: pytest.LogCaptureFixture) -> None:
    (place.inbox / "x.jpeg").symlink_to(place.put("other.jpeg"))
    assert place.settle() + place.settle() == ["other.jpeg"]
    assert caplog.text.count("symbolic_link") == 1
    assert place.watcher.unreadable() == {"x.jpeg"}


def test_links_are_followed_where_that_is_wanted_also_out_of_the_folder(place: Place, tmp_path: Path) -> None:
    place.watcher._follow = True
    target = tmp_path / "elsewhere.jpeg"
    target.write_bytes(b"first")
    (place.inbox / "x.jpeg").symlink_to(target)
    (place.inbox / "dangling.jpeg").symlink_to(tmp_path / "nothing")
    assert place.settle() == ["x.jpeg"]
    target.write_bytes(b"another one")
    assert place.settle() == ["x.jpeg"]
    assert [data for _, data in place.graded] == [b"first", b"another one"]


def test_a_hard_link_and_a_file_that_was_moved_in_are_scans_like_any_other(place: Place, tmp_path: Path) -> None:
    for name in ("linked", "moved"):
        (tmp_path / name).write_text(name)
    (place.inbox / "linked.jpeg").hardlink_to(tmp_path / "linked")
    (tmp_path / "moved").rename(place.inbox / "moved.jpeg")
    assert place.settle() == ["linked.jpeg", "moved.jpeg"]


def test_what_cannot_be_read_is_tried_ever_more_rarely(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    tries = []

    def fail(path: Path) -> bytes:
        tries.append(place.clock.now)
        raise ScanUnreadable(f"{path}: cannot be read (input/output error).")

    place.put("x.jpeg")
    with monkeypatch.context() as broken:
        broken.setattr("oct_edge.watch.read_bytes", fail)
        for _ in range(2000):
            place.look(1)
    pauses = [later - before for before, later in pairwise(tries)]
    assert pauses[:4] == [1, 2, 4, 8]
    assert pauses[-1] == 300
    assert place.look(300) == ["x.jpeg"]


def test_names_can_be_pseudonyms_wherever_a_name_stands(place: Place, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    place.watcher._naming = naming("hashed", place.state)
    place.put("Meier_Anna.JPEG")
    place.put("Meier_Bela.jpeg", b"")
    place.look()
    (name,) = place.look(GIVE_UP)[:1]
    assert re.fullmatch(r"[0-9a-f]{16}\.jpeg", name)
    assert name == naming("hashed", place.state)("Meier_Anna.JPEG")
    assert known_naming(place.state)("Meier_Anna.JPEG") == name
    written = b"".join(p.read_bytes() for p in place.output.parent.rglob("*") if p.is_file() and "Meier" not in p.name)
    assert b"Meier" not in written
    assert "Meier" not in caplog.text
    assert not any("Meier" in path.name for path in place.output.iterdir())


def test_the_key_of_the_pseudonyms_is_the_devices_own_and_nobody_else_may_read_it(tmp_path: Path) -> None:
    first, second = (naming("hashed", tmp_path / name) for name in "ab")
    assert first("x.jpeg") != second("x.jpeg")
    assert (tmp_path / "a" / KEY).stat().st_mode & 0o777 == 0o600
    (tmp_path / "a" / KEY).write_bytes(b"short")
    with pytest.raises(ConfigurationError, match="not a key"):
        naming("hashed", tmp_path / "a")


def test_no_file_name_is_logged(place: Place, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    for name, data in (("Meier_1.jpeg", b"scan"), ("Meier_2.jpeg", b"scan"), ("Meier_3.jpeg", b"")):
        place.put(name, data)
    place.settle()
    assert len(caplog.records) == 3
    assert "Meier" not in caplog.text


@pytest.mark.parametrize("make", [Path.exists, Path.touch], ids=["missing", "a file"])
def test_an_inbox_that_is_no_folder_is_a_configuration_error(place: Place, make: Callable[[Path], object]) -> None:
    place.inbox.rmdir()
    make(place.inbox)
    with pytest.raises(ConfigurationError, match="cannot be watched"):
        place.look()


def test_once_ends_when_all_is_answered_or_came_to_rest_unreadable(place: Place) -> None:
    place.put("a.jpeg", b"a")
    place.put("b.jpeg", b"b")
    place.put("empty.jpeg", b"")
    reported: list[Result] = []
    watch_once(place.watcher, place.intake, place.clock, reported.append, 0.5)
    assert [result.source.name for result in reported] == ["a.jpeg", "b.jpeg"]
    assert place.clock.now == 1000 + DELAY


def test_the_scan_under_way_is_finished_and_reported_when_told_to_stop(place: Place) -> None:
    for content in (b"a", b"b", b"c"):
        place.put(f"{content.decode()}.jpeg", content)
    stop, reported = threading.Event(), list[Result]()
    place.meanwhile = stop.set
    place.look()
    place.clock.wait(DELAY)
    watch_once(place.watcher, place.intake, stop, reported.append, 0.5)
    assert [result.source.name for result in reported] == ["a.jpeg"]
    assert len(list(place.output.iterdir())) == 1


def test_what_was_read_when_told_to_stop_is_pending_and_answered_by_the_next_start(place: Place) -> None:
    for content in (b"a", b"b", b"c"):
        place.put(f"{content.decode()}.jpeg", content)
    stop = threading.Event()
    place.meanwhile = stop.set
    place.look()
    place.clock.wait(DELAY)
    assert [result.source.name for result in place.watcher.take(place.intake, stop)] == ["a.jpeg"]
    assert [place.ledger.state(digest(content)) for content in (b"a", b"b")] == ["classified", "pending"]
    place.restart()
    assert place.settle() == ["b.jpeg", "c.jpeg"]


def test_a_stop_is_obeyed_before_another_file_is_read(place: Place) -> None:
    place.put("a.jpeg")
    place.look()
    place.clock.wait(DELAY)
    stop = threading.Event()
    stop.set()
    assert list(place.watcher.take(place.intake, stop)) == []
    assert place.ledger.state(digest(b"scan")) is None


def test_looks_at_the_folder_and_files_that_are_read_are_progress(place: Place) -> None:
    made: list[str] = []
    place.watcher._progress = lambda: made.append("progress")
    place.look()
    assert len(made) == 1
    place.put("a.jpeg")
    place.put("b.jpeg")
    place.settle()
    assert len(made) == 1 + 2 + 2


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
