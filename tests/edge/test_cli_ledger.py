"""`oct-edge results | status | regrade | audit` as people and machines meet them."""

import json
import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner
from typer.testing import Result as Done

from oct_edge.cli import app
from oct_edge.errors import ChainBroken, LedgerNotFound
from oct_edge.labels import DISCLAIMER
from oct_edge.ledger.chain import Event
from oct_edge.ledger.retention import Limits, Retention
from oct_edge.ledger.store import LEDGER, Ledger
from oct_edge.naming import naming
from oct_edge.result import ModelIdentity, Result, Source


def oct_edge(*arguments: object) -> Done:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.fixture
def state(tmp_path: Path) -> Path:
    ledger = Ledger(tmp_path)
    model = ModelIdentity("plain", "m" * 64, "none")
    with ledger.batch() as batch:
        for i in range(3):
            batch.sighted(f"{i:064}", f"{i}.jpeg")
            batch.taken(f"{i:064}", model.sha256, f"{i}.jpeg")
        batch.answered(Result("2026-11-23T10:11:12Z", Source("0.jpeg", f"{0:064}"), "rejected", model))
    ledger.close()
    return tmp_path


def test_results_are_a_table_for_people_with_the_disclaimer_beside_it(state: Path) -> None:
    done = oct_edge("results", "--state", state)
    assert [line.split()[1:3] for line in done.stdout.splitlines()[1:]] == [
        ["0.jpeg", "rejected"],
        ["1.jpeg", "pending"],
        ["2.jpeg", "pending"],
    ]
    assert DISCLAIMER in done.stderr


def test_results_for_machines_are_what_was_asked_for_and_nothing_else(state: Path) -> None:
    lines = oct_edge("results", "--state", state, "--status", "pending", "--json").output.splitlines()
    assert [json.loads(line)["name"] for line in lines] == ["1.jpeg", "2.jpeg"]
    assert len(oct_edge("results", "--state", state, "--name", "2*", "--csv").output.splitlines()) == 2


@pytest.mark.parametrize(
    "arguments", [["--since", "yesterday"], ["--label", "cnv"], ["--referral", "soon"], ["--status", "done"]]
)
def test_a_question_that_nothing_can_answer_is_a_usage_error(state: Path, arguments: list[str]) -> None:
    assert oct_edge("results", "--state", state, *arguments).exit_code == 2


def test_the_status_says_what_is_waiting(state: Path) -> None:
    assert json.loads(oct_edge("status", "--state", state, "--json").output)["states"] == {"pending": 2, "rejected": 1}
    assert "2 pending, 1 rejected" in oct_edge("status", "--state", state).output


def test_the_status_says_what_was_removed_what_waits_and_what_was_damaged(shelf: Any) -> None:
    def line(word: str) -> str:
        lines = oct_edge("status", "--state", shelf.state).output.splitlines()
        return next((line for line in lines if line.startswith(word)), "")

    shelf.answer(*"abcd")
    assert line("model").split() == ["model", "model-m"]
    assert [line("regrade"), line("retention"), line("damaged")] == ["", "", ""]
    Retention(shelf.ledger, shelf.exports, Limits(results=3)).step()
    (shelf.state / "ledger.sqlite3.damaged-20261123T101112Z").touch()
    oct_edge("regrade", "--state", shelf.state, "--all")
    shelf.answer("c")
    assert "2 not in the inbox" in line("regrade")
    assert line("retention").endswith("of 1 contents that are still known")
    assert line("damaged").split()[1] == "ledger.sqlite3.damaged-20261123T101112Z"
    assert "of which the first" in oct_edge("audit", "verify", "--state", shelf.state).output


def test_a_request_says_what_it_finds_and_who_takes_it_up(shelf: Any) -> None:
    shelf.answer(*"abc")
    shelf.restart("n")
    dry = oct_edge("regrade", "--state", shelf.state, "--dry-run", "--name", "[ab]").output
    assert dry.splitlines() == ["2 contents to grade again with model-n (nnnnnnnnnnnn)", "  2 answered by mmmmmmmmmmmm"]
    assert shelf.answer(*"abc") == []
    asked = oct_edge("regrade", "--state", shelf.state, "--name", "[ab]").output
    assert asked.startswith(dry)
    assert f"process {os.getpid()} takes the request up" in asked
    assert shelf.answer(*"abc") == ["a", "b"]
    assert list(shelf.state.glob("regrade-*")) == []


def test_a_request_that_finds_nothing_is_left_only_while_another_model_may_come(shelf: Any) -> None:
    shelf.answer("a")
    assert (
        oct_edge("regrade", "--state", shelf.state).output == "0 contents to grade again with model-m (mmmmmmmmmmmm)\n"
    )
    assert list(shelf.state.glob("regrade-*")) == []
    shelf.end()
    assert "the next start takes the request up" in oct_edge("regrade", "--state", shelf.state).output
    shelf.start("n")
    assert shelf.answer("a") == ["a"]


@pytest.mark.parametrize("arguments", [["--status", "pending"], ["--label", "cnv"], ["--since", "today"]])
def test_a_request_that_makes_no_sense_is_a_usage_error(shelf: Any, arguments: list[str]) -> None:
    assert oct_edge("regrade", "--state", shelf.state, *arguments).exit_code == 2


def test_a_request_to_a_folder_without_a_ledger_is_an_error_and_makes_nothing(tmp_path: Path) -> None:
    assert isinstance(oct_edge("regrade", "--state", tmp_path).exception, LedgerNotFound)
    assert list(tmp_path.iterdir()) == []


def test_a_backup_can_be_asked_in_a_folder_of_its_own(state: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy" / LEDGER
    copy.parent.mkdir()
    assert oct_edge("audit", "backup", copy, "--state", state).exit_code == 0
    asked = [oct_edge("audit", "verify", "--state", folder).output for folder in (state, copy.parent)]
    assert asked[0] == asked[1] != ""


def test_the_history_that_is_exported_is_the_one_that_is_verified(state: Path) -> None:
    events = [json.loads(line) for line in oct_edge("audit", "export", "--state", state).output.splitlines()]
    digests = [event.pop("hash") for event in events]
    assert [Event(**event).hash for event in events] == digests
    assert f"{len(events)} events, the last is {digests[-1]}" in oct_edge("audit", "verify", "--state", state).output
    assert oct_edge("audit", "verify", "--state", state, "--expect", digests[0]).exit_code == 0


def test_a_reader_of_the_history_that_waits_holds_nobody_up(state: Path) -> None:
    ledger = Ledger(state)
    with ledger.batch() as batch:
        for i in range(3000):
            batch.sighted(f"{i:064}", f"later {i}.jpeg")
    command = [Path(sys.executable).parent / "oct-edge", "audit", "export", "--state", state]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as pager:
        first = pager.stdout.readline()
        with ledger.batch() as batch:
            batch.sighted(f"{1:064}", "while it waits.jpeg")
        busy, *_ = ledger._open().execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        assert not busy
        events = [json.loads(line) for line in [first, *pager.stdout]]
    ledger.close()
    assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
    assert events[-1]["name"] == "while it waits.jpeg"
    assert pager.returncode == 0


@pytest.mark.parametrize(("where", "code"), [("> /dev/full", 69), ("| true", 1)])
def test_a_history_that_cannot_be_printed_ends_without_a_traceback(state: Path, where: str, code: int) -> None:
    command = f"'{Path(sys.executable).parent}/oct-edge' audit export --state '{state}'"
    script = f"{{ sleep 0.2; {command}; }} {where}; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True)
    assert "Traceback" not in done.stderr
    assert done.returncode == code


def test_a_row_that_was_edited_is_named(state: Path) -> None:
    connection = sqlite3.connect(state / LEDGER)
    connection.executescript("DROP TRIGGER events_are_not_changed; UPDATE events SET name = 'x' WHERE seq = 4")
    connection.close()
    done = oct_edge("audit", "verify", "--state", state)
    assert isinstance(done.exception, ChainBroken)
    assert "event 4 was altered" in done.exception.message


def test_a_file_is_found_by_its_name_where_names_are_pseudonyms(state: Path) -> None:
    pseudonym = naming("hashed", state)("Meier_Anna.jpeg")
    with closing(Ledger(state)) as ledger, ledger.batch() as batch:
        batch.sighted("f" * 64, pseudonym)
    found = oct_edge("results", "--state", state, "--name", "Meier_Anna.jpeg", "--json").output
    assert [json.loads(line)["name"] for line in found.splitlines() if line.startswith("{")] == [pseudonym]
