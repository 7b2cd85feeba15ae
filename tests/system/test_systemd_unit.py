"""The unit file: systemd accepts it without a word, it is tight, and what it runs lives with that."""

import os
import re
import shlex
import shutil
import signal
import subprocess
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from oct_edge.config.load import Sources
from oct_edge.errors import ConfigurationError, LedgerError, ModelError, OutputUnavailable
from oct_edge.worker.supervisor import Limits

pytestmark = pytest.mark.system

UNIT = Path(__file__).parents[2] / "systemd" / "oct-edge.service"
EXAMPLE = UNIT.with_name("oct-edge.toml")
EXPOSURE = 20  # tenths
DROP_INS = [(), ("--coral",), ("--camera",), ("--coral", "--camera")]


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


@pytest.fixture(params=DROP_INS, ids=lambda options: " ".join(options) or "alone")
def installed_unit(request: pytest.FixtureRequest, tmp_path: Path, run_command: Callable) -> Path:
    """The unit and its drop-ins, as they are installed."""
    run_command("oct-edge", "service", "install", "--root", tmp_path, *request.param, check=True)
    return tmp_path / "etc/systemd/system" / UNIT.name


def test_systemd_accepts_every_line(systemd_analyze: Callable, installed_unit: Path) -> None:
    verified = systemd_analyze("verify", "--man=no", installed_unit)
    assert (verified.returncode, verified.stderr) == (0, "")


def test_the_exposure_is_low(systemd_analyze: Callable, installed_unit: Path) -> None:
    security = ("security", "--offline=true", "--no-pager", f"--threshold={EXPOSURE}", installed_unit)
    assert systemd_analyze(*security).returncode == 0, systemd_analyze(*security).stdout


def test_drop_ins_are_looked_at_too(systemd_analyze: Callable, installed_unit: Path) -> None:
    """So that the two above say something about them."""
    for drop_in in (*installed_unit.with_name(f"{UNIT.name}.d").glob("*.conf"), installed_unit):
        text = drop_in.read_text()
        drop_in.write_text(text.replace("[Service]\n", "[Service]\nNoSuchKey=1\n"))
        assert "NoSuchKey" in systemd_analyze("verify", "--man=no", installed_unit).stderr
        drop_in.write_text(text)


def test_no_drop_in_opens_a_way_to_the_network(systemd_analyze: Callable, installed_unit: Path) -> None:
    report = systemd_analyze("security", "--offline=true", "--no-pager", installed_unit).stdout
    assert re.search(r"✓ RestrictAddressFamilies=~AF_\(INET\|INET6\)", report), report


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


def test_restarts_outlive_ten_minutes_of_trouble_and_a_loop_of_crashes_or_hangs_ends(
    directives: dict[str, list[str]],
) -> None:
    pause, watchdog = (int(directives[key][0]) for key in ("RestartSec", "WatchdogSec"))
    starts, hours = int(directives["StartLimitBurst"][0]), int(directives["StartLimitIntervalSec"][0].rstrip("h"))
    assert starts * pause >= 600
    assert starts * (pause + watchdog) < hours * 3600


def test_the_memory_limit_leaves_room_for_the_service_and_for_others_on_the_smallest_board(
    directives: dict[str, list[str]],
) -> None:
    share, board = int(directives["MemoryMax"][0].rstrip("%")) / 100, 416  # MB of 512 that Linux gets
    assert share * board > 2 * 150  # design.md: what parent and worker need
    assert (1 - share) * board > 100


def test_every_folder_of_the_example_is_made_for_the_service(directives: dict[str, list[str]]) -> None:
    tmpfiles = (UNIT.parent / "tmpfiles.d" / "oct-edge.conf").read_text()
    made = {Path(line.split()[1]) for line in tmpfiles.splitlines() if not line.startswith("#")}
    config = Sources(file=EXAMPLE, environ={}).load().config()
    used = {config.source.inbox, config.output.folder, config.state_folder}
    own = Path("/var/lib", directives["StateDirectory"][0])
    assert used | {own} == made
    assert all(folder.is_relative_to(own) for folder in used)


@pytest.mark.skipif(bool(os.geteuid()), reason="needs root, to give folders away")
def test_user_and_folders_are_made_as_the_unit_wants_them(
    tmp_path: Path, run_command: Callable, directives: dict[str, list[str]]
) -> None:
    for tool in ("systemd-sysusers", "systemd-tmpfiles"):
        if not shutil.which(tool):
            pytest.skip(f"needs {tool}")
    run_command("oct-edge", "service", "install", "--root", tmp_path, check=True)
    subprocess.run(["systemd-sysusers", f"--root={tmp_path}"], check=True, capture_output=True)
    subprocess.run(["systemd-tmpfiles", f"--root={tmp_path}", "--create"], check=True, capture_output=True)
    users = dict(line.split(":", 1) for line in (tmp_path / "etc/passwd").read_text().splitlines())
    (name,) = directives["User"]
    uid, gid = (int(number) for number in users[name].split(":")[1:3])
    assert 0 < uid < 1000
    folders = [tmp_path / "var/lib" / name, *(tmp_path / "var/lib" / name).iterdir()]
    found = {path.name: (path.stat().st_uid, path.stat().st_gid, path.stat().st_mode & 0o7777) for path in folders}
    readable, writable = (uid, gid, int(directives["StateDirectoryMode"][0], 8)), (uid, gid, 0o2770)
    assert found == {name: readable, "inbox": writable, "results": readable, "state": readable}


def test_the_command_line_works_as_written(
    directives: dict[str, list[str]], tmp_path: Path, samples: list[Path], run_command: Callable
) -> None:
    run_command("oct-edge", "service", "install", "--root", tmp_path, check=True)
    _, *arguments = shlex.split(directives["ExecStart"][0].replace("/etc/", f"{tmp_path}/etc/"))
    configuration = tmp_path / "etc" / "oct-edge" / EXAMPLE.name
    configuration.write_text(configuration.read_text().replace("/var/lib/oct-edge", str(tmp_path)))
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
    daemon.start(under=daemon.under_strace(), stable=0)
    shutil.copy(samples[0], daemon.inbox)
    daemon.until(daemon.printed)
    trace = (daemon.folder / "trace").read_text()
    os.kill(int(trace.split()[0]), signal.SIGTERM)
    assert daemon.end() == 0
    trace = (daemon.folder / "trace").read_text()
    called = set(re.findall(r"^\d+ +(\w+)\(", trace, flags=re.MULTILINE))
    assert "inotify_add_watch" in called
    as_root_only = {"fchown"}  # by SQLite, to give its files the owner of the ledger
    refused = {"adjtimex", "clock_adjtime"}  # whether the clock was set; there timesyncd's file has to say it
    assert called - as_root_only - refused - allowed_calls(systemd_analyze, directives["SystemCallFilter"]) == set()
    assert directives["MemoryDenyWriteExecute"] == ["yes"]
    assert not re.search(r"PROT_WRITE\|PROT_EXEC|mprotect\(.*PROT_EXEC", trace)
    assert not re.search(r"socket\(AF_(?!UNIX)", trace)
