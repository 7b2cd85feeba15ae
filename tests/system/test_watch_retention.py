"""Retention under SIGKILL: nothing is graded again, no file is left that nobody knows, and the chain holds."""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import pytest

from oct_edge.ledger.reader import reading

pytestmark = pytest.mark.system

Distinct = Callable[[int], list[bytes]]
KEPT = 3
RETAIN = f"""if True:
    import sys
    from pathlib import Path
    from oct_edge.exports import Exports
    from oct_edge.ledger import retention
    from oct_edge.ledger.store import Ledger

    retention._EVENTS = 9
    state, output = map(Path, sys.argv[1:])
    ledger, exports = Ledger(state), Exports(output, state / "quarantine")
    keeping = retention.Retention(ledger, exports, retention.Limits(results={KEPT}))
    print("begun", flush=True)
    while keeping.step():
        pass
    ledger.close()
"""


def retain(daemon: Any, *under: object, kill_after: float | None = None) -> int:
    """Its exit code; it may be killed so many seconds after it began."""
    command = map(str, [*under, sys.executable, "-c", RETAIN, daemon.state, daemon.output])
    with subprocess.Popen(command, stdout=subprocess.PIPE, start_new_session=True) as process:
        process.stdout.readline()
        if kill_after is not None:
            time.sleep(kill_after)
            os.killpg(process.pid, signal.SIGKILL)
        return process.wait(60)


def check(daemon: Any, contents: list[bytes]) -> None:
    """After retention ended undisturbed: as many results as were to be kept, and nothing is due."""
    assert retain(daemon) == 0
    assert len(list(daemon.output.iterdir())) == KEPT
    assert len([state for state in daemon.states().values() if state != "pending"]) == KEPT
    with reading(daemon.state) as reader:
        assert reader.status()["forgotten"] == len(contents) - KEPT
        reader.verify()
    assert daemon.once(stable=0) == 0
    assert daemon.printed() == []
    assert len(daemon.stored()) == KEPT
    assert {path.read_bytes() for path in daemon.inbox.iterdir()} == set(contents)


# For each step the files are unlinked, then their folder is synced, then the events are removed.
STEPS = [
    *(("unlink", n) for n in (2, 3, 7)),
    ("fsync", 1),
    *(("fdatasync", n) for n in (1, 2, 3)),
]
QUICK = {("unlink", 3), ("fsync", 1), ("fdatasync", 1), ("fdatasync", 2)}


@pytest.mark.parametrize(
    ("call", "when"), [step if step in QUICK else pytest.param(*step, marks=pytest.mark.nightly) for step in STEPS]
)
def test_a_kill_at_any_step_of_removing_is_finished_by_the_next(
    daemon: Any, distinct: Distinct, call: str, when: int
) -> None:
    contents = distinct(10)
    daemon.put(contents)
    assert daemon.once(stable=0) == 0
    under = daemon.under_strace("-e", f"trace={call}", "-e", f"inject={call}:signal=SIGKILL:when={when}")
    assert retain(daemon, *under) == -signal.SIGKILL
    check(daemon, contents)


def test_kills_at_random_moments_of_removing_lose_nothing_that_is_to_be_kept(daemon: Any, distinct: Distinct) -> None:
    chance = random.Random(7)
    contents = distinct(60)
    daemon.put(contents)
    assert daemon.once(stable=0) == 0
    newest = {path: path.read_bytes() for path in sorted(daemon.output.iterdir(), key=os.path.getmtime)[-KEPT:]}
    for _ in range(8):
        retain(daemon, kill_after=chance.uniform(0, 0.03))
    check(daemon, contents)
    kept = {path: path.read_bytes() for path in daemon.output.iterdir()}
    assert len(kept.items() & newest.items()) == KEPT


def test_a_daemon_keeps_the_limits_and_grades_nothing_again(daemon: Any, distinct: Distinct) -> None:
    contents = distinct(12)
    limited = ("env", f"OCT_EDGE_RETENTION_RESULTS={KEPT}")
    daemon.put(contents[:8])
    daemon.start(stable=0)
    daemon.until(lambda: len(daemon.printed()) == 8)
    assert daemon.end(signal.SIGTERM) == 0
    daemon.start(under=limited, stable=0)
    daemon.until(lambda: len(list(daemon.output.glob("[!.]*.json"))) == KEPT)
    daemon.put(contents)
    daemon.until(lambda: len(daemon.printed()) == 4)
    assert daemon.end(signal.SIGTERM) == 0
    assert daemon.once(under=limited, stable=0) == 0
    assert daemon.printed() == []
    check(daemon, contents)


def test_a_daemon_and_retention_never_write_one_ledger_together(daemon: Any) -> None:
    daemon.start()
    assert retain(daemon) == 1
    assert daemon.end(signal.SIGTERM) == 0
