"""A damaged ledger makes room for a new one with the results that are files; one that was altered is evidence."""

import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from oct_edge.errors import ChainBroken, LedgerDamaged, OutputUnavailable
from oct_edge.ledger.reader import reading
from oct_edge.ledger.recovery import ASIDE, SUSPECT, suspect
from oct_edge.ledger.retention import Limits, Retention
from oct_edge.ledger.store import LEDGER, Ledger

PAGE = 4096
NAMES = [f"{chr(c)}{i}" for i in range(4) for c in range(ord("a"), ord("z") + 1)][:60]


def overwrite(path: Path, page: int, data: bytes = b"\xaa" * PAGE) -> None:
    with path.open("r+b") as file:
        file.seek(page * PAGE)
        file.write(data)


def shell(path: Path, script: str) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.executescript(script)


def aside(shelf: Any) -> list[Path]:
    return sorted(path for path in shelf.state.iterdir() if ASIDE in path.name)


def filled(shelf: Any) -> Path:
    """A closed ledger of 26 contents under 60 names."""
    shelf.answer(*NAMES)
    shelf.end()
    return shelf.state / LEDGER


def _text(path: Path) -> None:
    path.write_text("scan,label\n" * 1000)


def _half(path: Path) -> None:
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size // 2)


def _header(path: Path) -> None:
    overwrite(path, 0)


def _zeros(path: Path) -> None:
    path.write_bytes(bytes(path.stat().st_size))


def _deleted(path: Path) -> None:
    path.unlink()


def _deleted_but_for_its_log(path: Path) -> None:
    path.unlink()
    path.with_name(f"{LEDGER}-wal").write_bytes(b"\x37\x7f\x06\x82" + bytes(PAGE))


def _empty(path: Path) -> None:
    path.write_bytes(b"")


@pytest.mark.parametrize("spoil", [_text, _half, _header, _zeros, _deleted, _deleted_but_for_its_log, _empty])
def test_a_ledger_that_cannot_be_used_is_rebuilt_from_the_results_that_are_files(
    shelf: Any, spoil: Callable[[Path], None], caplog: pytest.LogCaptureFixture
) -> None:
    path = filled(shelf)
    spoil(path)
    damaged = path.read_bytes() if path.exists() else b""
    shelf.start()
    assert shelf.status()["states"] == {"classified": 26}
    assert shelf.answer(*NAMES, "new") == []
    assert len(shelf.graded) == 26
    assert [file.read_bytes() for file in aside(shelf)] == ([damaged] if damaged else [])
    assert shelf.status()["damaged"] == [file.name for file in aside(shelf)]
    assert ("the ledger is damaged" in caplog.text) == bool(damaged)


def test_whichever_page_is_overwritten_is_noticed_once_there_is_a_reason_to_look(shelf: Any) -> None:
    path = filled(shelf)
    sound = path.read_bytes()
    pages = range(len(sound) // PAGE)
    for page in pages:
        overwrite(path, page)
        suspect(path)
        with closing(Ledger(shelf.state)) as ledger:
            assert ledger.is_new, page
        path.write_bytes(sound)
    assert len(aside(shelf)) == len(pages) > 15
    shelf.start()
    assert shelf.status()["states"] == {"classified": 26}


@pytest.mark.parametrize("overwritten", [False, True])
def test_a_ledger_that_was_not_closed_is_looked_through_and_kept_if_it_is_sound(shelf: Any, overwritten: bool) -> None:
    shelf.answer(*NAMES)
    shelf.restart()
    shelf.answer("new")
    place = shelf.folder / "killed"
    shutil.copytree(shelf.state, place)
    assert (place / f"{LEDGER}-wal").stat().st_size
    if overwritten:
        overwrite(place / LEDGER, 20)
    with closing(Ledger(place)) as ledger:
        assert ledger.is_new == overwritten
    assert len([path for path in place.iterdir() if ASIDE in path.name]) == overwritten


def test_damage_that_is_met_in_use_ends_it_and_is_mended_by_the_next_start(shelf: Any) -> None:
    path = filled(shelf)
    shelf.start()
    for page in range(2, path.stat().st_size // PAGE):
        overwrite(path, page)
    with pytest.raises(OutputUnavailable, match="the ledger is damaged") as caught:
        shelf.answer(*NAMES)
    assert "Start again" in caught.value.hint
    with pytest.raises(OutputUnavailable):
        shelf.ledger.state("x")
    assert (shelf.state / SUSPECT).exists()
    shelf.restart()
    assert shelf.answer(*NAMES) == []
    assert len(aside(shelf)) == 1
    assert not (shelf.state / SUSPECT).exists()


def test_damage_that_somebody_meets_who_asks_is_mended_by_the_next_start(shelf: Any) -> None:
    path = filled(shelf)
    for page in range(2, path.stat().st_size // PAGE):
        overwrite(path, page)
    with pytest.raises(LedgerDamaged) as caught, reading(shelf.state) as reader:
        list(reader.events())
    assert "start the service again" in caught.value.hint
    shelf.start()
    assert len(aside(shelf)) == 1


def test_a_suspicion_that_is_not_confirmed_is_forgotten(shelf: Any) -> None:
    path = filled(shelf)
    suspect(path)
    shelf.start()
    assert shelf.status()["states"] == {"classified": 26}
    assert not (shelf.state / SUSPECT).exists()
    assert aside(shelf) == []


ALTERED = "DROP TRIGGER events_are_not_changed; UPDATE events SET name = 'y' WHERE seq = (SELECT max(seq) FROM events)"


@pytest.mark.parametrize("suspected", [False, True])
def test_a_sound_file_whose_events_were_altered_is_evidence_and_stays(shelf: Any, suspected: bool) -> None:
    path = filled(shelf)
    shell(path, ALTERED)
    if suspected:
        suspect(path)
    with pytest.raises(ChainBroken):
        Ledger(shelf.state)
    assert path.exists()
    assert aside(shelf) == []
    path.unlink()
    shelf.start()


def test_an_overwritten_page_that_breaks_the_chain_too_is_damage(shelf: Any) -> None:
    path = filled(shelf)
    shell(path, ALTERED)
    overwrite(path, path.stat().st_size // PAGE - 2)
    shelf.start()
    assert len(aside(shelf)) == 1


@pytest.mark.parametrize("lost", [False, True])
def test_what_retention_removed_is_known_to_the_new_ledger_where_it_can_be_read(shelf: Any, lost: bool) -> None:
    shelf.answer(*NAMES)
    while Retention(shelf.ledger, shelf.exports, Limits(results=6)).step():
        pass
    root = shelf.ledger._rows("SELECT rootpage FROM sqlite_schema WHERE name = ?", "known" if lost else "requests")
    shelf.end()
    overwrite(shelf.state / LEDGER, root[0][0] - 1)
    suspect(shelf.state / LEDGER)
    shelf.start()
    assert len(aside(shelf)) == 1
    assert shelf.status()["states"] == {"classified": 6}
    assert len(shelf.answer(*NAMES)) == (20 if lost else 0)
    shelf.restart()
    assert shelf.status()["forgotten"] == (0 if lost else 20)


def test_each_damaged_ledger_is_kept(shelf: Any) -> None:
    for _ in range(3):
        _text(filled(shelf))
        shelf.start()
    assert len(aside(shelf)) == 3
