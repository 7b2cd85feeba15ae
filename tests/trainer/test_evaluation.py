"""A run measured again is what it was; measured elsewhere it keeps its temperature and says what it has seen."""

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from oct_edge.errors import RunError
from oct_edge.labels import DISCLAIMER, LABELS
from oct_trainer.dataset import read_dataset
from oct_trainer.pictures import load_pictures
from oct_trainer.predictions import measure, read_predictions, temperature_of, write_predictions

keras = pytest.importorskip("keras")
from oct_trainer.evaluation.evaluate import Evaluation, evaluate_run, write_evaluation  # noqa: E402
from oct_trainer.evaluation.rows import rows, with_interval  # noqa: E402
from oct_trainer.networks.layers import answer, pixels  # noqa: E402
from oct_trainer.predict import predict, scores_of  # noqa: E402

pytestmark = pytest.mark.tf

Command = Callable[..., subprocess.CompletedProcess[str]]


def evaluate(run: Path, data: Path, split: Any = None) -> Evaluation:
    return evaluate_run(run, data, split, lambda title, done, total: None)


def small_network(name: str = "compact") -> keras.Model:
    """Untrained, and sure of itself: its answers differ from scan to scan."""
    keras.utils.set_random_seed(5)
    inputs, x = pixels("unit", 1)
    features = keras.layers.GlobalMaxPooling2D()(keras.layers.Conv2D(8, 5, 4)(x))
    model = keras.Model(inputs, answer(features), name=name)
    model.get_layer("logits").kernel.assign(8 * model.get_layer("logits").kernel)
    return model


@pytest.fixture(scope="module")
def run(write_run: Callable[..., Path], clean_phantoms: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run whose figures are those of its model."""
    folder = write_run(tmp_path_factory.mktemp("runs") / "compact", clean_phantoms)
    model, data = small_network(), read_dataset(clean_phantoms)
    model.save(folder / "model.keras")
    parts = {name: predict(model, load_pictures(data.split(name)), data.root) for name in ("val", "test")}
    write_predictions(folder / "predictions.csv", parts)
    record = json.loads((folder / "metrics.json").read_text())
    (folder / "metrics.json").write_text(json.dumps(record | {"metrics": measure(parts)}))
    return folder


@pytest.mark.parametrize("split", ["val", "test"])
def test_on_its_own_scans_a_run_has_the_figures_of_its_record(run: Path, clean_phantoms: Path, split: str) -> None:
    found = evaluate(run, clean_phantoms, split)
    assert found.record["metrics"] == json.loads((run / "metrics.json").read_text())["metrics"][split]
    theirs = read_predictions(run / "predictions.csv")[split]
    order = np.argsort(theirs.paths)
    np.testing.assert_allclose(found.predictions.probabilities, theirs.probabilities[order], atol=1e-5)


def test_the_record_says_what_was_measured(run: Path, clean_phantoms: Path) -> None:
    record = evaluate(run, clean_phantoms).record
    assert record["schema"] == "oct-edge/evaluation@1"
    assert record["disclaimer"] == DISCLAIMER
    assert (record["run"]["network"], record["run"]["recipe"]["name"]) == ("compact", "best")
    data = record["data"]
    assert (data["name"], data["split"], data["same_data"]) == ("phantoms", "test", True)
    assert sum(data["scans"].values()) == record["metrics"]["scans"] == len(read_dataset(clean_phantoms).split("test"))
    assert record["seen"]["train"] == {"scans": 0, "by_bytes": 0, "by_patient": 0}
    assert record["warnings"] == []
    json.dumps(record, allow_nan=False)


def test_the_most_wrong_come_first_and_are_wrong(run: Path, clean_phantoms: Path) -> None:
    wrong = evaluate(run, clean_phantoms).record["most_wrong"]
    assert wrong
    assert all(one["label"] != one["answered"] for one in wrong)
    assert [one["confidence"] for one in wrong] == sorted((one["confidence"] for one in wrong), reverse=True)


def test_elsewhere_the_temperature_is_still_that_of_the_runs_validation(
    run: Path, compact_run: Path, elsewhere: Path, tmp_path: Path
) -> None:
    copy = Path(shutil.copytree(run, tmp_path / "compact"))
    shutil.copy(compact_run / "predictions.csv", copy / "predictions.csv")
    own = temperature_of(read_predictions(copy / "predictions.csv")["val"])
    found = evaluate(copy, elsewhere, "all")
    calibration = found.record["metrics"]["calibration"]
    assert (calibration["temperature"], calibration["fitted_on"], calibration["in_sample"]) == (own, "val", False)
    assert own != temperature_of(found.predictions)
    assert found.record["data"]["same_data"] is False


def test_a_class_that_does_not_occur_is_null(run: Path, elsewhere: Path, tmp_path: Path) -> None:
    data = Path(shutil.copytree(elsewhere / "test", tmp_path / "data"))
    shutil.rmtree(data / "DME")
    metrics = evaluate(run, data).record["metrics"]
    assert metrics["sensitivity"]["DME"]["value"] is None
    assert metrics["auc"]["DME"]["value"] is None
    assert metrics["balanced_accuracy"]["value"] is not None


def test_the_files_hold_what_was_found(run: Path, clean_phantoms: Path, tmp_path: Path) -> None:
    found = evaluate(run, clean_phantoms)
    write_evaluation(found, tmp_path)
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {
        "metrics.json",
        "predictions.csv",
        "confusion.svg",
        "roc.svg",
        "reliability.svg",
        "risk-coverage.svg",
    }
    assert json.loads((tmp_path / "metrics.json").read_text()) == found.record
    assert read_predictions(tmp_path / "predictions.csv")["test"].paths.tolist() == found.predictions.paths.tolist()


def test_the_table_has_every_figure(run: Path, clean_phantoms: Path) -> None:
    record = evaluate(run, clean_phantoms, "all").record
    text = "\n".join(rows(record))
    metrics = record["metrics"]
    for figure in (metrics["accuracy"], metrics["kappa"], metrics["auc"]["macro"], metrics["urgent"]["specificity"]):
        assert with_interval(figure) in text
    assert "NO TEST" in text
    assert all(text.count(f"\n{label} ") == 2 for label in LABELS)
    assert text.endswith(DISCLAIMER)
    assert not any(line != line.rstrip() for line in text.splitlines())


def test_what_is_not_known_is_a_dash() -> None:
    assert with_interval({"value": None, "low": None, "high": None}) == "-"
    assert with_interval({"value": 0.5, "low": None, "high": None}) == "0.500"
    assert with_interval({"value": 0.5, "low": 0.25, "high": 1.0}) == "0.500 (0.250-1.000)"


def test_scores_do_not_depend_on_who_else_is_asked() -> None:
    grey = np.random.default_rng(0).integers(0, 256, (40, 224, 224), np.uint8)
    model = small_network()
    steps: list[tuple[int, int]] = []
    whole = scores_of(model, grey, lambda done, total: steps.append((done, total)))
    np.testing.assert_allclose(scores_of(model, grey[33:]), whole[33:], atol=1e-5)
    np.testing.assert_allclose(whole.sum(1), 1, atol=1e-6)
    assert steps[-1] == (40, 40)


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda run: (run / "model.keras").unlink(), "not a finished run"),
        (lambda run: (run / "model.keras").write_bytes(b"x"), "not a finished run"),
        (lambda run: small_network("vgg16").save(run / "model.keras"), "network is 'compact', not 'vgg16'"),
        (lambda run: (run / "metrics.json").write_text("{}"), "not the record of a run"),
        (lambda run: write_predictions(run / "predictions.csv", {}), "no validation scans"),
    ],
)
def test_what_is_no_finished_run_is_refused(
    run: Path, clean_phantoms: Path, tmp_path: Path, spoil: Callable[[Path], None], said: str
) -> None:
    copy = Path(shutil.copytree(run, tmp_path / "compact"))
    spoil(copy)
    with pytest.raises(RunError, match=said) as caught:
        evaluate(copy, clean_phantoms)
    assert caught.value.hint


def test_the_command_warns_of_what_was_trained_on(run: Path, clean_phantoms: Path, run_command: Command) -> None:
    done = run_command("oct-train", "evaluate", run, "--data", clean_phantoms, "--split", "all", "--json")
    assert done.returncode == 0, done.stderr
    record = json.loads(done.stdout)
    assert record["data"]["split"] == "all"
    warnings = [f"warning: {warning}" for warning in record["warnings"]]
    assert len(warnings) == 2
    assert done.stderr.splitlines() == warnings
