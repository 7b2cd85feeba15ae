"""A card keeps what was promised when the power is cut: the check that says so, and, nightly, the machine."""

import json
import os
import re
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from powercut.check import Card, Known
from powercut.scans import content_of, name_of

from oct_edge.ledger.store import LEDGER

pytestmark = pytest.mark.system

ROOT = Path(__file__).parents[2]
UNABLE = 69


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    """A card on which the daemon answered everything, and what it printed."""
    card = tmp_path_factory.mktemp("card")
    (card / "inbox").mkdir()
    for number in range(6):
        name = name_of(1, number)
        (card / "inbox" / name).write_bytes(content_of(name))
    command = [sys.executable, "-m", "oct_edge.cli", "watch", card / "inbox", "--output", card / "results"]
    done = subprocess.run([*command, "--once", "--stable", "0.1"], capture_output=True, text=True, timeout=60)
    assert done.returncode == 1, done.stderr  # one is cut off
    return card, done.stdout.splitlines()


Damage = Callable[[Path], object]


@pytest.fixture
def faults(finished: tuple[Path, list[str]], tmp_path: Path) -> Callable[[Damage], list[str]]:
    """What the check says of a copy of the card after something was done to it."""

    def check(damage: Damage) -> list[str]:
        names = {path.name for path in (finished[0] / "inbox").iterdir()}
        known = Known(list(finished[1]), {name for name in names if name.endswith(("0.jpeg", "2.jpeg"))})
        assert [*Card(finished[0]).as_left(known)] == []
        assert known.head
        shutil.copytree(finished[0], tmp_path / "copy")
        damage(tmp_path / "copy")
        card = Card(tmp_path / "copy")
        return [*card.as_left(known)] or [*card.after_catching_up(known)]

    return check


def result_of(card: Path, number: int) -> Path:
    return next((card / "results").glob(f"scan-001-00{number}.*.json"))


def in_the_ledger(*statements: str) -> Damage:
    def damage(card: Path) -> None:
        with closing(sqlite3.connect(card / "results.state" / LEDGER)) as connection:
            for trigger in ("have_no_gap", "are_not_changed", "are_not_deleted"):
                connection.execute(f"DROP TRIGGER events_{trigger}")
            for statement in statements:
                connection.execute(statement)
            connection.commit()

    return damage


def test_a_card_that_kept_everything_has_no_fault(faults: Callable[[Damage], list[str]]) -> None:
    assert faults(lambda card: None) == []


def test_a_scan_that_was_not_answered_yet_is_answered_by_the_next_start(faults: Callable[[Damage], list[str]]) -> None:
    name = "scan-001-007.jpeg"
    assert faults(lambda card: (card / "inbox" / name).write_bytes(content_of(name))) == []


@pytest.mark.parametrize(
    ("damage", "fault"),
    [
        (lambda card: result_of(card, 1).unlink(), "I2: scan-001-001.jpeg was acknowledged, and is in 0 files"),
        (lambda card: shutil.copy(result_of(card, 1), card / "results" / "b.json"), "I2: .* is in 2 files"),
        (in_the_ledger("DELETE FROM events WHERE seq > 8"), "I2: scan-.* is not in the ledger"),
        (in_the_ledger("DELETE FROM events WHERE seq > 8"), "I1: audit verify: .*no event has the digest"),
        (in_the_ledger("UPDATE events SET body = '{}' WHERE seq = 9"), "I1: audit verify: .*event 9 was altered"),
        (lambda card: (card / "results.state" / LEDGER).unlink(), "I1: audit verify: .*there is no ledger"),
        (lambda card: os.truncate(card / "results.state" / LEDGER, 0), "I1: audit verify: "),
        (lambda card: os.truncate(card / "results.state" / LEDGER, 5000), "I1: integrity_check"),
        (lambda card: os.truncate(result_of(card, 2), 0), r"I3: .* \(0 bytes\) is no result"),
        (lambda card: os.truncate(result_of(card, 2), 300), "I3: .* is no result"),
        (lambda card: (card / "results" / "a").touch(), "I3: a .* is no result"),
        (lambda card: os.truncate(next((card / "results.state/quarantine").iterdir()), 9), "I3: .* is no note"),
        (lambda card: (card / "inbox/scan-001-002.jpeg").unlink(), "I4: scan-001-002.jpeg was synced"),
        (lambda card: os.truncate(card / "inbox/scan-001-000.jpeg", 4096), "I4: scan-001-000.jpeg was synced"),
        (lambda card: shutil.rmtree(card / "inbox"), "I4: scan-001-000.jpeg was synced"),
    ],
)
def test_a_broken_promise_is_named(faults: Callable[[Damage], list[str]], damage: Damage, fault: str) -> None:
    found = faults(damage)
    assert any(re.match(fault, one, re.DOTALL) for one in found), found


def test_a_card_whose_ledger_was_cut_off_while_it_was_made_has_no_fault(tmp_path: Path) -> None:
    for folder in ("inbox", "results", "results.state"):
        (tmp_path / folder).mkdir()
    (tmp_path / "results.state" / LEDGER).touch()
    (tmp_path / "inbox" / name_of(1, 0)).write_bytes(content_of(name_of(1, 0)))
    card, known = Card(tmp_path), Known(kept={name_of(1, 0)})
    assert [*card.as_left(known), *card.after_catching_up(known), *card.as_left(known)] == []
    assert known.head


def test_a_content_that_is_told_twice_is_named(finished: tuple[Path, list[str]]) -> None:
    card, lines = finished
    digest = json.loads(lines[0])["source"]["sha256"][:16]
    assert [*Card(card).settled(Known(), [*lines, lines[0]])] == [f"I2: {digest} was acknowledged 2 times"]


def cut(*options: object, **environment: str) -> subprocess.CompletedProcess[str]:
    """`make powercut`, with this Python in the place of .venv-dev's."""
    command = [ROOT / "scripts" / "powercut" / "run", *map(str, options)]
    known = os.environ | {"PYTHON": sys.executable} | environment
    return subprocess.run(command, env=known, capture_output=True, text=True, timeout=3600, start_new_session=True)


def test_a_machine_that_has_no_laboratory_is_told_what_it_needs(tmp_path: Path) -> None:
    for tool in ("bash", "dirname", "uname", "realpath"):
        (tmp_path / tool).symlink_to(shutil.which(tool))
    done = cut(PATH=str(tmp_path))
    assert done.returncode == UNABLE
    assert re.search(r"^powercut: needs (root|mmdebstrap).*\n  hint: ", done.stderr), done.stderr


def done_or_skipped(*options: object) -> str:
    done = cut(*options)
    assert "/build/powercut/" not in Path("/proc/self/mounts").read_text()
    assert not any(
        "/build/powercut/" in path.read_text() for path in Path("/sys/block").glob("loop*/loop/backing_file")
    )
    if done.returncode == UNABLE:
        pytest.skip(done.stderr.strip().replace("\n", ";"))
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-2000:]
    return done.stdout


@pytest.mark.nightly
def test_a_machine_keeps_every_promise_when_its_power_is_cut() -> None:
    said = done_or_skipped("--cycles", 3)
    rows = re.findall(r"^ +(\d|end)  .*  (kept|.* broken)$", said.partition("the machine as it is")[2], re.MULTILINE)
    assert rows == [("1", "kept"), ("2", "kept"), ("3", "kept"), ("end", "kept")], said
    assert re.search(r"^[1-9]\d* results acknowledged, all promises kept$", said, re.MULTILINE), said


@pytest.mark.nightly
@pytest.mark.parametrize(
    ("mutant", "fault"),
    [
        ("no-sync", "I2: .* is not in the ledger"),
        ("no-commit-sync", "I2: .* is not in the ledger"),
        ("no-folder-sync", "I2: .* is in 0 files"),
        ("no-barrier", "I[1-4]: "),
    ],
)
def test_a_machine_that_breaks_a_promise_is_caught(mutant: str, fault: str) -> None:
    said = done_or_skipped("--mutant", mutant)
    assert re.search(rf"^ +{fault}", said, re.MULTILINE), said
