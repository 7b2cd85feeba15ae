"""The unit file: systemd accepts it without a word, it is tight, and what it runs lives with that."""

import re
import shlex
import shutil
import subprocess
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from oct_edge.errors import ConfigurationError, LedgerError, ModelError, OutputUnavailable
from oct_edge.worker.supervisor import Limits

pytestmark = pytest.mark.system

UNIT = Path(__file__).parents[2] / "systemd" / "oct-edge.service"
EXPOSURE = 20  # tenths


@pytest.fixture
def directives() -> dict[str, list[str]]:
    """Every value of each key, in order."""
    values = defaultdict(list)
    for line in UNIT.read_text().splitlines():
        if "=" in line and not line.startswith("#"):
            key, _, value = line.partition("=")
            values[key].append(value)
    return values


@pytest.fixture
def systemd_analyze() -> Callable[..., subprocess.CompletedProcess[str]]:
    if not shutil.which("systemd-analyze"):
        pytest.skip("needs systemd-analyze")
    return lambda *arguments: subprocess.run(["systemd-analyze", *arguments], capture_output=True, text=True)


@pytest.fixture
def installed_unit(tmp_path: Path) -> Path:
    """The unit, with a program in the place of ours that exists on this machine."""
    copy = tmp_path / UNIT.name
    copy.write_text(UNIT.read_text().replace("/opt/oct-edge/bin/oct-edge", "/bin/true"))
    return copy


def test_systemd_accepts_every_line(systemd_analyze: Callable, installed_unit: Path) -> None:
    verified = systemd_analyze("verify", "--man=no", installed_unit)
    assert (verified.returncode, verified.stderr) == (0, "")


def test_the_exposure_is_low(systemd_analyze: Callable, installed_unit: Path) -> None:
    security = ("security", "--offline=true", "--no-pager", f"--threshold={EXPOSURE}", installed_unit)
    assert systemd_analyze(*security).returncode == 0, systemd_analyze(*security).stdout


def test_what_inference_on_arm_needs_is_not_taken_away(directives: dict[str, list[str]]) -> None:
    assert "pid" not in directives["ProcSubset"]
    assert not any(value.startswith("~") and "@resources" in value for value in directives["SystemCallFilter"])


def test_the_journal_gets_the_log_but_not_the_results_which_may_name_patients(directives: dict[str, list[str]]) -> None:
    assert directives["StandardOutput"] == ["null"]
    assert directives["StandardError"] == ["journal"]


def test_systemd_waits_for_the_self_test_and_for_progress(directives: dict[str, list[str]]) -> None:
    assert directives["Type"] == ["notify"]
    assert int(directives["WatchdogSec"][0]) > 2 * (Limits().decoding + Limits().longest)


def test_where_memory_runs_out_only_the_worker_ends(directives: dict[str, list[str]]) -> None:
    assert directives["OOMPolicy"] == ["continue"]
    assert directives["KillMode"] == ["mixed"]


def test_only_what_a_restart_may_heal_is_restarted(directives: dict[str, list[str]]) -> None:
    final = {int(code) for code in directives["RestartPreventExitStatus"][0].split()}
    assert directives["Restart"] == ["on-failure"]
    assert {ConfigurationError.exit_code, LedgerError.exit_code, ModelError.exit_code} < final
    assert OutputUnavailable.exit_code not in final


def test_every_folder_that_is_used_belongs_to_the_service(directives: dict[str, list[str]]) -> None:
    state = {f"/var/lib/{name}" for name in directives["StateDirectory"][0].split()}
    used = {word for word in shlex.split(directives["ExecStart"][0]) if word.startswith("/var/")}
    assert used
    assert used < state


def test_the_command_line_works_as_written(
    directives: dict[str, list[str]], tmp_path: Path, samples: list[Path], run_command: Callable
) -> None:
    _, *arguments = shlex.split(directives["ExecStart"][0].replace("/var/lib/oct-edge", str(tmp_path)))
    (tmp_path / "inbox").mkdir()
    shutil.copy(samples[0], tmp_path / "inbox")
    assert run_command("oct-edge", *arguments, "--once").returncode == 0
    assert len(list((tmp_path / "results").iterdir())) == 1


def allowed_calls(systemd_analyze: Callable, filters: list[str]) -> set[str]:
    """The system calls that a list of SystemCallFilter= values leaves."""

    def expand(name: str) -> set[str]:
        if not name.startswith("@"):
            return {name}
        lines = systemd_analyze("syscall-filter", "--no-pager", name).stdout.splitlines()[1:]
        members = {line.strip() for line in lines} - {""}
        return set().union(*(expand(member) for member in members if not member.startswith("#")))

    allowed: set[str] = set()
    for value in filters:
        calls = set().union(*(expand(name) for name in value.lstrip("~").split()))
        allowed = allowed - calls if value.startswith("~") else allowed | calls
    return allowed | expand("@default")


def test_a_watch_stays_within_the_calls_and_mappings_that_the_unit_allows(
    daemon: Any, samples: list[Path], directives: dict[str, list[str]], systemd_analyze: Callable
) -> None:
    shutil.copy(samples[0], daemon.inbox)
    assert daemon.once(under=daemon.under_strace(), stable=0) == 0
    trace = (daemon.folder / "trace").read_text()
    called = set(re.findall(r"^\d+ +(\w+)\(", trace, flags=re.MULTILINE))
    as_root_only = {"fchown"}  # by SQLite, to give its files the owner of the ledger
    refused = {"adjtimex", "clock_adjtime"}  # whether the clock was set; there timesyncd's file has to say it
    assert called - as_root_only - refused - allowed_calls(systemd_analyze, directives["SystemCallFilter"]) == set()
    assert directives["MemoryDenyWriteExecute"] == ["yes"]
    assert not re.search(r"PROT_WRITE\|PROT_EXEC|mprotect\(.*PROT_EXEC", trace)
    assert not re.search(r"socket\(AF_(?!UNIX)", trace)
