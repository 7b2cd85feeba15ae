"""The state folder of an earlier release: asked as it is, brought up to date once, and continued."""

import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from oct_edge.errors import ChainBroken, OutputUnavailable
from oct_edge.ledger.query import Query
from oct_edge.ledger.reader import reading
from oct_edge.ledger.schema import VERSION
from oct_edge.ledger.store import LEDGER, Ledger

FIRST = Path(__file__).parents[1] / "data" / "state-v1"
HEAD = "3dae7860f019c3e0685b48bf97bdf4a4052be3598ca85ecb530e8a8a3674dd2f"  # as that release printed it


def shell(path: Path, script: str) -> list[tuple]:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        return [row for statement in script.split("; ") for row in connection.execute(statement).fetchall()]


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return Path(shutil.copytree(FIRST / "results.state", tmp_path / "results.state"))


def told(state: Path) -> tuple:
    with reading(state) as reader:
        status = reader.status()
        kept = {key: status[key] for key in ("states", "classes", "referrals", "events", "head", "to_regrade")}
        return reader.verify(HEAD), list(reader.sightings(Query())), list(reader.events()), kept


def test_a_ledger_of_the_first_schema_says_the_same_before_and_after(state: Path) -> None:
    assert shell(state / LEDGER, "PRAGMA user_version") == [(1,)]
    before = told(state)
    assert before[0].hash == HEAD
    Ledger(state).close()
    assert shell(state / LEDGER, "PRAGMA user_version; PRAGMA integrity_check") == [(VERSION,), ("ok",)]
    assert told(state) == before


def test_it_has_all_that_a_new_one_has(state: Path, tmp_path: Path) -> None:
    Ledger(state).close()
    Ledger(tmp_path / "new").close()
    schema = "SELECT type, name, replace(sql, '\"', '') FROM sqlite_schema ORDER BY 1, 2; PRAGMA auto_vacuum"
    assert shell(state / LEDGER, schema) == shell(tmp_path / "new" / LEDGER, schema)


def test_it_is_continued(state: Path) -> None:
    with closing(Ledger(state)) as ledger:
        with ledger.batch() as batch:
            batch.sighted("a" * 64, "new.jpeg")
            batch.taken("a" * 64, "m" * 64, "new.jpeg")
        assert ledger.over(None, 2, 1000) > 0
        with ledger.batch() as batch:
            batch.forgotten(ledger.over(None, 2, 1000))
        assert ledger._rows("SELECT count(*) FROM scans WHERE state <> 'pending'") == [(2,)]
    with reading(state) as reader:
        reader.verify()


def test_one_that_was_altered_is_refused_and_left_as_it_is(state: Path) -> None:
    shell(state / LEDGER, "DROP TRIGGER events_are_not_changed; UPDATE events SET name = 'y' WHERE seq = 9")
    with pytest.raises(ChainBroken, match="event 9 was altered"):
        Ledger(state)
    assert shell(state / LEDGER, "PRAGMA user_version") == [(1,)]


def test_a_disk_without_room_leaves_the_old_one_and_more_room_is_used(
    small_disk: Callable[[str], Path], fill_up: Callable[[Path], Path], state: Path
) -> None:
    disk = small_disk("256k")
    shutil.copytree(state, disk / "state")
    filler = fill_up(disk)
    with pytest.raises(OutputUnavailable):
        Ledger(disk / "state")
    filler.unlink()
    with reading(disk / "state") as reader:
        assert reader.verify().hash == HEAD
    with closing(Ledger(disk / "state")) as ledger:
        assert ledger.head.hash == HEAD


def test_somebody_who_reads_does_not_hold_it_up(state: Path) -> None:
    with reading(state) as reader:
        before: Any = reader.verify()
        with closing(Ledger(state)) as ledger:
            assert ledger.head == before
        assert reader.verify() == before
