"""`oct-edge watch` while the process that decodes and grades for it crashes, hangs and is killed."""

import os
import shutil
import signal
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.system

# Read by every Python that starts with its folder in PYTHONPATH: a scan with this ending takes the process down.
POISON = b"poison"
SITE = f"""
import os
from oct_edge.classifier import Classifier

prepare = Classifier.prepare

def poisoned(self, data, name):
    if data.endswith({POISON!r}):
        os.abort()
    return prepare(self, data, name)

Classifier.prepare = poisoned
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP])
def test_a_worker_that_is_killed_or_stopped_is_replaced_and_no_scan_lost(
    daemon: Any, distinct: Callable[[int], list[bytes]], number: int
) -> None:
    contents = distinct(40)
    daemon.put(contents)
    daemon.start(stable=0)
    daemon.until(daemon.printed)
    before = daemon.worker()
    os.kill(before, number)
    daemon.until(lambda: len(daemon.printed()) == len(contents))
    assert daemon.worker() != before
    assert daemon.end(signal.SIGTERM) == 0
    assert daemon.answers(daemon.stored(), contents)
    assert Counter(daemon.states().values()) == {"classified": len(contents)}


def test_a_scan_that_crashes_every_worker_is_rejected_with_a_note_and_the_others_are_answered(
    daemon: Any, samples: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    (daemon.folder / "sitecustomize.py").write_text(SITE)
    monkeypatch.setenv("PYTHONPATH", f"{daemon.folder}:{os.environ.get('PYTHONPATH', '')}")
    shutil.copy(samples[0], daemon.inbox / "a.jpeg")
    (daemon.inbox / "b.jpeg").write_bytes(samples[1].read_bytes() + POISON)
    shutil.copy(samples[2], daemon.inbox / "c.jpeg")
    assert daemon.once(stable=0) == 1
    statuses = {result["source"]["name"]: result["status"] for result in daemon.printed()}
    assert statuses == {"a.jpeg": "classified", "b.jpeg": "rejected", "c.jpeg": "classified"}
    (note,) = (daemon.state / "quarantine").iterdir()
    assert '"worker_crashed"' in note.read_text()
    assert Counter(daemon.states().values()) == {"classified": 2, "rejected": 1}
    assert daemon.once(stable=0) == 0
    assert daemon.printed() == []


def test_the_worker_ends_with_the_daemon_that_is_killed(daemon: Any) -> None:
    daemon.start()
    worker = Path(f"/proc/{daemon.worker()}/stat")
    daemon.end(signal.SIGKILL)
    daemon.until(lambda: not worker.exists() or " Z " in worker.read_text())
