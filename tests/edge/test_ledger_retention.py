"""Limits: what lies beyond them goes, with its files and nothing else; the chain holds, and nothing is graded again."""

import json
import shutil
import sqlite3
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from oct_edge.errors import ChainBroken, OutputUnavailable
from oct_edge.ledger.chain import GENESIS
from oct_edge.ledger.query import Query
from oct_edge.ledger.reader import reading
from oct_edge.ledger.request import leave, new_request
from oct_edge.ledger.retention import Limits, Retention, Upkeep
from oct_edge.ledger.store import LEDGER, Ledger
from oct_edge.result import ModelIdentity, Result, Source

LATER = datetime.now(UTC) + timedelta(days=40)


def retain(shelf: Any, days: float | None = None, results: int | None = None, now: datetime = LATER) -> int:
    """Steps until nothing is left to do."""
    retention = Retention(shelf.ledger, shelf.exports, Limits(days, results), lambda: now)
    steps = 0
    while retention.step():
        steps += 1
    return steps


def seqs(shelf: Any) -> list[int]:
    return [seq for (seq,) in shelf.ledger._rows("SELECT seq FROM events ORDER BY seq")]


def shell(shelf: Any, script: str) -> None:
    connection = sqlite3.connect(shelf.state / LEDGER, isolation_level=None)
    try:
        connection.executescript(script)
    finally:
        connection.close()


def verify(shelf: Any, expect: str | None = None) -> None:
    with reading(shelf.state) as reader:
        reader.verify(expect)


def test_only_the_newest_answers_are_kept_with_their_files_and_notes(shelf: Any) -> None:
    shelf.rejects = {"a", "d"}
    for name in "abcd":
        shelf.answer(name)
    assert retain(shelf, results=2) == 1
    assert list(shelf.files()) == ["c", "d"]
    assert shelf.notes() == ["d"]
    assert shelf.status()["states"] == {"classified": 1, "rejected": 1}
    assert retain(shelf, results=2) == 0


def test_what_was_removed_is_known_and_neither_graded_nor_written_down_again(shelf: Any) -> None:
    shelf.answer(*"abcd")
    retain(shelf, results=1)
    for _ in range(2):
        events = seqs(shelf)
        assert shelf.answer(*"abcd", "a2") == []
        assert seqs(shelf) == events
        shelf.restart()
    assert shelf.graded == list("abcd")
    assert list(shelf.files()) == ["d"]
    assert shelf.status()["forgotten"] == 3


def test_what_is_older_than_a_limit_is_removed(shelf: Any) -> None:
    shelf.answer(*"ab")
    assert retain(shelf, days=41) == 0
    assert retain(shelf, days=39) == 1
    assert shelf.files() == {}
    assert shelf.status()["states"] == {}
    assert [kind for (kind,) in shelf.ledger._rows("SELECT kind FROM events")] == ["checkpoint"]
    assert shelf.answer(*"abc") == ["c"]


def test_a_device_that_rests_writes_no_checkpoints(shelf: Any) -> None:
    shelf.answer("a")
    assert [retain(shelf, days=1, now=LATER + timedelta(days=day)) for day in range(3)] == [1, 0, 0]


def test_the_limit_that_removes_more_counts(shelf: Any) -> None:
    shelf.answer(*"abcd")
    retain(shelf, days=41, results=3)
    assert list(shelf.files()) == ["b", "c", "d"]
    retain(shelf, days=39, results=3)
    assert shelf.files() == {}


def test_without_limits_or_beyond_the_calendar_nothing_goes(shelf: Any) -> None:
    shelf.answer(*"ab")
    assert retain(shelf) == retain(shelf, days=1e9) == retain(shelf, results=2) == 0
    assert list(shelf.files()) == ["a", "b"]


def test_a_clock_that_was_ahead_for_a_while_removes_nothing_behind_it(
    shelf: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    shelf.answer("a")
    with monkeypatch.context() as ahead:
        ahead.setattr("oct_edge.ledger.batch.utc_now", lambda: "2999-01-01T00:00:00Z")
        shelf.answer("b")
    shelf.answer("c")
    retain(shelf, days=1)
    assert list(shelf.files()) == ["b", "c"]


def test_a_content_that_waits_is_still_pending_when_its_events_are_gone(shelf: Any) -> None:
    with shelf.ledger.batch() as batch:
        batch.sighted(shelf.sha256("a"), "a")
        batch.taken(shelf.sha256("a"), "m" * 64, "a")
    shelf.answer("b")
    retain(shelf, days=1)
    assert shelf.ledger.state(shelf.sha256("a")) == "pending"
    assert shelf.answer("a", "b") == ["a"]
    assert list(shelf.files()) == ["a"]
    retain(shelf, days=1)
    assert shelf.ledger.state(shelf.sha256("a")) == "classified"


def test_a_result_that_is_not_yet_a_file_is_not_removed(shelf: Any) -> None:
    shelf.answer("a")
    with shelf.ledger.batch() as batch:
        batch.answered(Result("", Source("b", shelf.sha256("b")), "classified", shelf.identity))
    retain(shelf, results=0)
    assert shelf.ledger._rows("SELECT kind FROM events") == [("classified",), ("checkpoint",)]
    shelf.restart()
    assert list(shelf.files()) == ["b"]


def test_only_files_of_removed_contents_are_removed(shelf: Any) -> None:
    shelf.answer(*"ab")
    others = {"a.json": "{}", f"a.{'0' * 16}.json": "{}", f"x.{shelf.sha256('a')[:16]}.json": "{}", "notes.txt": ""}
    for name, text in others.items():
        (shelf.results / name).write_text(text)
    retain(shelf, results=0)
    assert {path.name for path in shelf.results.iterdir()} == set(others)


def test_what_a_consumer_took_away_already_is_no_error(shelf: Any) -> None:
    shelf.answer(*"ab")
    for path in shelf.results.iterdir():
        path.unlink()
    assert retain(shelf, results=1) == 1


def test_nothing_is_forgotten_while_the_results_are_out_of_reach(shelf: Any) -> None:
    shelf.answer(*"ab")
    shelf.results.rename(shelf.folder / "unmounted")
    with pytest.raises(OutputUnavailable):
        retain(shelf, results=1)
    (shelf.folder / "unmounted").rename(shelf.results)
    assert shelf.status()["states"] == {"classified": 2}
    retain(shelf, results=1)
    assert list(shelf.files()) == ["b"]


def test_a_crash_between_files_and_events_is_finished_by_the_next_step(shelf: Any) -> None:
    shelf.answer(*"ab")
    shelf.exports.remove(shelf.ledger.leaving(shelf.ledger.over(None, 1, 100)))
    shelf.restart()
    assert shelf.status()["states"] == {"classified": 2}
    assert retain(shelf, results=1) == 1
    assert list(shelf.files()) == ["b"]
    assert shelf.status()["states"] == {"classified": 1}


def test_another_answer_keeps_its_file_and_its_name_when_the_first_one_goes(shelf: Any) -> None:
    shelf.answer(*"abc")
    leave(shelf.state, new_request(Query(name="a"), True))
    shelf.answer(*"abc")
    retain(shelf, results=1)
    assert list(shelf.files()) == ["a"]
    with reading(shelf.state) as reader:
        assert [(s.name, s.state) for s in reader.sightings(Query())] == [("a", "classified")]
        assert [s.name for s in reader.sightings(Query(label="CNV", name="a"))] == ["a"]
    events = seqs(shelf)
    shelf.restart()
    assert shelf.answer(*"abc") == []
    assert seqs(shelf) == events
    leave(shelf.state, new_request(Query(), True))
    assert shelf.answer(*"abc") == ["a"]


def test_a_request_outlives_the_answer_it_is_about(shelf: Any) -> None:
    shelf.answer(*"ab")
    leave(shelf.state, new_request(Query(name="a"), True))
    shelf.answer("b")
    retain(shelf, results=1)
    assert list(shelf.files()) == ["b"]
    assert shelf.answer(*"ab") == ["a"]
    assert list(shelf.files()) == ["a", "b"]


def test_a_second_name_that_is_still_there_shows_that_the_result_is_not(shelf: Any) -> None:
    shelf.answer("a")
    shelf.answer("b", "a2")
    retain(shelf, results=1)
    with reading(shelf.state) as reader:
        found = {s.name: (s.state, s.result is None) for s in reader.sightings(Query())}
    assert found == {"b": ("classified", False), "a2": ("classified", True)}


def test_each_checkpoint_goes_on_where_the_last_one_ended(shelf: Any) -> None:
    for i, name in enumerate("abcdefgh"):
        shelf.answer(name)
        retain(shelf, results=1)
        verify(shelf)
        assert shelf.status()["forgotten"] == i
    assert len(seqs(shelf)) < 6
    shelf.restart()
    assert shelf.answer(*"abcdefgh") == []


def test_an_event_that_was_noted_is_found_as_long_as_it_is_there(shelf: Any) -> None:
    shelf.answer("a")
    first = shelf.ledger.head.hash
    shelf.answer("b")
    noted = shelf.ledger.head.hash
    retain(shelf, results=0)
    verify(shelf, noted)
    with pytest.raises(ChainBroken, match=r"or the event is one of the first \d+ that retention removed"):
        verify(shelf, first)
    with pytest.raises(ChainBroken):
        verify(shelf, GENESIS)


DELETES = [
    "DELETE FROM events",
    "DELETE FROM events WHERE seq = (SELECT min(seq) FROM events)",
    "DELETE FROM known",
    "UPDATE known SET state = 'pending'",
    "UPDATE known SET scan = 'x'",
    "INSERT INTO known VALUES ('x', 'classified')",
    "REPLACE INTO known SELECT scan, 'pending' FROM known",
]


@pytest.mark.parametrize("statement", DELETES)
@pytest.mark.parametrize("results", [None, 1])
def test_nobody_else_removes_events_or_changes_what_is_known(shelf: Any, statement: str, results: int | None) -> None:
    shelf.answer(*"abc")
    retain(shelf, results=results)
    before = shelf.ledger._rows("SELECT * FROM events"), shelf.ledger._rows("SELECT * FROM known")
    if "known" in statement and results is None and "INSERT" not in statement:
        shell(shelf, statement)  # there is nothing it could change
    else:
        with pytest.raises(sqlite3.IntegrityError, match=r"events are|known contents"):
            shell(shelf, statement)
    assert (shelf.ledger._rows("SELECT * FROM events"), shelf.ledger._rows("SELECT * FROM known")) == before


UNGUARDED = """DROP TRIGGER events_are_not_changed; DROP TRIGGER events_are_not_deleted;
    DROP TRIGGER known_is_not_changed; DROP TRIGGER known_is_not_deleted; DROP TRIGGER known_comes_with_a_checkpoint;"""


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (
            "DELETE FROM known WHERE scan = (SELECT min(scan) FROM known)",
            "what is known of the contents of events up to",
        ),
        ("UPDATE known SET state = 'pending'", "what is known of the contents of events up to"),
        ("INSERT INTO known VALUES ('x', 'classified')", "what is known of the contents of events up to"),
        ("DELETE FROM events WHERE seq = (SELECT min(seq) FROM events)", "is missing"),
        (
            "UPDATE events SET body = replace(body, '\"known\": 2', '\"known\": 3') WHERE kind = 'checkpoint'",
            "was altered",
        ),
        ("UPDATE events SET body = 'x' WHERE kind = 'checkpoint'", "the last checkpoint was altered"),
    ],
)
def test_an_unguarded_change_is_named(shelf: Any, change: str, named: str) -> None:
    shelf.answer(*"abc")
    retain(shelf, results=1)
    verify(shelf)
    shell(shelf, f"{UNGUARDED} {change}")
    with pytest.raises(ChainBroken, match=named):
        verify(shelf)


def test_a_beginning_that_was_cut_off_is_refused_at_the_start(shelf: Any) -> None:
    shelf.answer(*"abc")
    retain(shelf, results=1)
    shelf.end()
    shell(shelf, f"{UNGUARDED} DELETE FROM events WHERE seq = (SELECT min(seq) FROM events)")
    with pytest.raises(ChainBroken, match="is missing"):
        Ledger(shelf.state)
    shutil.rmtree(shelf.state)
    shelf.start()


def filled(shelf: Any, contents: int) -> None:
    model = ModelIdentity("plain", "m" * 64, "none")
    with shelf.ledger.batch() as batch:
        for i in range(contents):
            batch.sighted(f"{i:064}", f"{i}.jpeg")
            batch.answered(Result("2026-11-23T10:11:12Z", Source(f"{i}.jpeg", f"{i:064}"), "classified", model))
        batch.exported()


def test_a_step_is_bounded_and_room_is_given_back_also_while_somebody_reads(shelf: Any) -> None:
    filled(shelf, 6000)
    path = shelf.state / LEDGER
    with reading(shelf.state) as reader:
        before = reader.verify()
        assert retain(shelf, results=100) > 5
        assert len(list(reader.events())) == 12000
        assert reader.verify() == before
    shelf.restart()
    assert shelf.ledger._rows("SELECT count(*) FROM scans") == [(100,)]
    verify(shelf)
    assert path.stat().st_size < 3e6


def test_a_checkpoint_says_what_it_covers(shelf: Any) -> None:
    shelf.answer(*"ab")
    last = shelf.ledger.head
    retain(shelf, days=1)
    ((body,),) = shelf.ledger._rows("SELECT body FROM events WHERE kind = 'checkpoint'")
    checkpoint = json.loads(body)
    assert (checkpoint["seq"], checkpoint["hash"], checkpoint["known"]) == (last.seq, last.hash, 2)


def test_upkeep_is_done_at_the_start_once_a_day_and_under_new_limits_a_step_at_a_time(shelf: Any) -> None:
    filled(shelf, 2500)
    now, limits = 0.0, Limits(results=2400)
    upkeep = Upkeep(shelf.ledger, shelf.exports, lambda: limits, lambda: now)

    def left() -> int:
        upkeep.step()
        return shelf.ledger._rows("SELECT count(*) FROM scans")[0][0]

    assert [left(), left()] == [2400, 2400]
    filled(shelf, 2600)
    now = 86000.0
    assert left() == 2500
    now = 87000.0
    assert [left(), left()] == [2400, 2400]
    limits = Limits(results=100)
    assert [left(), left(), left(), left()] == [1400, 400, 100, 100]
