"""Finished folds are kept, told apart by their settings, and compared scan by scan."""

import json
from pathlib import Path

import numpy as np
import pytest

from oct_edge.errors import ConfigurationError, RunError
from oct_edge.labels import DISCLAIMER
from oct_trainer.crossval.records import compare, fold_path, open_method, read_methods, write_fold
from oct_trainer.crossval.table import rows, tabulate
from oct_trainer.predictions import Predictions

SETTINGS = {"network": "compact", "recipe": {"name": "best", "epochs": 3}, "folds": 2, "data": "d1"}


def answers(predicted: list[int], labels: list[int], first: int = 0) -> Predictions:
    names = np.array([f"train/scan-{first + i}.jpeg" for i in range(len(labels))])
    patients = np.array([f"p{first + i}" for i in range(len(labels))])
    return Predictions(names, patients, np.array(labels), np.eye(4)[predicted] * 0.96 + 0.01)


def method(out: Path, name: str, folds: dict[int, list[int]], *, seed: int = 0, **changed: object) -> None:
    """A method that answered eight scans a fold, two of each class, with `folds[k]` telling its answers."""
    open_method(out, name, SETTINGS | changed)
    for number, predicted in folds.items():
        write_fold(fold_path(out, name, seed, number), answers(predicted, [0, 1, 2, 3, 0, 1, 2, 3], 8 * number))


RIGHT = [0, 1, 2, 3, 0, 1, 2, 3]
HALF = [0, 1, 2, 3, 3, 3, 3, 0]


def test_methods_come_back_as_they_were_written(tmp_path: Path) -> None:
    method(tmp_path, "compact-best", {0: RIGHT, 1: HALF})
    (found,) = read_methods(tmp_path)
    assert found.name == "compact-best"
    assert {seed: sorted(folds) for seed, folds in found.seeds.items()} == {0: [0, 1]}
    np.testing.assert_array_equal(found.answers.predicted, RIGHT + HALF)
    np.testing.assert_allclose(found.answers.probabilities.sum(1), 1)


def test_the_same_settings_open_a_method_again_and_others_are_refused(tmp_path: Path) -> None:
    open_method(tmp_path, "compact-best", SETTINGS)
    open_method(tmp_path, "compact-best", dict(SETTINGS))
    fold_path(tmp_path, "compact-best", 0, 0).parent.mkdir()
    with pytest.raises(ConfigurationError, match="another folds, recipe") as caught:
        open_method(tmp_path, "compact-best", SETTINGS | {"folds": 3, "recipe": {"name": "best", "epochs": 4}})
    assert "--out" in caught.value.hint


def test_what_failed_before_its_first_fold_binds_nobody(tmp_path: Path) -> None:
    open_method(tmp_path, "compact-best", SETTINGS)
    open_method(tmp_path, "compact-best", SETTINGS | {"folds": 3})
    fold_path(tmp_path, "compact-best", 0, 0).parent.mkdir()
    with pytest.raises(ConfigurationError, match="another folds"):
        open_method(tmp_path, "compact-best", SETTINGS)


def test_the_difference_counts_only_scans_that_both_have_answered(tmp_path: Path) -> None:
    method(tmp_path, "good", {0: RIGHT, 1: RIGHT})
    method(tmp_path, "poor", {0: HALF})
    good, poor = read_methods(tmp_path)
    paired = compare(poor, good)
    assert paired is not None
    assert (paired.scans, paired.only_first, paired.only_second) == (8, 0, 4)
    assert paired.accuracy.value == 0.5
    back = compare(good, poor)
    assert back is not None
    assert back.accuracy.value == -0.5


def test_scans_are_paired_by_name_not_by_place(tmp_path: Path) -> None:
    method(tmp_path, "one", {0: HALF})
    method(tmp_path, "two", {0: HALF})
    straight = read_methods(tmp_path)[1].seeds[0][0]
    order = np.arange(8)[::-1]
    turned = Predictions(
        straight.paths[order], straight.patients[order], straight.labels[order], straight.probabilities[order]
    )
    write_fold(fold_path(tmp_path, "two", 0, 0), turned)
    paired = compare(*read_methods(tmp_path))
    assert paired is not None
    assert (paired.only_first, paired.only_second) == (0, 0)


def test_folds_with_other_scans_are_not_compared(tmp_path: Path) -> None:
    method(tmp_path, "one", {0: RIGHT})
    method(tmp_path, "two", {})
    write_fold(fold_path(tmp_path, "two", 0, 0), answers(RIGHT, RIGHT, first=100))
    with pytest.raises(RunError, match="other scans"):
        compare(*read_methods(tmp_path))


@pytest.mark.parametrize("changed", [{"data": "d2"}])
def test_methods_on_other_data_are_not_compared(tmp_path: Path, changed: dict[str, object]) -> None:
    method(tmp_path, "one", {0: RIGHT})
    method(tmp_path, "two", {0: RIGHT}, **changed)
    assert compare(*read_methods(tmp_path)) is None
    assert tabulate(read_methods(tmp_path))["differences"] == []


def test_the_table_ranks_by_balanced_accuracy_and_says_how_many_folds_there_are(tmp_path: Path) -> None:
    method(tmp_path, "a-poor", {0: HALF})
    method(tmp_path, "b-good", {0: RIGHT, 1: RIGHT})
    table = tabulate(read_methods(tmp_path))
    assert list(table["methods"]) == ["b-good", "a-poor"]
    assert [(m["folds_finished"], m["folds"]) for m in table["methods"].values()] == [(2, 2), (1, 2)]
    assert table["disclaimer"] == DISCLAIMER
    json.dumps(table)
    lines = rows(table)
    assert lines[1].startswith("b-good    2/2")
    assert lines[3].startswith("b-good over a-poor: accuracy +50.0 (")
    assert lines[-1] == DISCLAIMER


def test_seeds_widen_the_table_not_the_number_of_patients(tmp_path: Path) -> None:
    method(tmp_path, "compact-best", {0: RIGHT, 1: RIGHT})
    method(tmp_path, "compact-best", {0: RIGHT, 1: HALF}, seed=1)
    found = tabulate(read_methods(tmp_path))["methods"]["compact-best"]
    assert (found["seeds"], found["folds"], found["scans"], found["patients"]) == ([0, 1], 4, 32, 16)
    assert found["accuracy"]["value"] == pytest.approx(28 / 32)


def test_an_empty_folder_says_what_to_run(tmp_path: Path) -> None:
    open_method(tmp_path, "compact-best", SETTINGS)
    with pytest.raises(RunError, match="no finished fold") as caught:
        read_methods(tmp_path)
    assert "oct-train crossval" in caught.value.hint


def test_a_damaged_fold_is_named(tmp_path: Path) -> None:
    method(tmp_path, "compact-best", {0: RIGHT})
    path = fold_path(tmp_path, "compact-best", 0, 0)
    whole = path.read_text()
    path.write_text(whole.replace(",NORMAL,0.01", ",NORMAL,none", 1))
    with pytest.raises(RunError, match=r"fold-0\.csv: row 5"):
        read_methods(tmp_path)
    path.write_text(whole)
    (tmp_path / "compact-best" / "settings.json").write_text("{")
    with pytest.raises(RunError, match=r"settings\.json"):
        read_methods(tmp_path)
