"""A study of robustness says what a change costs, and a planted shortcut by picture size is seen."""

import hashlib
import json
import subprocess
import sys
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from oct_edge.labels import LABELS
from oct_edge.scan import Scan
from oct_trainer.crossval.records import fold_path, open_method, write_fold
from oct_trainer.dataset import read_dataset
from oct_trainer.metrics import summarise
from oct_trainer.metrics.bootstrap import exact_margin
from oct_trainer.perturb import Perturbation, shifted, with_brightness
from oct_trainer.predictions import Predictions
from oct_trainer.robustness import FEWEST, measure, rows, sensitivity_by_size, sensitivity_from_all, size_rows

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "robustness.py"
CNV, DME, NORMAL = (LABELS.index(name) for name in ("CNV", "DME", "NORMAL"))
STILL = Perturbation("none", "at all", partial(shifted, down=0.0))
DARKER = Perturbation("brightness", "a lot less", partial(with_brightness, levels=-90))


def scan_of(level: int, index: int) -> Scan:
    """A bright band of the given grey level."""
    pixels = np.full((96, 128), 10, np.uint8)
    pixels[40:56] = level
    return Scan(pixels, hashlib.sha256(bytes([index])).hexdigest(), "drawn")


def by_brightness(grey: np.ndarray) -> np.ndarray:
    """A grader who calls what is bright CNV and everything else NORMAL."""
    return np.where(grey.max((1, 2)) > 150, CNV, NORMAL)


LABELLED = np.array([CNV] * 8 + [NORMAL] * 8)
SCANS = [scan_of(220 if label == CNV else 120, i) for i, label in enumerate(LABELLED)]
PATIENTS = np.array([f"p{i // 2}" for i in range(16)])


@pytest.fixture(scope="module")
def record() -> dict:
    return measure(SCANS, LABELLED, PATIENTS, by_brightness, [STILL, DARKER])


def test_what_changes_nothing_costs_nothing(record: dict) -> None:
    still = record["changed"][0]
    assert still["agreement"] == 1
    assert still["accuracy"] == record["unchanged"]["accuracy"]
    assert still["difference"]["accuracy_difference"]["value"] == 0


def test_what_a_change_costs_stands_beside_its_figures(record: dict) -> None:
    darker = record["changed"][1]
    assert record["unchanged"]["accuracy"]["value"] == 1
    assert darker["accuracy"]["value"] == 0.5
    assert darker["sensitivity"]["CNV"]["value"] == 0
    assert darker["agreement"] == 0.5
    cost = darker["difference"]
    assert (cost["accuracy_difference"]["value"], cost["only_first_right"]) == (-0.5, 8)
    assert cost["accuracy_difference"]["low"] < -0.5 < cost["accuracy_difference"]["high"] < 0


def test_figures_are_those_of_any_evaluation(record: dict) -> None:
    same = summarise(LABELLED, np.full(16, NORMAL), PATIENTS)
    assert record["changed"][1]["balanced_accuracy"] == same["balanced_accuracy"]


def test_progress_is_told_a_perturbation_at_a_time() -> None:
    seen: list[tuple[int, int]] = []
    measure(SCANS, LABELLED, PATIENTS, by_brightness, [STILL, DARKER], lambda *told: seen.append(told))
    assert seen == [(1, 2), (2, 2)]


def test_the_record_is_json_and_the_table_names_every_change(record: dict) -> None:
    assert json.loads(json.dumps(record)) == record
    lines = list(rows(record))
    assert lines[0].startswith("16 scans, 8 patients")
    found = next(line for line in lines if line.startswith("brightness"))
    assert "a lot less" in found
    assert "0.500 (" in found
    assert "-50.0 (" in found
    assert any(line.startswith("CNV, scans of 96 rows") for line in lines)


def test_a_network_that_learned_the_picture_size_is_seen() -> None:
    labels = np.full(20, DME)
    shapes = [(512, 512)] * 12 + [(496, 512)] * 8
    answers = np.where(np.arange(20) < 12, DME, NORMAL)
    found = sensitivity_by_size(labels, answers, np.arange(20).astype(str), shapes)
    assert [(one["label"], one["rows"], one["scans"]) for one in found] == [
        ("DME", None, 20),
        ("DME", 496, 8),
        ("DME", 512, 12),
    ]
    assert [one["sensitivity"]["value"] for one in found] == [0.6, 0.0, 1.0]


def test_the_difference_of_a_size_from_all_is_that_of_the_two_sensitivities() -> None:
    labels, patients = np.full(40, DME), np.repeat(np.arange(20), 2).astype(str)
    shapes = [(512, 512)] * 24 + [(496, 512)] * 16
    answers = np.where((np.arange(40) >= 24) & (np.arange(40) < 36), NORMAL, DME)
    found = sensitivity_by_size(labels, answers, patients, shapes)
    whole, short, tall = (one["sensitivity"]["value"] for one in found)
    assert found[0]["from_all"] is None
    for one, value in ((found[1], short), (found[2], tall)):
        difference = one["from_all"]
        assert difference["value"] == pytest.approx(value - whole, abs=1e-4)
        assert difference["low"] < difference["value"] < difference["high"]
    assert found[1]["from_all"]["high"] < 0 < found[2]["from_all"]["low"]
    assert f"{100 * (short - whole):+.1f} (" in next(line for line in size_rows(found) if "496" in line)


def test_a_class_of_one_size_has_no_difference() -> None:
    labels = np.full(12, CNV)
    found = sensitivity_by_size(labels, labels, np.arange(12).astype(str), [(496, 512)] * 12)
    assert [one["from_all"] for one in found] == [None, None]


@pytest.mark.parametrize("right", [True, False])
def test_where_all_or_none_are_right_the_difference_is_as_uncertain_as_the_patients_are_few(right: bool) -> None:
    chosen = np.arange(30) < 10
    found = sensitivity_from_all(np.full(30, right), chosen, np.arange(30).astype(str))
    assert found.value == 0
    assert found.high == -found.low == exact_margin(10)


def test_resamples_without_a_scan_of_the_size_are_left_out() -> None:
    chosen = np.arange(30) < 1
    found = sensitivity_from_all(np.arange(30) % 2 == 0, chosen, np.arange(30).astype(str))
    assert found.value == pytest.approx(0.5)
    assert 0 < found.low < found.high < 1


@pytest.mark.system
def test_the_folds_of_a_cross_validation_are_enough_for_the_script(clean_phantoms: Path, tmp_path: Path) -> None:
    data = read_dataset(clean_phantoms)
    samples = [sample for sample in data.samples if sample.split != "test"]
    labels = np.array([sample.label for sample in samples])
    names, whose = (np.array(each) for each in zip(*((s.name(data.root), s.patient) for s in samples), strict=True))
    open_method(tmp_path / "crossval", "drawn", {"folds": 5, "data": "phantoms"})
    write_fold(fold_path(tmp_path / "crossval", "drawn", 0, 0), Predictions(names, whose, labels, np.eye(4)[labels]))
    command = [sys.executable, str(SCRIPT), "--sizes", str(tmp_path / "crossval"), "--data"]
    done = subprocess.run([*command, str(clean_phantoms)], cwd=tmp_path, capture_output=True, text=True, check=True)
    (sizes,) = json.loads((tmp_path / "robustness.json").read_text())["sizes_of_folds"].values()
    assert sum(one["scans"] for one in sizes if one["rows"] is None) == len(samples)
    assert done.stdout.startswith("drawn\nsensitivity")
    elsewhere = subprocess.run([*command, str(tmp_path)], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert elsewhere.returncode == 1
    assert elsewhere.stderr.startswith(f"error [data_set]: {tmp_path}/train/")
    assert "Traceback" not in elsewhere.stderr


def test_sizes_of_too_few_scans_are_not_told_of() -> None:
    labels = np.full(FEWEST + 3, DME)
    shapes = [(496, 512)] * FEWEST + [(512, 512)] * 3
    found = sensitivity_by_size(labels, labels, np.arange(len(labels)).astype(str), shapes)
    assert [one["rows"] for one in found] == [None, 496]
