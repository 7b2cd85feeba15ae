"""Other answers on request: only what was asked for, once, and nothing of the history is lost."""

import json
import logging
import os
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from oct_edge.ledger.query import Query
from oct_edge.ledger.request import PATTERN, Request, leave, new_request
from oct_edge.watch import Watcher


def ask(shelf: Any, also_same: bool = False, **query: str) -> Path:
    return leave(shelf.state, new_request(Query(**query), also_same))


def test_another_model_grades_nothing_again_until_it_is_asked_to(shelf: Any) -> None:
    shelf.answer("a", "b")
    shelf.restart("n")
    assert shelf.answer("a", "b") == []
    ask(shelf)
    assert shelf.answer("a", "b") == ["a", "b"]
    assert shelf.answer("a", "b") == []
    assert shelf.files() == {"a": "n", "b": "n"}


def test_the_old_answer_stays_in_the_history_and_the_last_one_is_the_state(shelf: Any) -> None:
    shelf.answer("a")
    shelf.restart("n")
    ask(shelf)
    shelf.answer("a")
    assert shelf.history("a") == [("pending", "m"), ("classified", "m"), ("regrade", "n"), ("classified", "n")]
    assert shelf.ledger._rows("SELECT state, substr(model, 1, 1) FROM scans") == [("classified", "n")]
    assert shelf.status()["states"] == {"classified": 1}


def test_what_this_model_answered_is_graded_again_only_with_all(shelf: Any) -> None:
    shelf.answer("a")
    ask(shelf)
    assert shelf.answer("a") == []
    ask(shelf, also_same=True)
    assert shelf.answer("a") == ["a"]
    assert [kind for kind, _ in shelf.history("a")] == ["pending", "classified", "regrade", "classified"]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"state": "rejected"}, ["b"]),
        ({"name": "a*"}, ["a"]),
        ({"label": "CNV"}, ["a", "c"]),
        ({"until": "2020"}, []),
        ({"state": "rejected", "name": "a*"}, []),
    ],
)
def test_everything_that_is_given_narrows_the_request(shelf: Any, query: dict[str, str], expected: list[str]) -> None:
    shelf.rejects = {"b"}
    shelf.answer("a", "b", "c")
    shelf.restart("n")
    ask(shelf, **query)
    assert shelf.answer("a", "b", "c") == expected


def test_a_scan_that_is_no_longer_rejected_loses_its_note(shelf: Any) -> None:
    shelf.rejects = {"b"}
    shelf.answer("a", "b")
    assert shelf.notes() == ["b"]
    shelf.rejects = {"a"}
    ask(shelf, also_same=True)
    shelf.answer("a", "b")
    assert shelf.notes() == ["a"]


def test_another_answer_takes_the_place_of_the_file_whatever_the_scan_is_called_now(shelf: Any) -> None:
    shelf.answer("b1")
    ask(shelf, also_same=True)
    assert shelf.answer("b0", "b1") == ["b1"]
    assert list(shelf.files()) == ["b1"]


def test_a_request_is_taken_up_once_even_if_a_crash_leaves_its_file(shelf: Any) -> None:
    shelf.answer("a")
    path = ask(shelf, also_same=True)
    request = path.read_bytes()
    assert shelf.answer("a") == ["a"]
    assert not path.exists()
    path.write_bytes(request)
    shelf.restart()
    assert shelf.answer("a") == []
    assert not path.exists()


def test_a_request_that_was_taken_up_and_not_answered_is_found_by_the_next_start(shelf: Any) -> None:
    shelf.answer("a", "b")
    ask(shelf, also_same=True)
    assert shelf.intake.regrading.take_up() == {"a", "b"}
    shelf.restart("n")
    assert shelf.intake.regrading.take_up() == {"a", "b"}
    assert shelf.answer("a", "b") == ["a", "b"]
    assert [kind for kind, _ in shelf.history("a")].count("regrade") == 1


def test_two_requests_for_one_content_are_one_answer(shelf: Any) -> None:
    shelf.answer("a")
    for _ in range(2):
        ask(shelf, also_same=True)
    assert shelf.answer("a", "a2") == ["a"]
    assert [kind for kind, _ in shelf.history("a")] == ["pending", "classified", "regrade", "classified"]


def test_a_content_that_is_gone_keeps_its_answer_is_reported_and_gets_the_other_when_it_is_back(
    shelf: Any, caplog: pytest.LogCaptureFixture
) -> None:
    shelf.answer("a", "b")
    shelf.restart("n")
    ask(shelf)
    assert shelf.status()["to_regrade"] == {"waiting": 0, "unavailable": 0}
    shelf.intake.regrading.take_up()
    assert shelf.status()["to_regrade"] == {"waiting": 2, "unavailable": 0}
    with caplog.at_level(logging.WARNING):
        assert shelf.answer("a") == ["a"]
    assert "not in the inbox and keep their answers: 1" in caplog.text
    for _ in range(2):
        assert shelf.status()["to_regrade"] == {"waiting": 0, "unavailable": 1}
        assert shelf.files() == {"a": "n", "b": "m"}
        assert shelf.status()["states"] == {"classified": 2}
        shelf.restart("n")
        assert shelf.answer("a") == []
    assert shelf.answer("a", "b") == ["b"]
    assert shelf.status()["to_regrade"] == {"waiting": 0, "unavailable": 0}


def test_files_that_were_answered_are_read_again_without_a_restart_and_no_others(shelf: Any, tmp_path: Path) -> None:
    inbox = tmp_path / "inbox"
    inbox.mkdir()
    for name, content in (("a.png", b"a"), ("copy.png", b"a"), ("b.png", b"b")):
        (inbox / name).write_bytes(content)
    read: list[None] = []
    watcher = Watcher(inbox, delay=0, progress=lambda: read.append(None))
    stop = type("Never", (), {"is_set": lambda self: False})()
    assert len(list(watcher.take(shelf.intake, stop))) == 2
    assert not watcher.pending()
    ask(shelf, also_same=True, name="copy*")
    read.clear()
    assert [result.source.name for result in watcher.take(shelf.intake, stop)] == ["a.png"]
    assert len(read) == 3  # a look at the folder and two files
    assert not watcher.pending()


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"id": "x", "query": {"later": 1}, "also_same": true}', "\xff"])
def test_a_request_that_nobody_understands_is_said_once_and_delays_nothing(
    shelf: Any, text: str, caplog: pytest.LogCaptureFixture
) -> None:
    (shelf.state / "regrade-x.json").write_bytes(text.encode("latin-1"))
    assert shelf.answer("a") == ["a"]
    assert shelf.answer("a", "b") == ["b"]
    assert caplog.text.count("regrade-x.json") == 1


def test_a_request_reads_back_as_it_was_left(tmp_path: Path) -> None:
    request = new_request(Query(label="CNV", name="é*"), True)
    path = leave(tmp_path, request)
    assert path.match(PATTERN)
    assert Request.from_json(path.read_text()) == request
    assert path.stat().st_mode & 0o777 == 0o640
    assert json.loads(request.mark())["request"] == request.id
    assert new_request(Query(), False).id != new_request(Query(), False).id


ASK = """if True:
    import os, sys
    from pathlib import Path
    from oct_edge.console import complain
    from oct_edge.errors import OutputUnavailable
    from oct_edge.ledger.query import Query
    from oct_edge.ledger.request import leave, new_request

    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)
    try:
        leave(Path(sys.argv[1]), new_request(Query(), False))
    except OutputUnavailable as error:
        complain(error)
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to become somebody who may only read")
def test_somebody_who_may_only_read_is_told_who_may_ask() -> None:
    with TemporaryDirectory() as public:
        Path(public).chmod(0o755)
        done = subprocess.run([sys.executable, "-c", ASK, public], capture_output=True, text=True)
        assert "permission denied" in done.stderr
        assert "as root or as the user of the service" in done.stderr
        assert list(Path(public).iterdir()) == []
