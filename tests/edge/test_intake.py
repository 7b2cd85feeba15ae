"""From contents to durable answers: one for each content, found again after any interruption."""

import shutil
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pytest

from oct_edge.errors import InferenceFailed, OutputUnavailable
from oct_edge.exports import Exports
from oct_edge.intake import Intake, job_of
from oct_edge.ledger.store import Ledger
from oct_edge.result import ModelIdentity, Result, Source
from oct_edge.worker.supervisor import Job

IDENTITY = ModelIdentity("plain", "m" * 64, "none")
EVENTS = "SELECT kind, name FROM events ORDER BY seq"


class Grader:
    """Answers with CNV, one scan after the other, and may be told to fail or to wait."""

    identity = IDENTITY

    def __init__(self) -> None:
        self.graded: list[str] = []
        self.before: Callable[[Job], object] = lambda job: None

    def grade(self, jobs: Iterable[Job | None]) -> Iterator[Result | None]:
        for job in filter(None, jobs):
            self.before(job)
            self.graded.append(job.name)
            yield Result("2026-11-23T10:11:12Z", Source(job.name, job.sha256), "classified", IDENTITY, label="CNV")
            yield None


class Place:
    def __init__(self, folder: Path) -> None:
        self.folder, self.grader, self.now = folder, Grader(), 0.0
        self.start()

    def start(self) -> None:
        self.ledger = Ledger(self.folder / "state")
        self.exports = Exports(self.folder / "results", self.folder / "state" / "quarantine")
        self.intake = Intake(self.ledger, self.grader, self.exports, clock=lambda: self.now)
        self.intake.catch_up()

    def end(self) -> None:
        self.ledger.close()
        self.exports.close()

    def restart(self) -> None:
        self.end()
        self.start()

    def answer(self, *names: str, go_on: Callable[[], bool] = lambda: True) -> list[str]:
        """Names of what is answered for contents that are called after their first letter."""
        jobs = [job_of(name[0].encode(), name) for name in names]
        return [result.source.name for result in self.intake.answer(jobs, go_on)]

    def events(self) -> list[tuple]:
        return self.ledger._open().execute(EVENTS).fetchall()

    def exported(self) -> list[str]:
        return sorted(path.name[0] for path in self.exports.results.iterdir())


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    place = Place(tmp_path)
    yield place
    place.end()


def test_a_content_is_pending_before_it_is_graded_and_answered_before_it_is_told(place: Place) -> None:
    seen = []
    place.grader.before = lambda job: seen.append([kind for kind, _ in place.events()])
    assert place.answer("a") == ["a"]
    assert seen == [["sighting", "pending"]]
    assert [kind for kind, _ in place.events()] == ["sighting", "pending", "classified"]
    assert place.exported() == ["a"]


def test_one_content_under_many_names_is_graded_once_and_each_name_is_written_down(place: Place) -> None:
    names = ["a", *(f"b{i}" for i in range(40)), "a2"]
    assert place.answer(*names) == ["a", "b0"]
    assert place.answer("b99") == []
    assert place.grader.graded == ["a", "b0"]
    assert [name for kind, name in place.events() if kind == "sighting"] == [*names, "b99"]


def test_files_that_are_known_do_not_hold_up_the_answer_to_a_new_one(place: Place) -> None:
    known = [f"k{i}" for i in range(40)]
    place.answer(*known)
    asked: list[Job | None] = []
    place.grader.grade = lambda jobs: iter([asked.extend(jobs)])  # type: ignore[assignment,func-returns-value]
    place.answer("a", *known)
    assert [job and job.name for job in asked] == ["a", None, None]


def test_results_wait_for_each_other_no_longer_than_a_quarter_of_a_second(place: Place) -> None:
    def pass_time(job: Job) -> None:
        place.now += 0.1

    exported: list[list[str]] = []
    place.grader.before = lambda job: (pass_time(job), exported.append(place.exported()))
    place.answer(*"abcdefg")
    assert exported == [[], [], [], [], list("abcd"), list("abcd"), list("abcd")]


def test_a_result_that_was_not_exported_gets_its_file_from_the_next_start_and_is_not_graded_again(
    place: Place,
) -> None:
    place.answer("a")
    place.grader.before = lambda job: place.exports.results.rename(place.folder / "gone")
    with pytest.raises(OutputUnavailable):
        place.answer("b")
    (place.folder / "gone").rename(place.exports.results)
    assert place.exported() == ["a"]
    place.grader.before = lambda job: None
    place.restart()
    assert place.exported() == ["a", "b"]
    assert place.answer("a", "b") == []
    assert place.grader.graded == ["a", "b"]


def test_what_a_consumer_moved_away_is_not_written_again(place: Place) -> None:
    place.answer("a", "b")
    for path in place.exports.results.iterdir():
        path.unlink()
    place.restart()
    assert place.answer("a", "b", "c") == ["c"]
    assert place.exported() == ["c"]


def test_a_new_ledger_takes_over_the_results_that_are_files_and_passes_over_what_is_none(place: Place) -> None:
    place.answer("a", "b")
    files = {path: path.read_bytes() for path in place.exports.results.iterdir()}
    for name, text in (("x.json", "{}"), ("y.json", "[1]"), ("z.json", "\xff{"), ("v.json", '{"schema": "other"}')):
        (place.exports.results / name).write_bytes(text.encode("latin-1"))
    place.end()
    shutil.rmtree(place.folder / "state")
    place.start()
    assert sorted(place.events()) == sorted((kind, name) for name in "ab" for kind in ("sighting", "classified"))
    assert place.answer("a", "b", "c") == ["c"]
    assert place.grader.graded == ["a", "b", "c"]
    assert {path: path.read_bytes() for path in files} == files


def test_a_device_that_fails_leaves_the_scans_pending(place: Place) -> None:
    def fail(job: Job) -> None:
        raise InferenceFailed("the interpreter failed.")

    place.grader.before = fail
    with pytest.raises(InferenceFailed):
        place.answer("a", "b")
    place.grader.before = lambda job: None
    place.restart()
    assert place.answer("a", "b") == ["a", "b"]
    assert sorted(place.events()) == sorted((kind, n) for n in "ab" for kind in ("sighting", "pending", "classified"))


def test_what_is_not_begun_when_told_to_stop_stays_pending(place: Place) -> None:
    assert place.answer("a", "b", "c", go_on=lambda: place.grader.graded == []) == ["a"]
    assert [kind for kind, name in place.events() if name == "c"] == ["sighting", "pending"]
    assert place.answer("a", "b", "c") == ["b", "c"]
