"""Why the daemon does less than it should: what is kept of it, how often, and where the disk takes nothing."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

import oct_edge
from oct_edge import health
from oct_edge.health import HEALTH, HINTS, Degradation, Health, read_health


class Clock:
    def __init__(self) -> None:
        self.seconds = 100.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def kept(tmp_path: Path, clock: Clock) -> Health:
    return Health(tmp_path, clock, now=lambda: f"at {clock.seconds:.0f}")


def test_a_reason_holds_since_it_came_until_it_goes(kept: Health, clock: Clock, tmp_path: Path) -> None:
    kept.degrade("inbox_missing", "It is gone.")
    clock.seconds += 5
    kept.degrade("inbox_missing", "It is still gone.")
    assert kept.reasons == {"inbox_missing": Degradation("It is still gone.", "at 100")}
    kept.recover("inbox_missing")
    kept.recover("disk_full")
    assert not kept.reasons
    assert read_health(tmp_path)["reasons"] == {}


def test_a_reason_is_logged_when_it_comes_and_when_it_goes(kept: Health, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    for _ in range(3):
        kept.degrade("throttled", "It is hot.")
    kept.recover("throttled")
    kept.recover("throttled")
    assert caplog.messages == ["degraded (throttled): It is hot.", "recovered (throttled)"]


def test_a_reason_is_written_at_once_and_counters_seldom(kept: Health, clock: Clock, tmp_path: Path) -> None:
    def written() -> tuple[int, set[str]]:
        found = read_health(tmp_path)
        return found["counters"].get("scans", 0), set(found["reasons"])

    kept.keep()
    assert written() == (0, set())
    kept.counters["scans"] = 7
    clock.seconds += 29
    kept.keep()
    assert written() == (0, set())
    clock.seconds += 1
    kept.keep()
    assert written() == (7, set())
    kept.counters["scans"] = 8
    clock.seconds += 2
    kept.degrade("disk_full", "Full.")
    assert written() == (8, {"disk_full"})


def test_a_reason_that_flickers_is_written_once_a_second(kept: Health, clock: Clock, tmp_path: Path) -> None:
    written = set()
    for i in range(100):
        clock.seconds += 0.1
        kept.counters["passes"] = i
        kept.degrade("inbox_missing", "Gone.")
        kept.recover("inbox_missing")
        kept.keep()
        written.add(read_health(tmp_path)["counters"]["passes"])
    assert 9 <= len(written) <= 11
    kept.degrade("inbox_missing", "Gone.")
    clock.seconds += 1
    kept.keep()
    assert set(read_health(tmp_path)["reasons"]) == {"inbox_missing"}


def test_what_did_not_change_is_not_written_again(kept: Health, clock: Clock, tmp_path: Path) -> None:
    kept.keep()
    before = (tmp_path / HEALTH).stat().st_ino
    for _ in range(10):
        clock.seconds += 60
        kept.keep()
    kept.close()
    assert (tmp_path / HEALTH).stat().st_ino == before


def test_a_full_disk_shows_that_it_is_full(
    small_disk: Callable[[str], Path], fill_up: Callable[[Path], Path], clock: Clock
) -> None:
    disk = small_disk("64k")
    kept = Health(disk, clock)
    kept.keep()
    fill_up(disk)
    kept.degrade("disk_full", "Full.")
    clock.seconds += 60
    kept.keep()
    assert set(read_health(disk)["reasons"]) == {"disk_full"}
    assert not [path for path in disk.iterdir() if path.name.startswith(".")]


def test_that_nothing_can_be_written_or_read_is_nobodys_failure(tmp_path: Path) -> None:
    kept = Health(tmp_path / "missing")
    kept.degrade("disk_full", "Full.")
    kept.close()
    assert read_health(tmp_path / "missing") == {}
    for content in (b"", b"[]", b'{"schema": "another"}', b"\xff"):
        (tmp_path / HEALTH).write_bytes(content)
        assert read_health(tmp_path) == {}


def test_what_could_not_be_written_is_written_when_it_can_be(clock: Clock, tmp_path: Path) -> None:
    folder = tmp_path / "later"
    kept = Health(folder, clock)
    kept.degrade("disk_full", "Full.")
    folder.mkdir()
    clock.seconds += 30
    kept.keep()
    assert json.loads((folder / HEALTH).read_text())["reasons"]["disk_full"]["message"] == "Full."


def test_every_reason_that_is_given_has_a_hint_and_is_documented() -> None:
    sources = Path(oct_edge.__path__[0]).rglob("*.py")
    given = {code for path in sources for code in re.findall(r'\.degrade\(\s*"(\w+)"', path.read_text())}
    assert given <= set(HINTS)
    for code in HINTS:
        assert f"    {code} " in str(health.__doc__)
