"""The service while it is killed, stopped and held up: systemd starts it again where that helps."""

from collections.abc import Callable
from typing import Any

import pytest

pytestmark = [pytest.mark.system, pytest.mark.nightly]

OCT_EDGE = "/opt/oct-edge/bin/oct-edge"
SOON = "RestartSec=200ms"
HOLD = """
import sqlite3, time
connection = sqlite3.connect("/var/lib/oct-edge/state/ledger.sqlite3", isolation_level=None)
connection.execute("BEGIN IMMEDIATE")
time.sleep(600)
"""


@pytest.fixture
def watched(machine: Any) -> Any:
    """The service runs, and is given up by the watchdog after eight seconds."""
    machine.run(OCT_EDGE, "service", "install")
    machine.override("[Service]", SOON, "WatchdogSec=8")
    machine.run("systemctl", "start", "oct-edge")
    return machine


def test_a_daemon_that_hangs_is_restarted_by_the_watchdog(watched: Any, samples: list) -> None:
    """Somebody holds the ledger, so that it waits in the middle of a scan."""
    hanging = watched.pid()
    hold = ("systemd-run", "--unit", "hold", "--uid", "oct-edge", "python3", "-c", HOLD)
    watched.run(*hold)
    watched.put("scan.jpeg", samples[0].read_bytes())
    watched.until(lambda: "Watchdog timeout" in watched.journal())
    watched.run("systemctl", "stop", "hold")
    watched.until(lambda: watched.is_up() and watched.pid() != hanging)
    watched.until(watched.answers)
    assert watched.states() == {"classified": 1}


def test_a_daemon_that_was_stopped_is_restarted_by_the_watchdog(watched: Any, samples: list) -> None:
    stopped = watched.pid()
    watched.signal("STOP", stopped)
    watched.until(lambda: watched.show("NRestarts") == "1" and watched.is_up())
    assert watched.pid() != stopped
    assert "Watchdog timeout" in watched.journal()
    watched.put("scan.jpeg", samples[0].read_bytes())
    watched.until(watched.answers)


def test_a_daemon_that_works_or_waits_is_left_alone_by_the_watchdog(
    watched: Any, distinct: Callable[[int], list[bytes]]
) -> None:
    contents = distinct(200)
    pid = watched.pid()
    watched.put_all(contents)
    watched.until(lambda: len(watched.results()) == len(contents))
    watched.run("sleep", 12)
    assert (watched.pid(), watched.show("NRestarts")) == (pid, "0")


def test_a_daemon_that_was_killed_is_restarted_and_nothing_lost(
    machine: Any, distinct: Callable[[int], list[bytes]]
) -> None:
    contents = distinct(300)
    machine.run(OCT_EDGE, "service", "install")
    machine.override("[Service]", SOON)
    machine.put_all(contents)
    machine.run("systemctl", "start", "oct-edge")
    machine.until(machine.results)
    machine.run("systemctl", "kill", "--signal", "KILL", "--kill-whom", "main", "oct-edge")
    machine.until(lambda: machine.show("NRestarts") == "1")
    told = machine.answers()
    assert len(told) < len(contents)
    machine.until(lambda: len(machine.results()) == len(contents))
    answers = machine.answers()
    assert all(answer in answers for answer in told)
    assert len({answer["source"]["sha256"] for answer in answers}) == len(contents)
    assert machine.states() == {"classified": len(contents)}


def test_a_worker_that_was_killed_is_replaced_by_the_daemon_and_systemd_has_nothing_to_do(
    serving: Any, samples: list
) -> None:
    daemon, worker = serving.pid(), serving.worker()
    serving.signal("KILL", worker)
    serving.put("scan.jpeg", samples[0].read_bytes())
    serving.until(serving.answers)
    assert (serving.pid(), serving.show("NRestarts")) == (daemon, "0")
    assert serving.worker() != worker


@pytest.mark.parametrize(
    ("was", "written", "said"),
    [
        ('# name = "mobilenet-int8"', 'name = "nothing"', "model_not_found"),
        ("[output]", "[ouput]", "/etc/oct-edge/oct-edge.toml:"),
    ],
    ids=["model", "configuration"],
)
def test_what_cannot_work_is_not_started_again(machine: Any, was: str, written: str, said: str) -> None:
    machine.run(OCT_EDGE, "service", "install")
    machine.configure(was, written)
    machine.override("[Service]", SOON)
    assert machine.run("systemctl", "start", "oct-edge", check=False).returncode != 0
    machine.run("sleep", 2)
    assert (machine.show("ActiveState"), machine.show("ExecMainStatus")) == ("failed", "78")
    assert machine.show("NRestarts") == "0"
    assert machine.show("ActiveEnterTimestampMonotonic") == "0"  # it was never ready
    assert said in machine.journal()


def test_a_loop_of_restarts_ends_and_an_installation_begins_anew(machine: Any) -> None:
    machine.run(OCT_EDGE, "service", "install")
    killed = "ExecStartPost=/bin/kill -KILL $MAINPID"
    machine.override("[Unit]", "StartLimitBurst=3", "[Service]", SOON, killed)
    machine.run("systemctl", "start", "oct-edge", check=False)
    machine.until(lambda: "Start request repeated too quickly" in machine.journal())
    assert (machine.show("ActiveState"), machine.show("NRestarts")) == ("failed", "3")
    assert machine.run("systemctl", "start", "oct-edge", check=False).returncode != 0
    machine.override()
    machine.run(OCT_EDGE, "service", "install", "--now")
    assert machine.is_up()
