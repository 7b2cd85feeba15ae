"""What the daemon looks at besides scans: how often, what becomes of it, and that nothing of it can end the daemon."""

import json
from itertools import pairwise
from pathlib import Path

import pytest

from oct_edge.board import Board
from oct_edge.clock import Clock
from oct_edge.errors import ConfigurationError
from oct_edge.health import Health, read_health
from oct_edge.ledger.store import Ledger
from oct_edge.monitor import Monitor, written_bytes
from oct_edge.result import ModelIdentity, Result, Source, Timing
from oct_models import DEFAULT

parser = pytest.importorskip("prometheus_client.parser")

MODEL = ModelIdentity("plain", "m" * 64, "none")


class Device:
    """A state folder, a clock and a board that can be spoilt, and the monitor of a daemon there."""

    def __init__(self, folder: Path, textfile: Path | None, model: str = DEFAULT) -> None:
        self.folder, self.textfile, self.model = folder, textfile, model
        self.seconds, self.board, self.is_set, self.board_looks = 100.0, Board((), (), None), True, 0
        self.answered = 0
        self.start()

    def start(self) -> None:
        self.health = Health(self.folder, lambda: self.seconds)
        self.monitor = Monitor(
            self.folder,
            self.health,
            MODEL,
            self.model,
            self.textfile,
            clock=lambda: self.seconds,
            time_of_day=Clock(lambda: self.is_set, lambda: self.seconds, lambda: self.seconds),
            board=self._look_at_board,
        )

    def _look_at_board(self) -> Board | None:
        self.board_looks += 1
        return self.board

    def look(self, after: float = 0.0, waiting: int = 0) -> None:
        self.seconds += after
        self.monitor.look(waiting)

    def answer(self, label: str = "CNV", seconds: float = 0.02) -> None:
        """A new content gets an answer."""
        self.answered += 1
        source, timing = Source("x.jpeg", f"{self.answered:064}"), Timing(1.0, 1000 * seconds, 1.0)
        result = Result("2026-11-23T10:11:12Z", source, "classified", MODEL, label=label, timing_ms=timing)
        ledger = Ledger(self.folder)
        with ledger.batch() as batch:
            batch.answered(result)
        ledger.close()
        self.monitor.answered(result)

    def metrics(self) -> dict[str, float]:
        assert self.textfile
        return {
            sample.name.removeprefix("oct_edge_")
            + "".join(f" {value}" for value in sample.labels.values()): sample.value
            for family in parser.text_string_to_metric_families(self.textfile.read_text())
            for sample in family.samples
        }


@pytest.fixture
def device(tmp_path: Path) -> Device:
    (tmp_path / "state").mkdir()
    return Device(tmp_path / "state", tmp_path / "oct-edge.prom")


def test_a_clock_that_is_not_set_is_said_until_it_is(device: Device) -> None:
    device.is_set = False
    device.look()
    assert set(device.health.reasons) == {"clock_unsynced"}
    device.is_set = True
    device.look(after=4)
    assert set(device.health.reasons) == {"clock_unsynced"}
    device.look(after=1)
    assert not device.health.reasons


def test_the_board_is_asked_once_a_minute(device: Device) -> None:
    device.board = Board(("undervoltage", "throttled"), (), 81.0)
    for _ in range(600):
        device.look(after=0.25)
    assert device.board_looks == 3
    assert set(device.health.reasons) == {"undervoltage", "throttled"}
    device.board = Board(("throttled",), ("undervoltage",), 81.0)
    device.look(after=60)
    assert set(device.health.reasons) == {"throttled"}
    device.board = None
    device.look(after=60)
    assert not device.health.reasons


def test_what_was_answered_and_written_is_counted_and_kept(device: Device) -> None:
    device.look()
    for _ in range(3):
        device.answer()
    device.look(after=30, waiting=7)
    kept = read_health(device.folder)
    assert (kept["counters"]["answered"], kept["waiting"]) == (3, 7)
    assert kept["counters"]["written_bytes"] <= written_bytes()
    assert kept["model"] == {**vars(MODEL), "asked_for": DEFAULT}


def test_a_model_that_is_a_file_is_found_again_from_anywhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Device(tmp_path, None, "mine.tflite").health.close()
    assert read_health(tmp_path)["model"]["asked_for"] == str(tmp_path / "mine.tflite")


def test_the_textfile_is_written_at_most_every_15_seconds_also_when_nothing_changes(device: Device) -> None:
    ages = []
    for _ in range(60):
        device.look(after=1)
        ages.append(device.textfile.stat().st_ino)
    assert 4 <= sum(before != after for before, after in pairwise(ages)) + 1 <= 5


def test_the_counters_go_on_after_a_restart_and_the_histogram_begins_anew(device: Device) -> None:
    device.answer()
    device.answer("NORMAL")
    device.look()
    before = device.metrics()
    assert (before["scans_total classified CNV"], before["scans_total classified NORMAL"]) == (1, 1)
    assert before["inference_seconds_count"] == 2
    device.monitor.close()
    device.health.close()
    device.start()
    device.answer()
    device.look()
    after = device.metrics()
    assert (after["scans_total classified CNV"], after["scans_total classified NORMAL"]) == (2, 1)
    assert after["inference_seconds_count"] == 1


def test_after_a_kill_nothing_is_counted_twice_or_left_out(device: Device) -> None:
    device.answer()
    device.look()
    device.answer()
    device.start()
    device.answer()
    device.look()
    assert device.metrics()["scans_total classified CNV"] == 3


def test_the_end_is_told(device: Device) -> None:
    device.look()
    assert device.metrics()["watching"] == 1
    device.monitor.close()
    assert device.metrics()["watching"] == 0


def test_a_textfile_that_cannot_be_written_is_said_and_tried_again(device: Device) -> None:
    assert device.textfile
    device.textfile.mkdir()
    device.look()
    assert set(device.health.reasons) == {"metrics_unwritable"}
    device.textfile.rmdir()
    device.look(after=15)
    assert not device.health.reasons
    assert device.metrics()["degraded metrics_unwritable"] == 1  # when it was written, that still held
    device.look(after=15)
    assert device.metrics()["degraded metrics_unwritable"] == 0


def test_without_a_textfile_nothing_is_counted_or_written(tmp_path: Path) -> None:
    device = Device(tmp_path, None)
    device.answer()
    device.look()
    device.monitor.close()
    assert read_health(tmp_path)["tally"]["answers"] == []
    assert not list(tmp_path.glob("*.prom"))


def test_a_ledger_that_cannot_be_read_is_counted_later(device: Device) -> None:
    device.answer()
    ledger = device.folder / "ledger.sqlite3"
    content = ledger.read_bytes()
    ledger.write_bytes(b"text" * 1000)
    device.look()
    assert device.metrics()["scans_total classified CNV"] == 0
    ledger.write_bytes(content)
    device.look(after=15)
    assert device.metrics()["scans_total classified CNV"] == 1


def test_a_name_that_no_collector_reads_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError):
        Device(tmp_path, tmp_path / "metrics.txt")


def test_nothing_is_written_where_nothing_happens(device: Device) -> None:
    device.textfile = None
    device.start()
    device.look()
    kept = device.folder / "health.json"
    before = kept.stat().st_ino, kept.read_bytes()
    for _ in range(1000):
        device.look(after=10)
    assert (kept.stat().st_ino, kept.read_bytes()) == before


@pytest.mark.parametrize("content", ["", "rchar: 1\n", "write_bytes: many\n", "write_bytes"])
def test_a_kernel_that_does_not_count_is_no_failure(tmp_path: Path, content: str) -> None:
    (tmp_path / "io").write_text(content)
    assert written_bytes(tmp_path / "io") is None
    assert written_bytes(tmp_path / "missing") is None
    (tmp_path / "io").write_text("rchar: 1\nwrite_bytes: 8192\ncancelled_write_bytes: 0\n")
    assert written_bytes(tmp_path / "io") == 8192


def test_what_is_kept_fits_into_one_block(device: Device) -> None:
    for _ in range(20):
        device.answer()
    device.board = Board(("undervoltage", "throttled"), (), 81.0)
    device.is_set = False
    device.look()
    assert len(json.dumps(read_health(device.folder))) < 4096
