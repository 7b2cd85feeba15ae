"""The service on a machine that boots: ready, at work, as whom, what it writes where, and how it ends."""

import json
from collections.abc import Callable
from typing import Any

import pytest

pytestmark = [pytest.mark.system, pytest.mark.nightly]

OCT_EDGE = "/opt/oct-edge/bin/oct-edge"
# Read by every Python that starts with its folder in PYTHONPATH: the golden answers take as long as we want.
SLOW = """
import os, time
from oct_edge.classifier import Classifier

answer = Classifier.self_test

def slowly(self):
    open("/var/lib/oct-edge/asked", "w").close()
    while not os.path.exists("/opt/site/go"):
        time.sleep(0.05)
    return answer(self)

Classifier.self_test = slowly
"""
Distinct = Callable[[int], list[bytes]]


def test_it_is_ready_when_the_golden_answers_were_given_and_not_before(machine: Any) -> None:
    machine.run(OCT_EDGE, "service", "install")
    site, asked = machine.path("/opt/site"), machine.path("/var/lib/oct-edge/asked")
    site.mkdir()
    (site / "sitecustomize.py").write_text(SLOW)
    machine.override("[Service]", "Environment=PYTHONPATH=/opt/site")
    machine.run("systemctl", "start", "--no-block", "oct-edge")
    machine.until(asked.exists)
    machine.run("sleep", 2)
    assert (machine.show("ActiveState"), machine.show("SubState")) == ("activating", "start")
    (site / "go").touch()
    machine.until(machine.is_up)


def test_a_scan_in_the_inbox_is_answered_by_a_user_who_may_nothing_and_the_status_says_so(
    serving: Any, samples: list
) -> None:
    assert serving.show("StatusText") == "0 waiting, 0 answered since the start, 0 of them rejected"
    serving.put("scan.jpeg", samples[0].read_bytes())
    serving.until(serving.answers)
    serving.until(lambda: serving.show("StatusText") == "0 waiting, 1 answered since the start, 0 of them rejected")
    (answer,) = serving.answers()
    assert (answer["status"], answer["label"]) == ("classified", "CNV")
    assert serving.states() == {"classified": 1}
    user = serving.run("id", "--user", "oct-edge").stdout.strip()
    assert 0 < int(user) < 1000
    for pid in (serving.pid(), serving.worker()):
        status = dict(line.split(":\t", 1) for line in serving.path(f"/proc/{pid}/status").read_text().splitlines())
        assert status["Uid"].split() == [user] * 4
        assert (int(status["CapEff"], 16), int(status["CapBnd"], 16)) == (0, 0)
        assert (status["NoNewPrivs"], status["Seccomp"]) == ("1", "2")
    assert "Max core file size        0 " in serving.path(f"/proc/{serving.pid()}/limits").read_text()


def test_a_reload_reads_the_configuration_again_in_the_same_process(serving: Any, samples: list) -> None:
    pid = serving.pid()
    serving.configure("# stable = 2.0", "stable = 600.0")
    serving.run("systemctl", "reload", "oct-edge")
    serving.until(lambda: "source.stable" in serving.journal())
    serving.put("scan.jpeg", samples[0].read_bytes())
    serving.until(lambda: serving.show("StatusText").startswith("1 waiting"))
    serving.run("sleep", 4)
    assert serving.results() == []
    serving.configure("stable = 600.0", "stable = -1")
    serving.run("systemctl", "reload", "oct-edge")
    serving.until(lambda: "/etc/oct-edge/oct-edge.toml:" in serving.journal())
    serving.configure("stable = -1", "stable = 0.5")
    serving.run("systemctl", "reload", "oct-edge")
    serving.until(serving.results)
    assert (serving.pid(), serving.show("NRestarts")) == (pid, "0")


def test_monitoring_finds_its_file_in_memory_and_that_nobody_watches_after_a_stop(machine: Any) -> None:
    machine.run(OCT_EDGE, "service", "install")
    machine.configure("# textfile = ", "textfile = ")
    machine.run("systemctl", "start", "oct-edge")
    file = ("cat", "/run/oct-edge/oct-edge.prom")
    machine.until(lambda: "\noct_edge_watching 1\n" in machine.run_as("nobody", *file).stdout)
    machine.run("systemctl", "stop", "oct-edge")
    assert "\noct_edge_watching 0\n" in machine.run_as("nobody", *file).stdout


def test_no_name_of_a_scan_is_in_the_journal_nor_in_what_it_keeps(serving: Any, samples: list) -> None:
    content = samples[0].read_bytes()
    serving.put("Meier_Anna.jpeg", content)
    serving.put("Meier_Bela.jpeg", content[: len(content) // 2])
    serving.put("Meier_Cleo.jpeg", b"")
    serving.put("Meier_Dora.jpeg", samples[1].read_bytes())
    serving.put("Meier_Emil.jpeg", samples[1].read_bytes())
    serving.path("/var/lib/oct-edge/inbox/Meier_Dora.jpeg").chmod(0)
    serving.until(lambda: serving.states() == {"classified": 2, "rejected": 1})
    serving.until(lambda: "unreadable" in serving.journal() and "empty_file" in serving.journal())
    serving.run("systemctl", "stop", "oct-edge")
    entries = serving.run("journalctl", "--output", "json", "--all").stdout
    assert len(entries.splitlines()) > 20
    assert "Meier" not in entries
    kept = list(serving.path("/var/log/journal").rglob("*.journal"))
    assert kept
    assert all(b"Meier" not in path.read_bytes() for path in kept)


def test_it_starts_by_itself_after_a_reboot_and_goes_on_where_it_was(serving: Any, distinct: Distinct) -> None:
    *old, new = distinct(6)
    serving.put_all(old)
    serving.until(lambda: len(serving.results()) == len(old))
    before = {path.name: path.stat().st_mtime_ns for path in serving.results()}
    serving.power_off()
    serving.boot()
    serving.until(serving.is_up)
    serving.put("new.jpeg", new)
    serving.until(lambda: serving.show("StatusText").startswith("0 waiting, 1 answered"))
    after = {path.name: path.stat().st_mtime_ns for path in serving.results()}
    assert len(after) == len(old) + 1
    assert before.items() < after.items()
    assert serving.states() == {"classified": len(old) + 1}
    assert len(json.loads(serving.run("journalctl", "--list-boots", "--output", "json").stdout)) == 2


def test_after_a_power_cut_in_the_middle_everything_is_answered_once(serving: Any, distinct: Distinct) -> None:
    contents = distinct(300)
    serving.put_all(contents)
    serving.until(serving.results)
    serving.cut_power()
    serving.boot()
    assert 0 < len(serving.results()) < len(contents)
    serving.until(lambda: len(serving.results()) == len(contents))
    assert len({answer["source"]["sha256"] for answer in serving.answers()}) == len(contents)
    assert serving.states() == {"classified": len(contents)}


def test_a_stop_ends_it_cleanly_after_the_scans_under_way(serving: Any, distinct: Distinct) -> None:
    contents = distinct(300)
    serving.put_all(contents)
    serving.until(serving.results)
    serving.run("systemctl", "stop", "oct-edge")
    assert (serving.show("ActiveState"), serving.show("Result")) == ("inactive", "success")
    assert (serving.show("ExecMainCode"), serving.show("ExecMainStatus")) == ("1", "0")  # exited, with 0
    assert serving.run("pgrep", "--uid", "oct-edge", check=False).stdout == ""
    assert 0 < len(serving.results()) < len(contents)
    serving.run("systemctl", "start", "oct-edge")
    serving.until(lambda: len(serving.results()) == len(contents))
    assert serving.states() == {"classified": len(contents)}
