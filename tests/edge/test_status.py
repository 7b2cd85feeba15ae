"""`oct-edge status`: what is told of a daemon that watches, of one that does not, and of the device."""

import json
import os
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import pytest
from typer.testing import CliRunner

from oct_edge.cli import app
from oct_edge.drift import CAVEAT, LATEST
from oct_edge.health import HINTS, Health
from oct_edge.labels import DISCLAIMER
from oct_edge.ledger.store import Ledger
from oct_edge.monitor import Monitor
from oct_edge.result import ModelIdentity, Result, Source
from oct_edge.status import SCHEMA, lines, status
from oct_models import DEFAULT, bundled_models

BUNDLED = ModelIdentity(DEFAULT, sha256(bundled_models()[DEFAULT].read_bytes()).hexdigest(), "litert 2.3.0")
OTHER = ModelIdentity("other", "0" * 64, "litert 2.3.0")
AS_TRAINED = {"CNV": 70, "DME": 22, "DRUSEN": 15, "NORMAL": 93}


@pytest.fixture
def answer(tmp_path: Path) -> Callable[..., None]:
    """Write down so many answers of each class."""

    def answer(counts: dict[str, int], model: ModelIdentity = BUNDLED, confidence: float = 0.97) -> None:
        ledger = Ledger(tmp_path)
        with ledger.batch() as batch:
            for label in (label for label, count in counts.items() for _ in range(count)):
                scan = f"{ledger.head.seq + batch.head.seq:064}"
                batch.answered(
                    Result(
                        "2026-11-23T10:11:12Z",
                        Source("Meier.jpeg", scan),
                        "classified",
                        model,
                        label=label,
                        probabilities={label: confidence},
                    )
                )
        ledger.close()

    return answer


def told(folder: Path) -> str:
    return "\n".join(lines(status(folder)))


def test_the_document_is_one_object_with_its_schema_and_the_disclaimer(tmp_path: Path) -> None:
    Ledger(tmp_path).close()
    done = CliRunner().invoke(app, ["status", "--state", str(tmp_path), "--json"])
    found = json.loads(done.stdout)
    assert (done.exit_code, done.stdout.count("\n")) == (0, 1)
    assert (found["schema"], found["disclaimer"]) == (SCHEMA, DISCLAIMER)
    assert DISCLAIMER in CliRunner().invoke(app, ["status", "--state", str(tmp_path)]).stderr


def test_of_a_daemon_that_watches_all_is_told(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    health = Health(tmp_path)
    Monitor(tmp_path, health, BUNDLED, DEFAULT)
    health.degrade("disk_full", "/var: \x1b[2Jno space")
    health.counters.update(answered=4, written_bytes=100_000)
    health.facts["waiting"] = 17
    health.close()
    found = status(tmp_path)
    text = told(tmp_path)
    ledger.close()
    assert found["watched_by"] == found["process"]["pid"] == os.getpid()
    assert found["waiting"] == 17
    assert found["process"]["written_bytes_a_scan"] == 25_000
    (reason,) = found["degraded"]
    assert (reason["code"], reason["hint"]) == ("disk_full", HINTS["disk_full"])
    shown = text.splitlines()
    place = shown.index(f"degraded     disk_full since {reason['since']}: /var: \\x1b[2Jno space")
    assert shown[place + 1].strip() == HINTS["disk_full"]
    assert f"process {os.getpid()} since" in text
    assert f"with {DEFAULT} on litert 2.3.0" in text
    assert "17 scans in the inbox" in text
    assert "25.0 kB written a scan, over 4 scans" in text


@pytest.mark.parametrize("watching", [True, False])
def test_what_a_process_left_that_does_not_watch_now_is_not_told_as_if_it_held(tmp_path: Path, watching: bool) -> None:
    ledger = Ledger(tmp_path)
    health = Health(tmp_path)
    health.degrade("disk_full", "Full.")
    if watching:
        path = tmp_path / "health.json"
        path.write_text(path.read_text().replace(f'"pid": {os.getpid()}', '"pid": 1'))
    else:
        ledger.close()
    found = status(tmp_path)
    ledger.close()
    assert (found["degraded"], found["process"], found["waiting"]) == ([], None, None)
    assert found["watched_by"] == (os.getpid() if watching else None)


def test_answers_like_those_in_training_are_nothing_to_look_at(tmp_path: Path, answer: Callable[..., None]) -> None:
    answer(AS_TRAINED)
    found = status(tmp_path)["drift"]
    assert (found["model"], found["answers"], found["conspicuous"]) == (DEFAULT, LATEST, False)
    assert found["caveat"] == CAVEAT
    assert CAVEAT not in told(tmp_path)


def test_answers_unlike_those_are_told_with_the_caveat(tmp_path: Path, answer: Callable[..., None]) -> None:
    answer({"DME": 150, "NORMAL": 50})
    assert status(tmp_path)["drift"]["mix"]["psi"] > 0.25
    assert "drift        The mix of classes is unlike that of the training scans" in told(tmp_path)
    assert CAVEAT in told(tmp_path)


def test_only_the_latest_answers_are_looked_at(tmp_path: Path, answer: Callable[..., None]) -> None:
    answer({"DRUSEN": 500})
    answer(AS_TRAINED)
    assert status(tmp_path)["drift"]["conspicuous"] is False


def test_answers_of_another_model_are_none_of_this_one(tmp_path: Path, answer: Callable[..., None]) -> None:
    answer({"DRUSEN": 150}, OTHER)
    answer({"DME": 50})
    assert status(tmp_path)["drift"]["findings"] == ("Of 50 answers nothing can be said yet; 100 are needed.",)


def test_a_model_that_is_not_bundled_is_found_where_the_daemon_had_it(
    tmp_path: Path, answer: Callable[..., None]
) -> None:
    content = bundled_models()[DEFAULT].read_bytes()
    moved = tmp_path / "mine.tflite"
    moved.write_bytes(content + b"\0")
    mine = ModelIdentity("mine", sha256(moved.read_bytes()).hexdigest(), "none")
    answer(AS_TRAINED, mine)
    assert "not at hand" in told(tmp_path)
    health = Health(tmp_path)
    Monitor(tmp_path, health, mine, str(moved))
    health.close()
    assert status(tmp_path)["drift"]["mix"]["psi"] < 0.1
    moved.write_bytes(content)
    assert "not at hand" in told(tmp_path)


def test_nothing_was_answered_yet(tmp_path: Path) -> None:
    Ledger(tmp_path).close()
    assert status(tmp_path)["drift"]["findings"] == ("Nothing was classified yet.",)
    assert "nobody" in told(tmp_path)
    assert "last answer  -" in told(tmp_path)


def test_no_name_is_told(tmp_path: Path, answer: Callable[..., None]) -> None:
    answer(AS_TRAINED)
    assert "Meier" not in json.dumps(status(tmp_path))
