"""`oct-edge watch` with files that change under its hands, may not be read, or fail while they are read."""

import json
import os
import re
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.system

Distinct = Callable[[int], list[bytes]]
POLL = ("env", "OCT_EDGE_SOURCE_EVENTS=poll")


def test_a_writer_that_pauses_for_longer_than_the_delay_has_its_first_verdict_superseded(
    daemon: Any, samples: list[Path], run_command: Callable
) -> None:
    content = samples[0].read_bytes()

    def seen() -> list[tuple[str, bool]]:
        done = run_command("oct-edge", "results", "--state", daemon.state, "--json")
        found = [json.loads(line) for line in done.stdout.splitlines()]
        assert {sighting["name"] for sighting in found} == {"x.jpeg"}
        last = found[-1]["sha256"]
        assert {sighting["superseded_by"] for sighting in found} <= {None, last}
        return [(sighting["state"], sighting["superseded_by"] is not None) for sighting in found]

    daemon.start()
    with (daemon.inbox / "x.jpeg").open("wb", buffering=0) as file:
        file.write(content[:3000])
        daemon.until(daemon.printed)
        assert seen() == [("rejected", False)]
        file.write(content[3000:])
        daemon.until(lambda: len(daemon.printed()) == 2)
    assert seen() == [("rejected", True), ("classified", False)]
    assert daemon.end(signal.SIGTERM) == 0
    assert daemon.answers(daemon.stored(), [content[:3000], content])
    assert set(daemon.states().values()) == {"rejected", "classified"}


def _deleted(scan: Path, _: bytes) -> None:
    scan.unlink()


def _renamed_over(scan: Path, content: bytes) -> None:
    other = scan.with_suffix(".part")
    other.write_bytes(content)
    other.rename(scan)


def _written_over(scan: Path, content: bytes) -> None:
    scan.write_bytes(content)


@pytest.mark.parametrize("change", [_deleted, _renamed_over, _written_over])
@pytest.mark.parametrize("call", ["newfstatat", "openat"])
def test_a_file_that_is_replaced_or_gone_after_it_was_listed_or_opened_is_answered_as_what_it_is(
    daemon: Any, distinct: Distinct, call: str, change: Callable[[Path, bytes], None]
) -> None:
    """The daemon is stopped right behind the call on that very file."""
    before, after = distinct(2)
    scan = daemon.inbox / "x.jpeg"
    scan.write_bytes(before)
    stop = ("-P", str(scan), "-e", f"trace={call}", "-e", f"inject={call}:signal=SIGSTOP:when=1")
    daemon.start("--once", under=(*POLL, *daemon.under_strace(*stop)), stable=0)
    trace = daemon.folder / "trace"
    daemon.until(lambda: "stopped by SIGSTOP" in trace.read_text())
    change(scan, after)
    os.kill(daemon.worker(), signal.SIGCONT)  # strace has one child, the daemon
    assert daemon.end() == 0
    assert daemon.lost_nothing([] if change is _deleted else [after])


def test_an_inbox_that_may_not_be_read_any_more_is_waited_for(daemon: Any, distinct: Distinct) -> None:
    contents = distinct(3)
    daemon.put(contents[:2])
    daemon.start(under=(*POLL, *daemon.plain_user), stable=0)
    daemon.until(lambda: len(daemon.printed()) == 2)
    daemon.inbox.chmod(0)
    daemon.until(lambda: daemon.degraded() == ["inbox_missing"])
    daemon.inbox.chmod(0o700)
    daemon.put(contents)
    daemon.until(lambda: len(daemon.printed()) == 3 and not daemon.degraded())
    assert daemon.end(signal.SIGTERM) == 0
    assert daemon.lost_nothing(contents)


def test_a_file_that_may_not_be_read_is_answered_once_it_may_and_the_others_before(
    daemon: Any, distinct: Distinct
) -> None:
    contents = distinct(3)
    daemon.put(contents)
    closed = daemon.inbox / "1.jpeg"
    closed.chmod(0)
    daemon.start(under=daemon.plain_user, stable=0)
    daemon.until(lambda: len(daemon.printed()) == 2 and "(unreadable)" in daemon.log())
    closed.chmod(0o600)
    daemon.until(lambda: len(daemon.printed()) == 3)
    assert daemon.end(signal.SIGTERM) == 0
    assert daemon.lost_nothing(contents)
    assert daemon.log().count("(unreadable)") == 1


@pytest.fixture
def immutable() -> Iterator[Callable[[Path], None]]:
    """Make a file one that nobody may change, link or remove."""
    made: list[Path] = []

    def make(path: Path) -> None:
        if not shutil.which("chattr") or subprocess.run(["chattr", "+i", path], capture_output=True).returncode:
            pytest.skip("needs root, and a file system with immutable files")
        made.append(path)

    yield make
    for path in made:
        subprocess.run(["chattr", "-i", path], check=True)


def test_a_file_that_nobody_may_change_is_answered_and_where_it_cannot_be_linked_it_is_copied(
    daemon: Any, distinct: Distinct, immutable: Callable[[Path], None]
) -> None:
    contents = [*distinct(1), b"no scan"]
    daemon.put(contents)
    for path in daemon.inbox.iterdir():
        immutable(path)
    assert daemon.once("--quarantine", "link", stable=0) == 1
    assert daemon.lost_nothing(contents)
    (note,) = (daemon.state / "quarantine").glob("*.reason.json")
    assert json.loads(note.read_text())["kept"] == "copy"


@pytest.fixture
def failing(daemon: Any) -> Callable[[str], tuple[object, ...]]:
    """What to start it under, so that reads of 0.jpeg, and of nothing else, fail."""
    scan = str(daemon.inbox / "0.jpeg")
    return lambda how: daemon.under_strace("-ttt", "-P", scan, "-e", "trace=read", "-e", f"inject=read:{how}")


@pytest.mark.parametrize("error", ["EIO", "EBUSY", "ESTALE"])
def test_a_read_that_fails_is_tried_again_ever_more_rarely_until_it_succeeds(
    daemon: Any, distinct: Distinct, failing: Callable[[str], tuple[object, ...]], error: str
) -> None:
    contents = distinct(3)
    daemon.put(contents)
    daemon.start(under=failing(f"error={error}:when=1..2"), stable=0)
    daemon.until(lambda: len(daemon.printed()) == 3)
    os.kill(daemon.worker(), signal.SIGTERM)  # strace has one child, the daemon
    assert daemon.end() == 0
    assert [result["source"]["name"] for result in daemon.printed()] == ["1.jpeg", "2.jpeg", "0.jpeg"]
    assert daemon.lost_nothing(contents)
    assert daemon.log().count("(unreadable)") == 1
    reads = re.findall(r"^\d+ +([\d.]+) read\(", (daemon.folder / "trace").read_text(), re.MULTILINE)
    pauses = [later - earlier for earlier, later in pairwise(map(float, reads[:3]))]
    assert pauses[0] > 0.9
    assert pauses[1] > 1.9


def test_a_read_that_is_interrupted_is_no_failure(
    daemon: Any, distinct: Distinct, failing: Callable[[str], tuple[object, ...]]
) -> None:
    contents = distinct(2)
    daemon.put(contents)
    assert daemon.once(under=failing("error=EINTR:when=1..3"), stable=0) == 0
    assert (daemon.folder / "trace").read_text().count("INJECTED") == 3
    assert daemon.lost_nothing(contents)
    assert "WARNING oct_edge.watch" not in daemon.log()


def test_a_file_whose_reads_never_succeed_has_no_answer_until_it_lies_on_a_healthy_disk(
    daemon: Any, distinct: Distinct, failing: Callable[[str], tuple[object, ...]]
) -> None:
    contents = distinct(2)
    daemon.put(contents)
    assert daemon.once(under=failing("error=EIO"), stable=0) == 1
    assert daemon.answers(daemon.stored(), contents[1:])
    assert list(daemon.states().values()) == ["classified"]
    assert daemon.once(stable=0) == 0
    assert daemon.answers(daemon.printed(), contents[:1])
    assert daemon.lost_nothing(contents)
