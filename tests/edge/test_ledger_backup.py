"""A copy of the ledger: whole, verifiable, of one moment, and never half there."""

import os
import shutil
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from oct_edge.errors import LedgerDamaged, LedgerNotFound, OutputUnavailable
from oct_edge.ledger.backup import back_up
from oct_edge.ledger.reader import reading
from oct_edge.ledger.store import LEDGER, Ledger


def test_a_copy_made_while_the_writer_goes_on_is_the_ledger_of_one_moment(shelf: Any, tmp_path: Path) -> None:
    shelf.answer(*"abc")
    head = shelf.ledger.head
    copies = [tmp_path / str(i) / LEDGER for i in range(3)]

    def copy() -> None:
        for file in copies:
            file.parent.mkdir()
            back_up(shelf.state, file)

    copying = threading.Thread(target=copy)
    copying.start()
    for i in range(60):
        shelf.answer(f"{chr(200 + i)}")
    copying.join()
    for file in copies:
        with reading(file.parent) as reader:
            assert reader.verify(head.hash).seq >= head.seq
    assert sorted(path.name for path in tmp_path.rglob("*.partial")) == []


def test_a_copy_in_the_place_of_the_ledger_is_continued(shelf: Any, tmp_path: Path) -> None:
    shelf.answer(*"abc")
    file = tmp_path / "copy.sqlite3"
    back_up(shelf.state, file)
    shelf.end()
    shutil.rmtree(shelf.state)
    shelf.state.mkdir()
    file.rename(shelf.state / LEDGER)
    shelf.start()
    assert shelf.answer(*"abcd") == ["d"]
    assert shelf.status()["states"] == {"classified": 4}


def test_what_is_there_is_not_replaced_and_what_is_missing_is_said(shelf: Any, tmp_path: Path) -> None:
    file = tmp_path / "copy"
    file.write_text("notes")
    with pytest.raises(OutputUnavailable, match="is there already"):
        back_up(shelf.state, file)
    assert file.read_text() == "notes"
    with pytest.raises(LedgerNotFound):
        back_up(tmp_path, tmp_path / "other")
    with pytest.raises(OutputUnavailable, match="cannot be copied"):
        back_up(shelf.state, tmp_path / "nowhere" / "copy")


def test_a_damaged_ledger_is_not_copied(tmp_path: Path) -> None:
    (tmp_path / LEDGER).write_bytes(os.urandom(20_000))
    with pytest.raises(LedgerDamaged):
        back_up(tmp_path, tmp_path / "copy")
    assert [path.name for path in tmp_path.iterdir()] == [LEDGER]


def test_a_full_disk_leaves_no_part_of_a_copy(small_disk: Callable[[str], Path], tmp_path: Path) -> None:
    disk = small_disk("32k")
    Ledger(tmp_path / "state").close()
    with pytest.raises(OutputUnavailable, match="copy: the ledger cannot be copied there"):
        back_up(tmp_path / "state", disk / "copy")
    assert list(disk.iterdir()) == []
