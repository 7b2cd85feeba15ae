"""Phantoms in, a trained network, an int8 model, an answer out: the road as a user walks it."""

import json
import os
import shutil
import subprocess
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from ai_edge_litert import schema_py_generated as schema

from oct_converters.metadata import NAME
from oct_edge.bundle import open_bundle
from oct_edge.errors import ModelError
from oct_edge.labels import LABELS
from oct_edge.preprocess import PREPROCESSING

pytestmark = [pytest.mark.tf, pytest.mark.slow]

Command = Callable[..., subprocess.CompletedProcess[str]]
LOOSE = ("--max-accuracy-drop", 1, "--min-agreement", 0, "--max-mean-change", 1, "--max-lost", 1)


@pytest.fixture(scope="module")
def models(runs: Path, phantoms: Path, tmp_path_factory: pytest.TempPathFactory, run_command: Command) -> Path:
    """`oct-convert --int8` of both runs, gates loosened for so short a training."""
    out = tmp_path_factory.mktemp("models")
    done = run_command("oct-convert", "--int8", "--runs", runs, "--data", phantoms, "--out", out, *LOOSE)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == [str(out / f"{network}-int8.tflite") for network in ("mobilenet", "compact")]
    return out


@pytest.mark.parametrize("network", ["mobilenet", "compact"])
def test_a_run_says_what_it_is_and_how_good(runs: Path, network: str) -> None:
    record = json.loads((runs / network / "metrics.json").read_text())
    assert record["classes"] == list(LABELS)
    assert record["data"]["phantoms"] is True
    assert record["data"]["phantom_scans"]["train"] == 16
    assert record["data"]["scans"]["train"] == dict.fromkeys(LABELS, 4)
    for split in ("val", "test"):
        figures = record["metrics"][split]
        assert sum(map(sum, figures["confusion_matrix"])) == figures["scans"]
        assert 0 <= figures["accuracy"]["low"] <= figures["accuracy"]["value"] <= figures["accuracy"]["high"] <= 1
    names = {path.name for path in (runs / network).iterdir()}
    assert names == {"model.keras", "metrics.json", "history.csv", "split.csv", "predictions.csv"}


@pytest.mark.parametrize("network", ["mobilenet", "compact"])
def test_the_converted_model_answers_on_the_device(
    models: Path, samples: list[Path], network: str, run_command: Command
) -> None:
    model = models / f"{network}-int8.tflite"
    done = run_command("oct-edge", "classify", "--json", "--model", model, samples[0])
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["model"]["name"] == f"{network}-int8"


@pytest.mark.parametrize("network", ["mobilenet", "compact"])
def test_the_card_tells_where_the_model_comes_from(models: Path, network: str) -> None:
    card = open_bundle(str(models / f"{network}-int8.tflite")).card
    assert card["quantization"]["calibration_scans"] == dict.fromkeys(LABELS, 4)
    assert card["quantization"]["calibration_consumed"] == 16
    assert card["training"]["phantoms"] is True
    assert card["training"]["leak"] is None
    assert card["training"]["class_prior"] == dict.fromkeys(LABELS, 0.25)
    assert card["metrics"]["int8"]["test"]["scans"] == card["metrics"]["float32"]["test"]["scans"]
    for figures in card["metrics"]["int8"].values():
        assert 0.25 <= figures["confidence"]["value"] <= 1
    assert "not a medical device" in card["disclaimer"]


@pytest.mark.parametrize("network", ["mobilenet", "compact"])
def test_the_converted_file_has_what_other_readers_look_for(models: Path, network: str) -> None:
    content = (models / f"{network}-int8.tflite").read_bytes()
    model = schema.ModelT.InitFromPackedBuf(content, 0)
    (entry,) = (entry for entry in model.metadata if entry.name == NAME)
    assert f"{network}-int8".encode() in bytes(model.buffers[entry.buffer].data)
    assert {model.subgraphs[0].tensors[i].type for i in model.subgraphs[0].outputs} == {schema.TensorType.UINT8}
    with zipfile.ZipFile(models / f"{network}-int8.tflite") as tail:
        assert tail.read("labels.txt").decode().split() == list(LABELS)


def test_the_report_covers_every_scan_but_the_calibration_set(models: Path) -> None:
    report = json.loads((models / "compact-int8.parity.json").read_text())
    assert report["passed"] is True
    assert set(report["scans"]) == {"val", "test"}, "all sixteen training scans calibrated"
    for reader in report["int8"].values():
        assert reader["all"]["scans"] == reader["held_out"]["scans"] == sum(report["scans"].values())
    assert {"litert", "litert without XNNPACK"} <= set(report["int8"])
    assert report["float32"]["agreement"] == 1
    assert (models / "compact-int8.parity.md").read_text().startswith("# Parity of compact-int8\n\n**Passed**")


def test_a_failed_gate_leaves_a_report_and_no_model(
    runs: Path, phantoms: Path, tmp_path: Path, run_command: Command
) -> None:
    impossible = ("--max-mean-change", 0, "--network", "compact")
    done = run_command("oct-convert", "--int8", "--runs", runs, "--data", phantoms, "--out", tmp_path, *impossible)
    assert done.returncode == 1
    assert "error [gate_failed]" in done.stderr
    assert "max-mean-change" in done.stderr
    report = json.loads((tmp_path / "compact-int8.parity.json").read_text())
    assert report["passed"] is False
    assert {failure["gate"] for failure in report["failures"]} >= {"max-mean-change"}
    assert "**Refused.**" in (tmp_path / "compact-int8.parity.md").read_text()
    assert not list(tmp_path.glob("*.tflite"))


def test_other_formats_are_compared_and_the_edge_tpu_is_checked_where_no_compiler_is(
    runs: Path, phantoms: Path, tmp_path: Path, run_command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    if shutil.which("edgetpu_compiler"):
        pytest.skip("the Edge TPU compiler is installed")
    asked = ("--int8", "--float16", "--float32", "--edgetpu", "--network", "compact", *LOOSE)
    done = run_command("oct-convert", *asked, "--runs", runs, "--data", phantoms, "--out", tmp_path)
    assert done.returncode == 69, done.stderr
    assert "error [edgetpu_compiler]" in done.stderr
    written = [tmp_path / f"compact-{kind}.tflite" for kind in ("float32", "float16", "int8")]
    assert done.stdout.split() == list(map(str, written))
    sizes = [path.stat().st_size for path in written[:2]]
    assert 0.4 < sizes[1] / sizes[0] < 0.6
    for kind in ("float32", "float16"):
        report = json.loads((tmp_path / f"compact-{kind}.parity.json").read_text())
        assert report["passed"] is True
        assert report["val"]["mean_probability_change"] < 0.001
    checked = json.loads((tmp_path / "compact-int8-edgetpu.json").read_text())["check"]
    assert checked["mapped"] == checked["operators"] > 10, "dense weights have one scale"


def test_scans_that_are_not_those_of_the_training_are_refused(
    runs: Path, phantoms: Path, tmp_path: Path, run_command: Command
) -> None:
    data = tmp_path / "data"
    shutil.copytree(phantoms, data)
    first, second = sorted((data / "train" / "CNV").iterdir())[:2]
    shutil.copy(second, first)
    done = run_command("oct-convert", "--int8", "--runs", runs, "--data", data, "--out", tmp_path, *LOOSE)
    assert done.returncode == 1
    assert "error [run]" in done.stderr
    assert "SHA-256" in done.stderr
    assert not list(tmp_path.glob("*.tflite"))


def test_a_run_of_another_preprocessing_is_refused(
    runs: Path, phantoms: Path, tmp_path: Path, run_command: Command
) -> None:
    shutil.copytree(runs / "compact", tmp_path / "compact")
    record = tmp_path / "compact" / "metrics.json"
    record.write_text(record.read_text().replace(PREPROCESSING, "letterbox@1"))
    done = run_command("oct-convert", "--int8", "--runs", tmp_path, "--data", phantoms, "--out", tmp_path, *LOOSE)
    assert done.returncode == 1
    assert "preprocessing" in done.stderr


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """Of its own, with room for the reports and not for a model."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=200k", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("needs the right to mount a tmpfs")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


@pytest.mark.system
def test_a_disk_that_is_full_gets_neither_model_nor_report(
    runs: Path, phantoms: Path, disk: Path, run_command: Command
) -> None:
    asked = ("--int8", "--network", "compact", *LOOSE)
    done = run_command("oct-convert", *asked, "--runs", runs, "--data", phantoms, "--out", disk)
    assert done.returncode == 69
    error, hint = done.stderr.splitlines()[-2:]
    assert error.startswith("error [disk_full]:")
    assert "No space left on device" in error
    assert "Free some space" in hint
    assert not list(disk.iterdir())


@pytest.mark.system
def test_a_folder_that_cannot_be_written_to_is_refused_before_the_work(
    runs: Path, phantoms: Path, disk: Path, run_command: Command
) -> None:
    subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
    asked = ("--int8", "--float32", "--network", "compact", "--runs", runs, "--data", phantoms)
    done = run_command("oct-convert", *asked, "--out", disk / "models")
    assert done.returncode == 69
    error, hint = done.stderr.splitlines()
    assert error.startswith("error [output_unavailable]:")
    assert "Read-only file system" in error
    assert "--out" in hint


def test_the_device_refuses_a_model_that_was_cut(models: Path, tmp_path: Path) -> None:
    content = (models / "compact-int8.tflite").read_bytes()
    cut = tmp_path / "cut.tflite"
    cut.write_bytes(content[: len(content) // 2])
    with pytest.raises(ModelError):
        open_bundle(str(cut))
