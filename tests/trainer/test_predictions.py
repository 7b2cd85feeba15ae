"""Answers written down and read back: nothing that figures need is lost."""

from pathlib import Path

import numpy as np
import pytest

from oct_edge.classifier import softmax
from oct_edge.errors import RunError
from oct_edge.labels import LABELS
from oct_trainer.metrics import evaluate
from oct_trainer.predictions import (
    COLUMNS,
    Predictions,
    figures,
    measure,
    read_predictions,
    temperature_of,
    write_predictions,
)
from oct_trainer.run import read_finished_run

HEADER = ",".join(COLUMNS)


def answers(scans: int = 40, seed: int = 0, sharpness: float = 6.0) -> Predictions:
    """Those of a network that is far too sure of itself, in float32 as a network gives them."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 4, scans)
    logits = sharpness * (rng.normal(0, 1, (scans, 4)) + 1.5 * np.eye(4)[labels])
    names = np.array([f"test/CNV/scan-{i}.jpeg" for i in range(scans)])
    probabilities = softmax(logits.astype(np.float32)).astype(np.float64)
    return Predictions(names, np.array([str(i // 2) for i in range(scans)]), labels, probabilities)


def test_what_is_written_is_read(tmp_path: Path) -> None:
    parts = {"val": answers(7, 1), "test": answers(5, 2)}
    write_predictions(tmp_path / "predictions.csv", parts)
    assert (tmp_path / "predictions.csv").read_text().splitlines()[0] == HEADER
    found = read_predictions(tmp_path / "predictions.csv")
    assert list(found) == ["val", "test"]
    for name, part in parts.items():
        assert found[name].paths.tolist() == part.paths.tolist()
        assert found[name].patients.tolist() == part.patients.tolist()
        assert found[name].labels.tolist() == part.labels.tolist()
        np.testing.assert_allclose(found[name].probabilities, part.probabilities, rtol=1e-8)


@pytest.mark.parametrize("name", ['a,b "c".png', "line\nbreak.png", "Ünï/çødé.png", " spaces .png"])
def test_any_name_comes_back_as_it_was(tmp_path: Path, name: str) -> None:
    part = answers(1)
    odd = Predictions(np.array([name]), np.array([name]), part.labels, part.probabilities)
    write_predictions(tmp_path / "p.csv", {"test": odd})
    found = read_predictions(tmp_path / "p.csv")["test"]
    assert (found.paths[0], found.patients[0]) == (name, name)


def test_small_probabilities_keep_enough_digits_for_the_temperature(tmp_path: Path) -> None:
    part = answers(200)
    assert part.probabilities.min() < 1e-9
    write_predictions(tmp_path / "p.csv", {"val": part})
    found = read_predictions(tmp_path / "p.csv")
    assert temperature_of(found["val"]) == temperature_of(part) > 3
    assert measure(found) == measure({"val": part})


def test_the_temperature_is_that_of_validation_and_only_there_in_sample() -> None:
    parts = {"val": answers(100, 1), "test": answers(100, 2, sharpness=1.0)}
    found = measure(parts)
    calibration = {name: found[name]["calibration"] for name in parts}
    assert {c["temperature"] for c in calibration.values()} == {temperature_of(parts["val"])}
    assert {c["fitted_on"] for c in calibration.values()} == {"val"}
    assert (calibration["val"]["in_sample"], calibration["test"]["in_sample"]) == (True, False)
    assert calibration["val"]["after"]["ece"]["value"] < calibration["val"]["before"]["ece"]["value"]


def test_figures_are_those_of_the_metrics_and_say_where_the_temperature_is_from() -> None:
    part = answers()
    found = figures(part, 2.0, in_sample=False)
    plain = evaluate(part.labels, part.probabilities, part.patients, 2.0)
    assert found["calibration"] == {"fitted_on": "val", "in_sample": False, **plain.pop("calibration")}
    assert {key: found[key] for key in plain} == plain


def test_the_most_wrong_is_the_most_confident_wrong_answer() -> None:
    probabilities = np.array([[0.9, 0.1, 0, 0], [0.8, 0.2, 0, 0], [0.6, 0.4, 0, 0], [0.1, 0.9, 0, 0]])
    part = Predictions(np.arange(4).astype(str), np.arange(4).astype(str), np.array([0, 1, 1, 2]), probabilities)
    assert list(part.most_wrong(9)) == [3, 1, 2]
    assert list(part.most_wrong(1)) == [3]
    assert not list(Predictions(part.paths, part.patients, part.predicted, probabilities).most_wrong(9))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "the columns are not"),
        (b"split,path,label,CNV,DME,DRUSEN,NORMAL\n", "the columns are not split, path, patient"),
        (b"\xff\xfe", "cannot be read"),
        (f"{HEADER}\ntest,a,1,CNV,1,0,0\n".encode(), "row 2"),
        (f"{HEADER}\ntest,a,1,CNV,1,0,0,0\ntest,a,1,AMD,1,0,0,0\n".encode(), "row 3"),
        (f"{HEADER}\ntest,a,1,CNV,1,0,0,x\n".encode(), "row 2"),
        (f"{HEADER}\ntest,a,1,CNV,0.5,0,0,0\n".encode(), "row 2"),
        (f"{HEADER}\ntest,a,1,CNV,nan,0,0,1\n".encode(), "row 2"),
        (f"{HEADER}\ntest,a,1,CNV,-1,2,0,0\n".encode(), "row 2"),
    ],
)
def test_what_is_no_file_of_predictions_is_refused(tmp_path: Path, content: bytes, said: str) -> None:
    (tmp_path / "p.csv").write_bytes(content)
    with pytest.raises(RunError, match=said) as caught:
        read_predictions(tmp_path / "p.csv")
    assert caught.value.hint


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="cannot be read"):
        read_predictions(tmp_path / "nowhere.csv")


def test_a_run_gives_back_its_predictions_and_history(compact_run: Path) -> None:
    run = read_finished_run(compact_run)
    assert run.network == "compact"
    assert measure(run.predictions()) == run.record["metrics"]
    assert {LABELS[label] for label in run.predictions()["test"].labels} == set(LABELS)
    assert run.history() == {"epoch": [0], "accuracy": [0.5], "loss": [1.2], "val_accuracy": [0.4], "val_loss": [1.3]}


@pytest.mark.parametrize(
    ("content", "found"),
    [
        ("", {}),
        ("epoch,loss\n", {}),
        ("epoch,loss\n0,nan\n1,\n2,x\n", {"epoch": [0, 1, 2], "loss": [np.nan] * 3}),
        ("epoch,loss\n0\n", {"epoch": [0], "loss": [np.nan]}),
    ],
)
def test_a_history_with_gaps_is_read_with_gaps(runs: Path, content: str, found: dict[str, list[float]]) -> None:
    (runs / "compact" / "history.csv").write_text(content)
    np.testing.assert_equal(read_finished_run(runs / "compact").history(), found)
