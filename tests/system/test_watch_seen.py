"""What an administrator sees of `oct-edge watch`: `oct-edge status` and the file for monitoring."""

import json
import os
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

parser = pytest.importorskip("prometheus_client.parser")

pytestmark = pytest.mark.system

Distinct = Callable[[int], list[bytes]]


@pytest.fixture
def status(daemon: Any, run_command: Callable) -> Callable[[], dict]:
    def ask() -> dict:
        done = run_command("oct-edge", "status", "--state", daemon.state, "--json")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    return ask


def written(pid: int) -> int:
    lines = Path(f"/proc/{pid}/io").read_text().splitlines()
    return int(dict(line.split(": ") for line in lines)["write_bytes"])


def on_a_disk(folder: Path) -> bool:
    kind = subprocess.run(["stat", "--file-system", "--format=%T", folder], capture_output=True, text=True, check=True)
    return kind.stdout.strip() not in ("tmpfs", "ramfs")


def test_the_status_tells_of_the_process_that_watches_and_of_none_when_it_has_ended(
    daemon: Any, distinct: Distinct, status: Callable[[], dict]
) -> None:
    daemon.put([*distinct(4), b"no scan"])
    daemon.start(stable=0)
    daemon.until(lambda: len(daemon.printed()) == 5)
    daemon.inbox.rename(daemon.folder / "unplugged")
    daemon.until(lambda: "inbox_missing" in daemon.degraded())
    found = status()
    assert found["watched_by"] == found["process"]["pid"] == daemon.process.pid
    assert found["process"]["answered"] == 5
    assert found["states"] == {"classified": 4, "rejected": 1}
    (reason,) = (reason for reason in found["degraded"] if reason["code"] == "inbox_missing")
    assert str(daemon.inbox) in reason["message"]
    assert reason["hint"]
    assert daemon.end(signal.SIGTERM) == 0
    after = status()
    assert (after["watched_by"], after["process"], after["degraded"]) == (None, None, [])
    assert after["states"] == found["states"]


def test_a_board_short_of_power_is_told(
    daemon: Any, status: Callable[[], dict], monkeypatch: pytest.MonkeyPatch
) -> None:
    program = daemon.folder / "bin" / "vcgencmd"
    program.parent.mkdir()
    program.write_text('#!/bin/sh\n[ "$*" = get_throttled ] && echo throttled=0xd0005\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    daemon.start()
    daemon.until(lambda: {"undervoltage", "throttled"} <= {reason["code"] for reason in status()["degraded"]})
    found = status()
    assert found["board"]["now"] == ["undervoltage", "throttled"]
    assert found["board"]["since_boot"] == ["undervoltage", "throttled", "soft_temperature_limit"]
    assert daemon.end(signal.SIGTERM) == 0


def test_a_daemon_that_has_nothing_to_do_writes_nothing_and_tells_what_it_wrote_for_a_scan(
    daemon: Any, distinct: Distinct, status: Callable[[], dict]
) -> None:
    if not on_a_disk(daemon.folder):
        pytest.skip("needs its temporary files on a disk")
    daemon.put(distinct(8))
    daemon.start(stable=0)
    daemon.until(lambda: len(daemon.printed()) == 8)
    time.sleep(1.5)
    before = written(daemon.process.pid)
    time.sleep(3)
    assert written(daemon.process.pid) == before
    assert daemon.end(signal.SIGTERM) == 0
    kept = json.loads((daemon.state / "health.json").read_text())["counters"]
    assert kept["answered"] == 8
    assert 8 * 4096 <= kept["written_bytes"] <= before


@pytest.fixture
def metrics(daemon: Any, monkeypatch: pytest.MonkeyPatch) -> Callable[[], Counter[str]]:
    """All that the file for monitoring says, by name and labels."""
    path = daemon.folder / "oct-edge.prom"
    monkeypatch.setenv("OCT_EDGE_METRICS_TEXTFILE", str(path))

    def read() -> Counter[str]:
        families = parser.text_string_to_metric_families(path.read_text() if path.exists() else "")
        samples = (sample for family in families for sample in family.samples)
        return Counter({" ".join((sample.name, *sample.labels.values())): sample.value for sample in samples})

    return read


def test_metrics_count_every_answer_once_also_across_kills(
    daemon: Any, distinct: Distinct, metrics: Callable[[], Counter[str]]
) -> None:
    contents = distinct(12)
    for count in (4, 8, 12):
        daemon.put(contents[:count])
        daemon.start(stable=0)
        daemon.until(lambda: len(daemon.states()) == count and set(daemon.states().values()) == {"classified"})  # noqa: B023
        daemon.end(signal.SIGKILL)
    assert metrics()["oct_edge_watching"] == 1
    assert daemon.once(stable=0) == 0
    told = metrics()
    assert sum(value for name, value in told.items() if name.startswith("oct_edge_scans_total classified")) == 12
    assert told["oct_edge_watching"] == 0
    assert told["oct_edge_last_answer_timestamp_seconds"] == pytest.approx(time.time(), abs=60)


def test_nobody_who_looks_at_the_metrics_ever_sees_half_of_them(
    daemon: Any, distinct: Distinct, metrics: Callable[[], Counter[str]]
) -> None:
    daemon.put(distinct(40))
    daemon.start(stable=0)
    looks = 0
    while len(daemon.printed()) < 40:
        told = metrics()
        looks += bool(told)
        assert not told or "oct_edge_watching" in told
    assert daemon.end(signal.SIGTERM) == 0
    assert looks
    assert metrics()["oct_edge_inference_seconds_count"] == 40
