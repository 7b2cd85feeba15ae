"""The ledger on real disks: one state for each content, what was committed stays, and what is damaged is refused."""

import sqlite3
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from oct_edge.errors import ChainBroken, ConfigurationError, LedgerForeign, LedgerTooNew, OctEdgeError
from oct_edge.ledger.opening import LINKS
from oct_edge.ledger.schema import VERSION
from oct_edge.ledger.store import LEDGER, Ledger
from oct_edge.result import ModelIdentity, Result, Source, Status

A, B = "a" * 64, "b" * 64
MODEL = ModelIdentity("plain", "m" * 64, "none")


def result(scan: str = A, status: Status = "classified", name: str = "x.jpeg") -> Result:
    return Result("2026-11-23T10:11:12Z", Source(name, scan), status, MODEL, label="CNV")


def rows(folder: Path, query: str = "SELECT kind, scan, name FROM events ORDER BY seq") -> list[tuple]:
    with sqlite3.connect(folder / LEDGER) as connection:
        found = connection.execute(query).fetchall()
    connection.close()
    return found


def alter(folder: Path, script: str) -> None:
    with sqlite3.connect(folder / LEDGER) as connection:
        connection.executescript(script)
    connection.close()


def filled(folder: Path, contents: int = 3) -> Path:
    ledger = Ledger(folder)
    with ledger.batch() as batch:
        for i in range(contents):
            batch.taken(f"{i:064x}", MODEL.sha256, f"{i}.jpeg")
    ledger.close()
    return folder


def test_a_content_goes_from_pending_to_its_result_and_its_history_stays(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    with ledger.batch() as batch:
        batch.sighted(A, "x.jpeg")
        assert batch.taken(A, MODEL.sha256, "x.jpeg") == "pending"
    with ledger.batch() as batch:
        batch.answered(result())
        assert batch.state(A) == "classified"
    ledger.close()
    assert rows(tmp_path) == [(kind, A, "x.jpeg") for kind in ("sighting", "pending", "classified")]
    assert rows(tmp_path, "SELECT scan, state FROM scans") == [(A, "classified")]


def test_everything_may_be_said_twice(tmp_path: Path) -> None:
    for _ in range(2):
        ledger = Ledger(tmp_path)
        for _ in range(2):
            with ledger.batch() as batch:
                batch.sighted(A, "x.jpeg")
                batch.taken(A, MODEL.sha256, "x.jpeg")
                batch.answered(result())
        ledger.close()
    assert [kind for kind, *_ in rows(tmp_path)] == ["sighting", "pending", "classified"]


def test_a_final_state_is_kept_whatever_is_answered_later(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    with ledger.batch() as batch:
        batch.taken(A, MODEL.sha256, "x.jpeg")
        batch.answered(result(status="rejected"))
        batch.answered(result(status="classified"))
        assert batch.taken(A, "another model", "x.jpeg") == "rejected"
    ledger.close()


def test_the_same_bytes_under_two_names_are_two_sightings_and_a_name_may_show_what_it_showed_before(
    tmp_path: Path,
) -> None:
    ledger = Ledger(tmp_path)
    for scan, name in ((A, "x"), (A, "y"), (B, "x"), (B, "x"), (A, "x")):
        with ledger.batch() as batch:
            batch.sighted(scan, name)
    ledger.close()
    seen = [(scan, name) for _, scan, name in rows(tmp_path)]
    assert seen == [(A, "x"), (A, "y"), (B, "x"), (A, "x")]


def test_a_name_that_is_no_text_can_be_written_down(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    for _ in range(2):
        with ledger.batch() as batch:
            batch.sighted(A, "\udcff\n.jpeg")
    ledger.close()
    assert rows(tmp_path) == [("sighting", A, "\\udcff\n.jpeg")]


def test_a_batch_that_fails_leaves_nothing_and_the_next_one_may_follow(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    with suppress(KeyError), ledger.batch() as batch:
        batch.taken(A, MODEL.sha256, "x")
        raise KeyError
    with ledger.batch() as batch:
        batch.taken(B, MODEL.sha256, "y")
    ledger.close()
    assert rows(tmp_path) == [("pending", B, "y")]
    Ledger(tmp_path).close()


def test_results_without_a_file_are_found_again_until_they_are_marked(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    with ledger.batch() as batch:
        batch.answered(result(A))
    ledger.close()
    ledger = Ledger(tmp_path)
    assert ledger.unexported() == [result(A)]
    with ledger.batch() as batch:
        batch.exported()
        batch.answered(result(B))
    assert ledger.unexported() == [result(B)]
    ledger.close()


def test_one_writer_at_a_time(tmp_path: Path) -> None:
    held = Ledger(tmp_path)
    with pytest.raises(ConfigurationError, match="another process") as caught:
        Ledger(tmp_path)
    assert "--state" in caught.value.hint
    held.close()
    held.close()
    Ledger(tmp_path).close()


@pytest.mark.parametrize(
    "change", ["UPDATE events SET name = 'y'", "DELETE FROM events", "REPLACE INTO events SELECT * FROM events"]
)
def test_a_shell_cannot_change_or_remove_an_event(tmp_path: Path, change: str) -> None:
    filled(tmp_path)
    with pytest.raises(sqlite3.IntegrityError, match="events are"):
        alter(tmp_path, change)


UNGUARDED = "DROP TRIGGER events_are_not_changed; DROP TRIGGER events_are_not_deleted;"


def _altered(folder: Path) -> None:
    alter(filled(folder), f"{UNGUARDED} UPDATE events SET name = 'y' WHERE seq = 2")


def _cut(folder: Path) -> None:
    alter(filled(folder), f"{UNGUARDED} DELETE FROM events WHERE seq = 2")


def _another_program(folder: Path) -> None:
    alter(folder, "CREATE TABLE photos (name TEXT)")


def _later_release(folder: Path) -> None:
    alter(filled(folder), f"PRAGMA user_version = {VERSION + 1}")


@pytest.mark.parametrize(
    ("spoil", "kind"),
    [(_altered, ChainBroken), (_cut, ChainBroken), (_another_program, LedgerForeign), (_later_release, LedgerTooNew)],
)
def test_what_may_not_be_trusted_is_refused_and_left_as_it_is(
    tmp_path: Path, spoil: Callable[[Path], None], kind: type[OctEdgeError]
) -> None:
    spoil(tmp_path)
    before = (tmp_path / LEDGER).read_bytes()
    with pytest.raises(kind) as caught:
        Ledger(tmp_path)
    assert (caught.value.exit_code, bool(caught.value.hint)) == (78, True)
    assert (tmp_path / LEDGER).read_bytes()[100:] == before[100:]


def test_only_the_last_links_are_verified_at_the_start(tmp_path: Path) -> None:
    filled(tmp_path, LINKS + 10)
    alter(tmp_path, f"{UNGUARDED} UPDATE events SET name = 'y' WHERE seq = 5")
    Ledger(tmp_path).close()
    alter(tmp_path, "UPDATE events SET name = 'y' WHERE seq = 50")
    with pytest.raises(ChainBroken, match="event 50 was altered"):
        Ledger(tmp_path)


def test_a_ledger_of_many_events_is_opened_and_added_to_by_index(tmp_path: Path) -> None:
    filled(tmp_path, 20_000)
    ledger = Ledger(tmp_path)
    steps: list[int] = []
    ledger._connection.set_progress_handler(lambda: steps.append(1), 100)
    with ledger.batch() as batch:
        batch.sighted(A, "new.jpeg")
        batch.taken(A, MODEL.sha256, "new.jpeg")
        batch.answered(result())
        batch.exported()
    ledger.close()
    assert len(steps) < 20  # a walk over the events takes five times as many as there are events
