"""`oct-edge watch` with scans that take the process which grades them down again and again, and with no memory."""

import os
import re
import resource
import signal
from collections import Counter
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

pytestmark = pytest.mark.system

Distinct = Callable[[int], list[bytes]]

# Read by every Python that starts with its folder in PYTHONPATH: a scan says by its ending what is to happen.
SITE = """
import os, signal
from oct_edge.classifier import Classifier

prepare = Classifier.prepare

def obey(self, data, name):
    if data.endswith(b"abort"):
        os.abort()
    if data.endswith(b"hang"):
        signal.pause()
    if data.endswith(b"memory"):
        taken = []
        while True:
            taken.append(bytearray(b"x" * 2**20))
    return prepare(self, data, name)

Classifier.prepare = obey
"""


@pytest.fixture
def poisonable(daemon: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    (daemon.folder / "sitecustomize.py").write_text(SITE)
    monkeypatch.setenv("PYTHONPATH", f"{daemon.folder}:{os.environ.get('PYTHONPATH', '')}")


def reasons(daemon: Any) -> Counter[str]:
    return Counter(reason["code"] for result in daemon.stored() for reason in result["reasons"])


@pytest.mark.usefixtures("poisonable")
def test_scans_that_take_down_every_worker_degrade_the_service_until_one_is_answered(
    daemon: Any, distinct: Distinct
) -> None:
    contents = distinct(3)
    contents[0] += b"abort"
    contents[1] += b"abort"
    daemon.put(contents[:2])
    daemon.start(stable=0)
    daemon.until(lambda: daemon.degraded() == ["worker_failing"])
    daemon.put(contents)
    daemon.until(lambda: len(daemon.printed()) == 3 and not daemon.degraded())
    assert daemon.end(signal.SIGTERM) == 0
    assert daemon.lost_nothing(contents)
    assert reasons(daemon) == {"worker_crashed": 2}
    assert len(list((daemon.state / "quarantine").iterdir())) == 2
    assert daemon.once(stable=0) == 0
    assert daemon.printed() == []


@pytest.mark.nightly
@pytest.mark.usefixtures("poisonable")
def test_a_scan_on_which_every_worker_hangs_is_rejected_and_the_others_are_answered(
    daemon: Any, distinct: Distinct
) -> None:
    contents = distinct(3)
    contents[1] += b"hang"
    daemon.put(contents)
    daemon.start("--once", stable=0)
    assert daemon.process.wait(180) == 1
    assert daemon.lost_nothing(contents)
    assert reasons(daemon) == {"deadline_exceeded": 1}


class Group:
    """A control group for memory, of the first or the second kind."""

    def __init__(self, folder: Path) -> None:
        self.folder, self._is_first = folder, folder.parent.name == "memory"
        folder.mkdir()

    def limit(self, size: int) -> None:
        (self.folder / ("memory.limit_in_bytes" if self._is_first else "memory.max")).write_text(str(size))

    def inside(self) -> tuple[object, ...]:
        return ("sh", "-c", f'echo $$ >{self.folder}/cgroup.procs && exec "$@"', "sh")

    def kills(self) -> int:
        told = (self.folder / ("memory.oom_control" if self._is_first else "memory.events")).read_text()
        return int(re.findall(r"^oom_kill (\d+)$", told, re.MULTILINE)[0])


@pytest.fixture
def group() -> Iterator[Group]:
    root = Path("/sys/fs/cgroup")
    first = root / "memory"
    place = (first if first.is_dir() else root) / f"oct-edge-{os.getpid()}"
    try:
        group = Group(place)
        group.limit(2**30)
    except OSError:
        pytest.skip("needs root and a control group for memory")
    yield group
    place.rmdir()


@pytest.mark.usefixtures("poisonable")
def test_where_the_kernel_kills_for_memory_only_the_worker_ends_and_the_others_are_answered(
    daemon: Any, distinct: Distinct, group: Group
) -> None:
    contents = distinct(4)
    contents[1] += b"memory"
    group.limit(320 * 2**20)
    daemon.start(under=group.inside(), stable=0)
    daemon.put(contents)
    daemon.until(lambda: len(daemon.printed()) == 4)
    assert daemon.end(signal.SIGTERM) == 0
    kills = group.kills()
    assert kills in (2, 3)  # a third where it was decoded while the one before was graded
    assert daemon.lost_nothing(contents)
    assert reasons(daemon) == {"worker_crashed": 1}
    assert daemon.log().count("(signal 9)") == kills


def large() -> bytes:
    """A picture of few bytes that needs sixty megabytes when it is decoded."""
    file = BytesIO()
    grey = np.tile(np.linspace(0, 255, 4000).astype(np.uint8), (4000, 1))
    Image.fromarray(grey).convert("RGB").save(file, "jpeg")
    return file.getvalue()


def test_a_worker_that_gets_no_more_memory_is_replaced_and_calls_no_whole_scan_damaged(
    daemon: Any, distinct: Distinct
) -> None:
    contents = [*distinct(2), large()]
    daemon.put(contents[:2])
    daemon.start(stable=0)
    daemon.until(lambda: len(daemon.printed()) == 2)
    starved = daemon.worker()
    size = int(re.findall(r"^VmSize:\s*(\d+) kB$", Path(f"/proc/{starved}/status").read_text(), re.MULTILINE)[0])
    resource.prlimit(starved, resource.RLIMIT_AS, (size * 1024 + 2**22, resource.RLIM_INFINITY))
    daemon.put(contents)
    daemon.until(lambda: len(daemon.printed()) == 3)
    assert daemon.worker() != starved
    assert daemon.end(signal.SIGTERM) == 0
    assert daemon.lost_nothing(contents)
    assert "the worker failed with MemoryError in" in daemon.log()
    assert reasons(daemon)["damaged_image"] == 0
    assert "rejected" not in daemon.states().values()
