"""A training uses what the machine has, says what to lower where that is too little, and leaves an ordinary model."""

import csv
import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from oct_edge.errors import OutOfMemory
from oct_trainer.dataset import read_dataset
from oct_trainer.phantom import write_dataset
from oct_trainer.run_options import Precision, Strategy

keras = pytest.importorskip("keras")
tf = pytest.importorskip("tensorflow")
from oct_trainer.machine import find_machine, memory_guarded  # noqa: E402
from oct_trainer.pictures import load_parts  # noqa: E402
from oct_trainer.predict import scores_of  # noqa: E402

pytestmark = [pytest.mark.tf, pytest.mark.system]

Train = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("data") / "phantoms"
    write_dataset(root, 24, seed=3)
    return root


@pytest.fixture(scope="module")
def train(train_forked: Train, data: Path) -> Train:
    def train(out: Path, *options: object, **task: object) -> subprocess.CompletedProcess[str]:
        fixed = ("compact", "--data", data, "--weights", "none", "--out", out)
        return train_forked(*fixed, *options, recipe={"epochs": 3}, **task)

    return train


def history(run: Path) -> np.ndarray:
    rows = csv.DictReader((run / "history.csv").read_text().splitlines())
    return np.array([[float(value) for value in row.values()] for row in rows])


def test_a_processor_trains_in_float32_and_without_xla_unless_told_otherwise() -> None:
    if tf.config.list_physical_devices("GPU"):
        pytest.skip("a GPU is here")
    plain = find_machine()
    assert (plain.mixed, plain.jit) == (False, False)
    assert find_machine(Precision.mixed).mixed


def test_a_policy_lasts_as_long_as_the_network_is_built() -> None:
    before = keras.config.dtype_policy()
    with find_machine(Precision.mixed).building():
        assert keras.config.dtype_policy().name == "mixed_float16"
    assert keras.config.dtype_policy() == before
    with pytest.raises(ZeroDivisionError), find_machine(Precision.mixed).building():
        _ = 1 // 0
    assert keras.config.dtype_policy() == before


@pytest.mark.slow
def test_mixed_precision_leaves_an_ordinary_model_of_the_same_weights(data: Path, train: Train, tmp_path: Path) -> None:
    killed = train(tmp_path, "--precision", "mixed", "--batch", 8, moment=("batch", "1:0", "SIGKILL"))
    assert killed.returncode < 0
    done = train(tmp_path, "--precision", "mixed", "--batch", 8)
    assert done.returncode == 0, done.stderr
    run = tmp_path / "compact"
    assert np.isfinite(history(run)).all()
    model = keras.saving.load_model(run / "model.keras", compile=False)
    assert {layer.compute_dtype for layer in model._flatten_layers()} == {"float32"}
    assert {variable.dtype for variable in model.weights} == {"float32"}
    with find_machine(Precision.mixed).building():
        mixed = keras.models.clone_model(model, clone_function=_with_the_policy_of_today)
    mixed.set_weights(model.get_weights())
    assert "float16" in {layer.compute_dtype for layer in mixed._flatten_layers()}
    grey = load_parts(read_dataset(data).samples)["test"].grey
    np.testing.assert_allclose(scores_of(mixed, grey), scores_of(model, grey), atol=0.05)


def _with_the_policy_of_today(layer: object) -> object:
    settings = layer.get_config()  # type: ignore[attr-defined]
    if layer.name not in ("logits", "scores"):  # type: ignore[attr-defined]
        settings.pop("dtype", None)
    return type(layer).from_config(settings)  # type: ignore[attr-defined]


@pytest.mark.slow
def test_two_devices_share_a_batch_and_leave_an_ordinary_run(data: Path, train: Train, tmp_path: Path) -> None:
    options = ("--strategy", "mirrored", "--batch", 8)
    whole = train(tmp_path / "whole", *options, devices=2)
    assert whole.returncode == 0, whole.stderr
    killed = train(tmp_path / "killed", *options, devices=2, moment=("batch", "1:0", "SIGKILL"))
    assert killed.returncode < 0
    done = train(tmp_path / "killed", *options, devices=2)
    assert "going on after epoch 1" in done.stderr
    runs = [tmp_path / name / "compact" for name in ("whole", "killed")]
    np.testing.assert_allclose(*map(history, runs), rtol=1e-4)
    parts = load_parts(read_dataset(data).samples)
    scores = [
        scores_of(keras.saving.load_model(run / "model.keras", compile=False), parts["test"].grey) for run in runs
    ]
    np.testing.assert_allclose(*scores, atol=1e-4)


def test_a_batch_that_cannot_be_shared_is_refused(train: Train, tmp_path: Path) -> None:
    done = train(tmp_path, "--strategy", "mirrored", "--batch", 7, devices=2)
    assert done.returncode == 78
    assert "7 scans cannot be shared evenly among 2 devices" in done.stderr
    assert "--batch" in done.stderr.splitlines()[-1]


def test_a_batch_that_does_not_fit_says_what_to_lower(train: Train, tmp_path: Path) -> None:
    # The enlarged batch (30 GB) is asked for by TensorFlow itself; where a kernel or a thread lacks memory, it crashes.
    done = train(tmp_path, "--batch", 12, network={"enlarged": 64}, memory=4_000_000_000)
    assert done.returncode == 1, done.stderr
    error, hint = done.stderr.splitlines()[-2:]
    assert error == "error [out_of_memory]: memory ran out with batches of 12 scans."
    assert "--batch 6 --restart" in hint


@pytest.mark.parametrize("failure", [MemoryError(), tf.errors.ResourceExhaustedError(None, None, "OOM")])
def test_running_out_of_memory_is_an_error_of_ours(failure: Exception) -> None:
    with pytest.raises(OutOfMemory, match="batches of 1 scans") as caught, memory_guarded(1):
        raise failure
    assert "--batch 1" in caught.value.hint


@pytest.mark.parametrize("strategy", list(Strategy))
def test_what_the_machine_did_is_not_in_the_figures(train: Train, tmp_path: Path, strategy: Strategy) -> None:
    """A run on one device under either strategy is the same training."""
    done = train(tmp_path, "--strategy", strategy, "--epochs", 1)
    assert done.returncode == 0, done.stderr
    record = json.loads((tmp_path / "compact" / "metrics.json").read_text())
    assert record["recipe"]["epochs"] == 1
