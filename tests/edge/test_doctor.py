"""`oct-edge doctor`: what it prints, how it ends, and the page that it writes."""

import json
import os
import pwd
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from oct_edge.doctor.finding import Finding, lines
from oct_edge.doctor.report import Row, measure, report
from oct_models import bundled_models

Run = Callable[..., subprocess.CompletedProcess[str]]
ORDER = ["runtime", "golden answers", "camera", "Edge TPU", "clock", "temperature", "throttling", "settings", "disk"]


@pytest.fixture
def watched(tmp_path: Path) -> Path:
    """A configuration with an inbox that is there."""
    (tmp_path / "inbox").mkdir()
    file = tmp_path / "oct-edge.toml"
    file.write_text(f'[source]\ninbox = "{tmp_path}/inbox"\n[output]\nfolder = "{tmp_path}/results"\n')
    return file


def test_all_is_told_in_its_order_and_nothing_fails_here(run_command: Run, watched: Path) -> None:
    done = run_command("oct-edge", "doctor", "--config", watched, "--json")
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == 0, done.stdout
    whats = [one["what"] for one in found if not one["what"].startswith(("also", "permissions"))]
    assert list(dict.fromkeys(whats)) == ORDER
    assert all(one["cure"] for one in found if one["state"] != "ok")
    assert not (watched.parent / "results").exists()


def test_what_fails_is_told_with_its_cure_and_the_exit_code(run_command: Run, watched: Path) -> None:
    (watched.parent / "inbox").rmdir()
    done = run_command("oct-edge", "doctor", "--config", watched)
    assert done.returncode == 1
    printed = done.stdout.splitlines()
    place = next(i for i, line in enumerate(printed) if line.startswith("fail"))
    assert "source.inbox" in printed[place]
    assert printed[place + 1].strip().startswith("-> sudo install -d")
    assert "not a medical device" in done.stderr
    assert "\x1b" not in done.stdout


def test_states_are_coloured_where_that_is_wanted() -> None:
    finding = Finding("disk", "fail", "full\x1b[2J", "rm x")
    assert list(lines([finding])) == ["fail  disk           full\\x1b[2J", f"{'':21}-> rm x"]
    assert next(lines([finding], coloured=True)).startswith("\x1b[31mfail\x1b[0m  disk")


@pytest.fixture(scope="module")
def rows() -> list[Row]:
    return list(measure("auto", lambda line: None, rounds=10))


def test_the_page_begins_with_a_row_for_the_table_of_devices(rows: list[Row]) -> None:
    page = report([Finding("clock", "ok", "it was set")], rows)
    row = next(line for line in page.splitlines() if line.startswith("| ") and "`mobilenet-int8`" in line)
    table = (Path(__file__).parents[2] / "docs/devices.md").read_text()
    assert row.count(" | ") == table.splitlines()[4].count(" | ")
    assert all(f"`{name}`: litert" in row and " scans/s" in row for name in bundled_models())
    assert "| clock | ok | it was set |" in page
    assert "not a medical device" in page


def test_a_model_that_answers_wrongly_is_not_measured() -> None:
    died = Row("m", {"died": "died (SIGILL)"}, ())
    wrong = Row("n", {"golden": None, "error": {"message": "n: golden answers differ."}}, ())
    page = report([], [died, wrong])
    assert "`m`: died (SIGILL); `n`: n: golden answers differ." in page
    assert "`m`: not measured; `n`: not measured" in page


def test_the_page_says_nothing_of_whose_device_it_is(run_command: Run, watched: Path) -> None:
    page = watched.parent / "row.md"
    done = run_command("oct-edge", "doctor", "--config", watched, "--report", page)
    assert done.returncode == 0, done.stdout
    text = page.read_text()
    assert text.count("scans/s") > len(bundled_models())
    for name in (socket.gethostname(), pwd.getpwuid(os.geteuid()).pw_name, str(watched.parent), str(Path.cwd())):
        assert name not in text
