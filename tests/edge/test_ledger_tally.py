"""How many answers were given: the count goes on where it ended, and is not taken for that of another ledger."""

import json
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from oct_edge.ledger.reader import reading
from oct_edge.ledger.store import LEDGER, Ledger
from oct_edge.ledger.tally import Tally
from oct_edge.result import ModelIdentity, Result, Source

MODEL = ModelIdentity("plain", "m" * 64, "none")
Kinds = list[tuple[str, str | None]]
CNV, NORMAL, REJECTED = ("classified", "CNV"), ("classified", "NORMAL"), ("rejected", None)


@pytest.fixture
def answer(tmp_path: Path) -> Callable[..., Path]:
    """Write down answers to contents that were not there yet."""
    given = 0

    def answer(*kinds: tuple[str, str | None], folder: Path = tmp_path) -> Path:
        nonlocal given
        ledger = Ledger(folder)
        with ledger.batch() as batch:
            for status, label in kinds:
                scan = f"{(given := given + 1):064}"
                batch.sighted(scan, "x.jpeg")
                batch.taken(scan, MODEL.sha256, "x.jpeg")
                time = f"2026-11-23T10:11:{given % 60:02}Z"
                batch.answered(Result(time, Source("x.jpeg", scan), status, MODEL, label=label))  # type: ignore[arg-type]
            batch.taken("f" * 64, MODEL.sha256, "waits.jpeg")
        ledger.close()
        return folder

    return answer


def counted(folder: Path, known: Tally = Tally()) -> Tally:  # noqa: B008
    with reading(folder) as reader:
        return reader.tally(Tally.from_json(json.loads(json.dumps(known.to_json()))))


def test_answers_are_counted_by_state_and_class(answer: Callable[..., Path]) -> None:
    found = counted(answer(CNV, NORMAL, CNV, REJECTED))
    assert found.answers == {CNV: 2, NORMAL: 1, ("rejected", ""): 1}
    assert found.last is not None


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.lists(st.sampled_from([CNV, NORMAL, REJECTED]), max_size=4), min_size=1, max_size=4))
def test_counting_on_is_counting_anew(
    answer: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory, parts: list[Kinds]
) -> None:
    folder, known = tmp_path_factory.mktemp("state"), Tally()
    for part in parts:
        known = counted(answer(*part, folder=folder), known)
        assert known == counted(folder)


def test_only_what_is_new_is_looked_at(answer: Callable[..., Path]) -> None:
    folder = answer(CNV, NORMAL)
    known = counted(folder)
    bent = Tally(known.seq, known.hash, {CNV: 1000}, known.last)
    assert counted(folder, bent).answers == {CNV: 1000}
    assert counted(answer(CNV), bent).answers == {CNV: 1001}


def test_a_count_of_another_ledger_is_none_of_this_one(answer: Callable[..., Path], tmp_path: Path) -> None:
    longer, shorter = answer(CNV, CNV, folder=tmp_path / "a"), answer(NORMAL, folder=tmp_path / "b")
    for here, there in ((longer, shorter), (shorter, longer)):
        assert counted(here, counted(there)) == counted(here)


def test_a_ledger_that_was_put_back_to_an_earlier_time_is_counted_anew(
    answer: Callable[..., Path], tmp_path: Path
) -> None:
    folder = answer(CNV)
    shutil.copy(folder / LEDGER, tmp_path / "backup")
    later = counted(answer(CNV, NORMAL))
    shutil.copy(tmp_path / "backup", folder / LEDGER)
    assert counted(folder, later).answers == {CNV: 1}


def test_what_was_counted_stays_counted_when_old_events_are_removed(answer: Callable[..., Path]) -> None:
    folder = answer(CNV, NORMAL)
    known = counted(folder)
    answer(CNV)
    connection = sqlite3.connect(folder / LEDGER)
    connection.executescript(f"DROP TRIGGER events_are_not_deleted; DELETE FROM events WHERE seq <= {known.seq}")
    connection.close()
    assert counted(folder, known).answers == {CNV: 2, NORMAL: 1}
    assert counted(folder).answers == {CNV: 1}


@pytest.mark.parametrize("damage", [None, {}, [], "text", {"seq": 1}, {"seq": "x", "hash": "y", "answers": []}])
def test_what_is_no_count_is_a_count_from_nothing(damage: object) -> None:
    assert Tally.from_json(damage) == Tally()


def test_an_empty_ledger_has_no_answers(tmp_path: Path) -> None:
    Ledger(tmp_path).close()
    assert counted(tmp_path) == Tally()
