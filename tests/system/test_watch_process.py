"""`oct-edge watch` as a process: scans that come slowly, signals, kills and restarts."""

import os
import random
import re
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from oct_edge.health import HEALTH

pytestmark = pytest.mark.system

Distinct = Callable[[int], list[bytes]]


@pytest.fixture(params=["samples", "oct2017"])
def scans(request: pytest.FixtureRequest) -> list[bytes]:
    """Eight scans: the phantoms, then real ones."""
    found = request.getfixturevalue(request.param)
    paths = found if isinstance(found, list) else sorted(found.glob("test/*/*.jpeg"))[::29][:8]
    return [path.read_bytes() for path in paths]


def copy_slowly(inbox: Path, contents: list[bytes], seconds: float, *, lanes: int = 4) -> list[threading.Thread]:
    """Copy in pieces, `seconds` a scan and one after the other in each lane; every second one is renamed at its end."""

    def copy(lane: int) -> None:
        for i in range(lane, len(contents), lanes):
            name = inbox / f"Meier_{i}.jpeg"
            writing = name if i // lanes % 2 else name.with_suffix(".jpeg.part")
            step = len(contents[i]) // 15 + 1
            with writing.open("wb", buffering=0) as file:
                for start in range(0, len(contents[i]), step):
                    file.write(contents[i][start : start + step])
                    time.sleep(seconds / 15)
            writing.rename(name)

    threads = [threading.Thread(target=copy, args=(lane,)) for lane in range(lanes)]
    for thread in threads:
        thread.start()
    return threads


def test_scans_that_are_copied_slowly_are_answered_once_each_also_across_a_kill(
    daemon: Any, scans: list[bytes]
) -> None:
    daemon.start()
    copies = copy_slowly(daemon.inbox, scans, 3 * daemon.stable)
    daemon.until(daemon.printed)
    daemon.end(signal.SIGKILL)
    daemon.start()
    for copy in copies:
        copy.join()
    daemon.until(lambda: len(daemon.stored()) >= len(scans))
    time.sleep(2 * daemon.stable)
    assert daemon.end(signal.SIGTERM) == 0
    assert daemon.answers(daemon.stored(), scans)
    assert {result["status"] for result in daemon.stored()} == {"classified"}


def test_kills_at_random_moments_lose_nothing_and_answer_nothing_twice(daemon: Any, distinct: Distinct) -> None:
    chance = random.Random(2)
    contents = distinct(32)
    copies = copy_slowly(daemon.inbox, [*contents, *contents[:4]], 0.9)
    for _ in range(8):
        daemon.start()
        time.sleep(chance.uniform(0, 0.8))
        daemon.end(signal.SIGKILL)
    for copy in copies:
        copy.join()
    assert daemon.once() == 0
    assert daemon.answers(daemon.stored(), contents)
    assert set(daemon.states().values()) == {"classified"}
    assert {path.read_bytes() for path in daemon.inbox.iterdir()} == set(contents)


@pytest.mark.nightly
def test_two_hundred_kills_lose_nothing_and_answer_nothing_twice(daemon: Any, distinct: Distinct) -> None:
    """Scans come all the time, so that kills fall into every step; what was told before a kill is kept after it."""
    chance = random.Random(3)
    contents = distinct(400)
    told: dict[str, dict] = {}
    for cycle in range(200):
        for i in (2 * cycle, 2 * cycle + 1):
            (daemon.inbox / f"{i}.jpeg").write_bytes(contents[i])
        daemon.start(stable=0)
        time.sleep(chance.uniform(0, 1))
        daemon.end(signal.SIGKILL)
        told |= {result["source"]["sha256"]: result for result in daemon.printed()}
    assert daemon.once(stable=0) == 0
    assert daemon.answers(daemon.stored(), contents)
    assert set(daemon.states().values()) == {"classified"}
    assert all(result in daemon.stored() for result in told.values())
    assert len(told) > 100


def test_a_restart_answers_nothing_twice_and_a_new_scan_still(daemon: Any, distinct: Distinct) -> None:
    old, new = distinct(4)[:3], distinct(4)
    for contents, answered in ((old, old), (old, []), (new, new[3:])):
        daemon.put(contents)
        assert daemon.once(stable=0) == 0
        assert daemon.answers(daemon.printed(), answered)
    assert daemon.answers(daemon.stored(), new)


# 1 to 11 make the ledger and 12 is about the model; then come pending scans, their results, the mark that these are
# files, and its closing. The first file that is renamed says how the daemon is; it is not synced.
_QUICK = {"fdatasync": (2, 13, 14, 15), "fsync": (1, 4), "rename": (3,)}
_NIGHTLY = {"fdatasync": (1, *range(3, 13), 16, 17), "fsync": (2, 3), "rename": (1, 2, 4, 5)}
_NIGHTLY |= {"unlink": (1, 2, 3, 4, 5), "ftruncate": (1, 2)}
STEPS = [f"{call}:when={n}" for call, numbers in _QUICK.items() for n in numbers]
STEPS += [
    pytest.param(f"{call}:when={n}", marks=pytest.mark.nightly) for call, numbers in _NIGHTLY.items() for n in numbers
]


@pytest.mark.parametrize("step", STEPS)
def test_a_kill_at_any_step_of_making_results_durable_is_repaired_by_a_restart(
    daemon: Any, distinct: Distinct, step: str
) -> None:
    contents = distinct(3)
    daemon.put(contents)
    kill = ("-e", f"trace={step.split(':')[0]}", "-e", f"inject={step}:signal=SIGKILL")
    assert daemon.once(under=daemon.under_strace(*kill), stable=0) == -signal.SIGKILL
    told = daemon.printed()
    assert daemon.once(stable=0) == 0
    assert daemon.lost_nothing(contents)
    assert all(result in daemon.stored() for result in told)


def test_no_step_of_making_results_durable_is_left_out_of_those_above(daemon: Any, distinct: Distinct) -> None:
    """How often the state of the daemon itself is written is a matter of time, and left out."""
    daemon.put(distinct(3))
    calls = ("-e", "trace=fsync,fdatasync,rename,renameat,renameat2,unlink,unlinkat,ftruncate,link,linkat")
    assert daemon.once(under=daemon.under_strace(*calls), stable=0) == 0
    trace = (daemon.folder / "trace").read_text().splitlines()
    ours = [line for line in trace if str(daemon.folder) in line and HEALTH not in line]
    made = Counter(re.findall(r"(\w+)\(", line)[0] for line in ours)
    known = Counter({call: len((*_QUICK.get(call, ()), *_NIGHTLY.get(call, ()))) for call in {**_QUICK, **_NIGHTLY}})
    known["rename"] -= 2  # of its own state, at the start and at the end
    assert made == known


def test_a_result_is_printed_only_when_commit_file_and_folder_are_on_the_disk(daemon: Any, distinct: Distinct) -> None:
    daemon.put(distinct(1))
    calls = ("-e", "trace=fsync,fdatasync,rename,renameat,renameat2,write")
    assert daemon.once(under=daemon.under_strace(*calls), stable=0) == 0
    trace = (daemon.folder / "trace").read_text()
    sync_file, rename, sync_folder, line = (
        start := trace.index(" fsync("),
        trace.index(" rename(", start),
        trace.index(f"<{daemon.output}>) = 0"),
        trace.index('"{\\"schema\\"', trace.index(f" write(1<{daemon.folder}/stdout>")),
    )
    commits = [found.start() for found in re.finditer(r" fdatasync\(\d+<\S+-wal>\) = 0", trace)]
    assert len([commit for commit in commits if commit < sync_file]) == 5  # empty, made, model, pending, classified
    assert sync_file < trace.index(".partial>) = 0") < rename < sync_folder < line


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 0), (signal.SIGINT, 130)])
def test_a_signal_wakes_it_from_a_long_sleep(daemon: Any, number: int, code: int) -> None:
    daemon.start("--interval", 600)
    started = time.monotonic()
    assert daemon.end(number) == code
    assert time.monotonic() - started < 3


def test_sigterm_ends_it_after_the_scan_under_way(daemon: Any, distinct: Distinct) -> None:
    contents = distinct(300)
    daemon.put(contents)
    daemon.start(stable=0)
    daemon.until(daemon.printed)
    assert daemon.end(signal.SIGTERM) == 0
    assert 0 < len(daemon.printed()) < len(contents)
    assert sorted(map(str, daemon.printed())) == sorted(map(str, daemon.stored()))


def test_a_signal_at_any_moment_of_going_to_sleep_is_obeyed() -> None:
    program = """if True:
        import os, random, signal
        from oct_edge.signals import Signals
        for seed in range(3000):
            signals = Signals()
            signal.signal(signal.SIGALRM, lambda *_: os.kill(os.getpid(), signal.SIGTERM))
            signal.setitimer(signal.ITIMER_REAL, random.Random(seed).uniform(1e-6, 2e-4))
            while not signals.is_set():
                signals.wait(2e-5)
            os.close(signal.set_wakeup_fd(-1))
            os.close(signals._wake)
    """
    subprocess.run([sys.executable, "-c", program], check=True, timeout=20)


def test_any_name_is_answered_in_valid_json(daemon: Any, distinct: Distinct) -> None:
    names = [
        b"new\nline.jpeg",
        b"-rf.jpeg",
        "👁.jpeg".encode(),
        b"a" * 250 + b".jpeg",
        b"\xff.jpeg",
        b"$(x) ; `y`*.jpeg",
    ]
    for name, content in zip(names, distinct(len(names)), strict=True):
        (daemon.inbox / os.fsdecode(name)).write_bytes(content)
    assert daemon.once(stable=0) == 0
    expected = {os.fsdecode(name).encode(errors="backslashreplace").decode() for name in names}
    assert {result["source"]["name"] for result in daemon.printed()} == expected
    assert {result["source"]["name"] for result in daemon.stored()} == expected
