"""`oct-edge watch` where something is wrong: the exit code, what is said, and that nothing is half done."""

import json
import os
import shutil
import signal
import subprocess
import sys
import zipfile
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest

from oct_edge.bundle import CARD, pack
from oct_models import DEFAULT, bundled_models

pytestmark = pytest.mark.system


def test_bad_files_delay_nobody_and_no_name_reaches_the_log(daemon: Any, samples: list[Path]) -> None:
    shutil.copy(samples[0], daemon.inbox / "Meier_Anna.jpeg")
    (daemon.inbox / "Meier_Bela.jpeg").write_bytes(samples[1].read_bytes()[:3000])
    (daemon.inbox / "Meier_Cleo.jpeg").touch()
    shutil.copy(samples[2], daemon.inbox / "Meier_Dora.jpeg")
    (daemon.inbox / "Meier_Dora.jpeg").chmod(0)
    os.mkfifo(daemon.inbox / "Meier_Emil.jpeg")
    assert daemon.once(under=daemon.plain_user) == 1
    assert sorted(result["status"] for result in daemon.printed()) == ["classified", "rejected"]
    log = daemon.log()
    assert (log.count("empty_file"), log.count("unreadable"), log.count("WARNING oct_edge.watch")) == (1, 1, 2)
    assert "Meier" not in log


def _no_inbox(daemon: Any) -> None:
    daemon.inbox.rmdir()


def _inbox_that_may_not_be_entered(daemon: Any) -> None:
    daemon.put([b"scan"])
    daemon.inbox.chmod(0o600)


def _inbox_that_may_not_be_read(daemon: Any) -> None:
    daemon.inbox.chmod(0o300)


def _file_as_output(daemon: Any) -> None:
    daemon.output.touch()


def _output_that_may_not_be_written(daemon: Any) -> None:
    daemon.output.mkdir(mode=0o500)


@pytest.mark.parametrize(
    "spoil",
    [
        _no_inbox,
        _inbox_that_may_not_be_entered,
        _inbox_that_may_not_be_read,
        _file_as_output,
        _output_that_may_not_be_written,
    ],
)
def test_a_folder_that_cannot_work_is_a_configuration_error(daemon: Any, spoil: Callable[[Any], None]) -> None:
    spoil(daemon)
    assert daemon.once(under=daemon.plain_user) == 78
    assert "error [configuration]" in daemon.log()
    assert "hint:" in daemon.log()


def test_an_inbox_that_goes_away_is_waited_for_and_what_was_answered_is_known_when_it_returns(
    daemon: Any, distinct: Callable[[int], list[bytes]]
) -> None:
    contents = distinct(3)
    daemon.put(contents[:2])
    daemon.start(stable=0)
    daemon.until(lambda: len(daemon.printed()) == 2)
    daemon.inbox.rename(daemon.folder / "unplugged")
    daemon.until(lambda: daemon.degraded() == ["inbox_missing"])
    (daemon.folder / "unplugged").rename(daemon.inbox)
    daemon.put(contents)
    daemon.until(lambda: len(daemon.printed()) == 3 and not daemon.degraded())
    assert daemon.end(signal.SIGTERM) == 0
    assert daemon.answers(daemon.printed(), contents)


def test_an_output_folder_that_goes_away_is_waited_for_and_nothing_is_told_meanwhile(
    daemon: Any, samples: list[Path]
) -> None:
    daemon.start(stable=0)
    daemon.output.rename(daemon.folder / "unplugged")
    shutil.copy(samples[0], daemon.inbox / "Meier_Anna.jpeg")
    daemon.until(lambda: daemon.degraded() == ["output_missing"])
    assert daemon.printed() == []
    (daemon.folder / "unplugged").rename(daemon.output)
    daemon.until(lambda: daemon.output.exists() and daemon.stored() and not daemon.degraded())
    assert daemon.end(signal.SIGTERM) == 0
    assert daemon.answers(daemon.stored(), [samples[0].read_bytes()])
    assert "Meier" not in daemon.log()


@pytest.mark.parametrize("full", ["output", "state", "both"])
def test_on_a_full_disk_it_pauses_says_so_and_goes_on_by_itself(
    daemon: Any, samples: list[Path], full: str, disk: Callable[[Path, str], None]
) -> None:
    contents = [path.read_bytes() + bytes(i) for path in samples for i in range(1, 21)]
    shared = daemon.folder / "disk"
    if full == "both":
        daemon.output, daemon.state = shared / "results", shared / "state"
    place = {"output": daemon.output, "state": daemon.state, "both": shared}[full]
    disk(place, "192k")
    daemon.start("--state", daemon.state, stable=0)
    daemon.put(contents)
    daemon.until(lambda: "degraded (disk_full)" in daemon.log())
    assert "WARNING oct_edge.health: degraded (disk_full)" in daemon.log()
    assert len(daemon.printed()) < len(contents)
    subprocess.run(["mount", "-o", "remount,size=16m", str(place)], check=True)
    daemon.until(lambda: len(daemon.stored()) == len(contents) and not daemon.degraded(), seconds=60)
    assert daemon.end(signal.SIGTERM) == 0
    assert daemon.answers(daemon.stored(), contents)
    assert set(daemon.states().values()) == {"classified"}


def test_a_disk_that_becomes_read_only_ends_it_and_the_next_start_on_a_writable_one_loses_nothing(
    daemon: Any, samples: list[Path], disk: Callable[[Path, str], None]
) -> None:
    disk(daemon.output, "4m")
    daemon.start(stable=0)
    subprocess.run(["mount", "-o", "remount,ro", str(daemon.output)], check=True)
    shutil.copy(samples[0], daemon.inbox)
    assert daemon.end() == 69
    assert daemon.printed() == []
    subprocess.run(["mount", "-o", "remount,rw", str(daemon.output)], check=True)
    assert daemon.once(stable=0) == 0
    assert daemon.answers(daemon.stored(), [samples[0].read_bytes()])


def test_it_ends_with_69_on_a_full_disk_and_leaves_no_partial_file(daemon: Any, samples: list[Path]) -> None:
    daemon.output.mkdir()
    mount = f"mount -t tmpfs -o size=4k tmpfs '{daemon.output}'"
    if os.geteuid() or subprocess.run(["unshare", "--mount", "sh", "-c", mount], capture_output=True).returncode:
        pytest.skip("needs root and the right to mount a tmpfs")
    script = f"{mount}; cd '{daemon.output}'; head -c 4096 /dev/zero >full; \"$@\"; code=$?; ls -A >&2; exit $code"
    shutil.copy(samples[0], daemon.inbox / "Meier_Anna.jpeg")
    assert daemon.once(under=("unshare", "--mount", "sh", "-c", script, "sh")) == 69
    assert daemon.printed() == []
    assert "No space left" in daemon.log()
    assert daemon.log().splitlines()[-1] == "full"
    assert "Meier" not in daemon.log()


@pytest.mark.parametrize(
    ("step", "error"),
    [
        ("fdatasync:when=13", "EIO"),
        ("fdatasync:when=14", "EIO"),
        ("fdatasync:when=14", "ENOSPC"),
        ("fsync:when=1", "EIO"),
    ],
)
def test_a_failing_sync_of_ledger_or_file_is_never_acknowledged_and_repaired_by_a_restart(
    daemon: Any, samples: list[Path], step: str, error: str
) -> None:
    shutil.copy(samples[0], daemon.inbox)
    call, when = step.split(":")
    fail = ("-e", "trace=fsync,fdatasync", "-e", f"inject={call}:error={error}:{when}")
    assert daemon.once(under=daemon.under_strace(*fail), stable=0) == 69
    assert daemon.printed() == []
    assert list(daemon.output.iterdir()) == []
    assert daemon.once(stable=0) == 0
    assert daemon.answers(daemon.stored(), [samples[0].read_bytes()])
    assert list(daemon.states().values()) == ["classified"]


def test_two_daemons_never_share_a_ledger(daemon: Any) -> None:
    daemon.start()
    command = ["oct-edge", "watch", daemon.inbox, "--output", daemon.folder / "other", "--state", daemon.state]
    second = subprocess.run([Path(sys.executable).parent / command[0], *command[1:]], capture_output=True, text=True)
    assert second.returncode == 78
    assert "another process keeps its ledger there" in second.stderr
    assert daemon.end(signal.SIGTERM) == 0


def test_a_model_that_misses_its_golden_answers_takes_no_scan(daemon: Any, samples: list[Path]) -> None:
    content = bundled_models()[DEFAULT].read_bytes()
    with zipfile.ZipFile(BytesIO(content)) as tail:
        card = json.loads(tail.read(CARD))
        golden = {name: tail.read(name) for name in tail.namelist() if name.endswith((".png", ".npz"))}
    card["golden"]["answers"][0]["logits"] = [100, -100, 100, -100]
    model = daemon.folder / "altered.tflite"
    model.write_bytes(pack(content[: card["tflite"]["bytes"]], card, golden))
    shutil.copy(samples[0], daemon.inbox)
    assert daemon.once("--model", model, stable=0) == 78
    assert "self_test_failed" in daemon.log()
    assert daemon.printed() == []
    assert not daemon.output.exists()
