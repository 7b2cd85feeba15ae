"""`oct-edge watch` with a ledger that is damaged, gone, altered, busy, or of another release."""

import shutil
import signal
import sqlite3
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from oct_edge.ledger.connection import PATIENCE
from oct_edge.ledger.recovery import ASIDE
from oct_edge.ledger.schema import VERSION
from oct_edge.ledger.store import LEDGER

pytestmark = pytest.mark.system

Distinct = Callable[[int], list[bytes]]
PAGE = 4096
FIRST = Path(__file__).parents[1] / "data" / "state-v1"


def aside(daemon: Any) -> list[str]:
    return [path.name for path in daemon.state.iterdir() if ASIDE in path.name]


def overwrite(path: Path, *pages: int) -> None:
    with path.open("r+b") as file:
        for page in pages:
            file.seek(page * PAGE)
            file.write(b"\xaa" * PAGE)


def shell(path: Path, script: str) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.executescript(script)


def answered(daemon: Any, contents: list[bytes]) -> Path:
    daemon.put(contents)
    assert daemon.once(stable=0) == 0
    return Path(daemon.state / LEDGER)


def _overwritten(path: Path) -> None:
    overwrite(path, 0)


def _cut(path: Path) -> None:
    with path.open("r+b") as file:
        file.truncate(3 * PAGE)


def _deleted(path: Path) -> None:
    path.unlink()


@pytest.mark.parametrize("spoil", [_overwritten, _cut, _deleted])
def test_a_ledger_that_is_damaged_or_gone_is_rebuilt_and_nothing_is_graded_again(
    daemon: Any, distinct: Distinct, spoil: Callable[[Path], None]
) -> None:
    contents = distinct(6)
    path = answered(daemon, contents[:5])
    files = {file: file.read_bytes() for file in daemon.output.iterdir()}
    spoil(path)
    assert len(answered(daemon, contents).read_bytes()) > PAGE
    assert daemon.answers(daemon.printed(), contents[5:])
    assert daemon.answers(daemon.stored(), contents)
    assert files.items() <= {file: file.read_bytes() for file in daemon.output.iterdir()}.items()
    assert list(daemon.states().values()) == ["classified"] * 6
    assert len(aside(daemon)) == (spoil is not _deleted)
    assert ("ledger is damaged" in daemon.log()) == (spoil is not _deleted)


def test_damage_that_is_met_while_it_runs_ends_it_with_69_and_the_next_start_mends_it(
    daemon: Any, distinct: Distinct
) -> None:
    contents = distinct(40)
    path = answered(daemon, contents[:30])
    daemon.start(stable=0)
    daemon.until(lambda: "watching" in daemon.log())
    overwrite(path, *range(2, path.stat().st_size // PAGE))
    daemon.put(contents)
    assert daemon.end() == 69
    assert "Start again" in daemon.log()
    assert daemon.once(stable=0) == 0
    assert daemon.answers(daemon.stored(), contents)
    assert list(daemon.states().values()) == ["classified"] * 40
    assert len(aside(daemon)) == 1


def test_pages_that_were_lost_in_a_power_cut_are_noticed_by_the_next_start(daemon: Any, distinct: Distinct) -> None:
    contents = distinct(30)
    path = answered(daemon, contents)
    daemon.start(stable=0)
    daemon.put(distinct(31))
    daemon.until(daemon.printed)
    daemon.end(signal.SIGKILL)
    overwrite(path, *range(4, path.stat().st_size // PAGE))  # the log holds no more than some of them
    assert daemon.once(stable=0) == 0
    assert daemon.answers(daemon.stored(), distinct(31))
    assert list(daemon.states().values()) == ["classified"] * 31
    assert len(aside(daemon)) == 1


@pytest.mark.parametrize(
    ("script", "code"),
    [
        (f"PRAGMA user_version = {VERSION + 1}", "ledger_too_new"),
        ("DROP TRIGGER events_are_not_changed; UPDATE events SET name = 'y' WHERE seq = 2", "chain_broken"),
        ("PRAGMA application_id = 7", "ledger_foreign"),
    ],
)
def test_a_ledger_of_a_later_release_of_another_program_or_altered_is_refused_and_stays(
    daemon: Any, distinct: Distinct, script: str, code: str
) -> None:
    path = answered(daemon, distinct(2))
    shell(path, script)
    assert daemon.once(stable=0) == 78
    assert f"error [{code}]" in daemon.log()
    assert aside(daemon) == []
    assert path.exists()


def test_the_state_of_the_first_release_is_brought_up_to_date_and_nothing_is_graded_again(
    daemon: Any, distinct: Distinct
) -> None:
    shutil.copytree(FIRST, daemon.folder, dirs_exist_ok=True)
    files = {path: path.read_bytes() for path in daemon.output.iterdir()}
    daemon.put(distinct(1))
    assert daemon.once(stable=0) == 0
    assert daemon.answers(daemon.printed(), distinct(1))
    assert files.items() <= {path: path.read_bytes() for path in daemon.output.iterdir()}.items()
    assert Counter(daemon.states().values()) == {"classified": 5, "rejected": 1}
    with closing(sqlite3.connect(daemon.state / LEDGER)) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (VERSION,)


@pytest.mark.parametrize("when", [2, *(pytest.param(n, marks=pytest.mark.nightly) for n in (1, 3, 4, 5, 6))])
def test_a_kill_while_it_is_brought_up_to_date_leaves_the_old_or_the_new(daemon: Any, when: int) -> None:
    shutil.copytree(FIRST, daemon.folder, dirs_exist_ok=True)
    kill = ("-e", "trace=fdatasync,fsync", "-e", f"inject=fdatasync,fsync:signal=SIGKILL:when={when}")
    assert daemon.once(under=daemon.under_strace(*kill), stable=0) == -signal.SIGKILL
    assert daemon.once(stable=0) == 0
    assert daemon.printed() == []
    assert len(daemon.states()) == 5
    assert len(daemon.stored()) == 5
    assert aside(daemon) == []


@contextmanager
def held(path: Path, begin: str, seconds: float) -> Iterator[None]:
    """Somebody else's transaction, for so long."""
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    connection.execute(begin)
    connection.execute("SELECT count(*) FROM events").fetchone()
    ending = threading.Timer(seconds, connection.rollback)
    ending.start()
    try:
        yield
    finally:
        ending.join()
        connection.close()


@pytest.mark.parametrize("seconds", [3, pytest.param(PATIENCE, marks=pytest.mark.nightly)])
def test_a_reader_in_a_transaction_holds_nothing_up(daemon: Any, distinct: Distinct, seconds: float) -> None:
    contents = distinct(12)
    path = answered(daemon, contents[:2])
    daemon.start(stable=0)
    with held(path, "BEGIN", seconds):
        began = time.monotonic()
        daemon.put(contents)
        daemon.until(lambda: len(daemon.printed()) == 10)
        assert time.monotonic() - began < seconds
    assert daemon.end(signal.SIGTERM) == 0
    assert daemon.answers(daemon.stored(), contents)
    assert list(daemon.states().values()) == ["classified"] * 12


@pytest.mark.parametrize("seconds", [3, pytest.param(PATIENCE - 2, marks=pytest.mark.nightly)])
def test_a_writer_in_a_transaction_is_waited_for(daemon: Any, distinct: Distinct, seconds: float) -> None:
    contents = distinct(4)
    path = answered(daemon, contents[:2])
    daemon.start(stable=0)
    with held(path, "BEGIN IMMEDIATE", seconds):
        daemon.put(contents)
        time.sleep(seconds / 2)
        assert daemon.printed() == []
    daemon.until(lambda: len(daemon.printed()) == 2)
    assert daemon.end(signal.SIGTERM) == 0
    assert daemon.answers(daemon.stored(), contents)


@pytest.mark.nightly
def test_a_writer_that_does_not_let_go_ends_it_with_69_and_nothing_is_lost(daemon: Any, distinct: Distinct) -> None:
    contents = distinct(4)
    path = answered(daemon, contents[:2])
    daemon.start(stable=0)
    with held(path, "BEGIN IMMEDIATE", PATIENCE + 10):
        daemon.put(contents)
        assert daemon.process.wait(PATIENCE + 8) == 69
    assert "database is locked" in daemon.log()
    assert daemon.once(stable=0) == 0
    assert daemon.answers(daemon.stored(), contents)
    assert aside(daemon) == []
