"""`oct-edge regrade` beside a daemon, before one, and across kills: each content is answered once for each request."""

import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from oct_edge.ledger.query import Query
from oct_edge.ledger.reader import reading

pytestmark = pytest.mark.system

Distinct = Callable[[int], list[bytes]]


def regrade(daemon: Any, *options: str) -> str:
    command = [Path(sys.executable).parent / "oct-edge", "regrade", "--state", daemon.state, *options]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def models(daemon: Any) -> Counter[str]:
    """Which models answered, by the files."""
    return Counter(result["model"]["name"] for result in daemon.stored())


def answers(daemon: Any) -> Counter[int]:
    """How many contents have so many answers in their history."""
    daemon.states()
    with reading(daemon.state) as reader:
        finals = Counter(row[3] for row in reader.events() if row[2] in ("classified", "ungradable", "rejected"))
        assert reader.status()["to_regrade"] == {"waiting": 0, "unavailable": 0}
    return Counter(finals.values())


def test_a_daemon_takes_a_request_up_at_its_next_look(daemon: Any, distinct: Distinct, other_model: Path) -> None:
    daemon.put(distinct(5))
    assert daemon.once(stable=0) == 0
    daemon.start("--model", other_model, stable=0)
    time.sleep(1)
    assert daemon.printed() == []
    assert f"process {daemon.process.pid} takes the request up" in regrade(daemon, "--name", "[012].jpeg")
    daemon.until(lambda: len(daemon.printed()) == 3)
    assert daemon.end(signal.SIGTERM) == 0
    assert models(daemon) == {"other": 3, "mobilenet-int8": 2}
    assert answers(daemon) == {1: 2, 2: 3}
    assert list(daemon.state.glob("regrade-*")) == []


def test_a_request_that_nobody_was_there_for_is_taken_up_by_the_next_start(
    daemon: Any, distinct: Distinct, other_model: Path
) -> None:
    daemon.put(distinct(4))
    assert daemon.once(stable=0) == 0
    assert "nobody watches" in regrade(daemon)
    (daemon.inbox / "3.jpeg").unlink()
    assert daemon.once("--model", other_model, stable=0) == 0
    assert models(daemon) == {"other": 3, "mobilenet-int8": 1}
    assert "not in the inbox and keep their answers: 1" in daemon.log()
    with reading(daemon.state) as reader:
        assert reader.status()["to_regrade"] == {"waiting": 0, "unavailable": 1}
        assert len(list(reader.sightings(Query(state="classified")))) == 4
    daemon.put(distinct(4))
    assert daemon.once("--model", other_model, stable=0) == 0
    assert models(daemon) == {"other": 4}


# Syncs are of the model that serves, the request, the answers, the marks and the closing; unlinks, of a mark and the
# request.
STEPS = [("fdatasync", n) for n in range(1, 8)] + [("fsync", 1), ("fsync", 4), ("rename", 2), ("unlink", 2)]
QUICK = {("fdatasync", 2), ("fdatasync", 3), ("rename", 2), ("unlink", 2)}


@pytest.mark.parametrize(
    ("call", "when"), [step if step in QUICK else pytest.param(*step, marks=pytest.mark.nightly) for step in STEPS]
)
def test_a_kill_at_any_step_is_repaired_by_a_restart(
    daemon: Any, distinct: Distinct, other_model: Path, call: str, when: int
) -> None:
    contents = distinct(3)
    daemon.put(contents)
    assert daemon.once(stable=0) == 0
    regrade(daemon)
    kill = daemon.under_strace("-e", f"trace={call}", "-e", f"inject={call}:signal=SIGKILL:when={when}")
    assert daemon.once("--model", other_model, under=kill, stable=0) == -signal.SIGKILL
    told = daemon.printed()
    assert daemon.once("--model", other_model, stable=0) == 0
    assert daemon.answers(daemon.stored(), contents)
    assert all(result in daemon.stored() for result in told)
    assert models(daemon) == {"other": 3}
    assert answers(daemon) == {2: 3}
    assert list(daemon.state.glob("regrade-*")) == []


def test_kills_at_random_moments_answer_everything_again_once(
    daemon: Any, distinct: Distinct, other_model: Path
) -> None:
    chance = random.Random(5)
    contents = distinct(40)
    daemon.put(contents)
    assert daemon.once(stable=0) == 0
    regrade(daemon)
    for _ in range(6):
        daemon.start("--model", other_model, stable=0)
        time.sleep(chance.uniform(0, 0.4))
        daemon.end(signal.SIGKILL)
    assert daemon.once("--model", other_model, stable=0) == 0
    assert daemon.answers(daemon.stored(), contents)
    assert models(daemon) == {"other": 40}
    assert answers(daemon) == {2: 40}
