"""What a training leaves behind, on a network small enough to train in a second, and once for real."""

import csv
import hashlib
import json
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from oct_edge.errors import WeightsError
from oct_trainer.dataset import DataSet, read_dataset
from oct_trainer.networks import NETWORKS
from oct_trainer.phantom import write_dataset

keras = pytest.importorskip("keras")
from oct_trainer import fit  # noqa: E402
from oct_trainer.recipes import ARTICLE, BEST  # noqa: E402
from oct_trainer.run_folder import CONTENT, STATE  # noqa: E402

pytestmark = pytest.mark.tf

Command = Callable[..., subprocess.CompletedProcess[str]]
FIVE_EPOCHS = replace(BEST["compact"], epochs=5)


@pytest.fixture(autouse=True)
def tiny(tiny_compact: object) -> None:
    """No test here needs the real network."""


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> DataSet:
    root = tmp_path_factory.mktemp("data") / "phantoms"
    write_dataset(root, 16, seed=3)
    return read_dataset(root)


def train(data: DataSet, out: Path, **options: int) -> Path:
    return fit.train("compact", data, out, FIVE_EPOCHS, weights="none", **options)


def test_a_run_is_complete_and_knows_its_split(data: DataSet, tmp_path: Path) -> None:
    run = train(data, tmp_path)
    assert run == tmp_path / "compact"
    assert {path.name for path in run.iterdir()} == CONTENT
    record = json.loads((run / "metrics.json").read_text())["data"]
    assert record["split_sha256"] == hashlib.sha256((run / "split.csv").read_bytes()).hexdigest()
    assert record["phantoms"] is True
    assert record["phantom_scans"] == {name: len(data.split(name)) for name in ("train", "val", "test")}


def test_a_leak_that_was_allowed_is_in_the_record(data: DataSet, tmp_path: Path) -> None:
    assert json.loads((train(data, tmp_path, epochs=1) / "metrics.json").read_text())["data"]["leak"] is None
    root = Path(shutil.copytree(data.root, tmp_path / "leaking"))
    tested = sorted((root / "test" / "DME").iterdir())[0]
    shutil.copy(tested, root / "train" / "DME" / tested.name)
    leaking = read_dataset(root, allow_leak=True)
    record = json.loads((train(leaking, tmp_path, epochs=1) / "metrics.json").read_text())["data"]
    assert record["leak"] == {"patients": 1, "scans": 1}
    assert sum(record["scans"]["train"].values()) + sum(record["scans"]["val"].values()) == 13


def test_the_history_has_a_row_for_every_epoch(data: DataSet, tmp_path: Path) -> None:
    run = train(data, tmp_path)
    rows = list(csv.DictReader((run / "history.csv").read_text().splitlines()))
    assert [row["epoch"] for row in rows] == ["0", "1", "2", "3", "4"]


def test_a_training_that_fails_leaves_the_run_before_as_it_was(
    data: DataSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run = train(data, tmp_path, epochs=1)
    before = {path.name: path.read_bytes() for path in run.iterdir()}

    def fail(*_: object) -> None:
        raise RuntimeError("the power went")

    monkeypatch.setattr(fit, "_evaluate", fail)
    with pytest.raises(RuntimeError, match="power"):
        train(read_dataset(data.root, seed=1), tmp_path, epochs=1)
    assert {path.name: path.read_bytes() for path in run.iterdir()} == before
    partial = tmp_path / ".compact.partial"
    assert str(partial) in capsys.readouterr().err
    NETWORKS["compact"].build().load_weights(partial / "epoch-1.weights.h5")


def test_the_data_are_looked_at_before_what_an_earlier_training_left_is_cleared(data: DataSet, tmp_path: Path) -> None:
    left = tmp_path / ".compact.partial" / STATE
    left.parent.mkdir()
    left.touch()
    with pytest.raises(WeightsError):
        fit.train("compact", data, tmp_path, FIVE_EPOCHS, weights=str(tmp_path / "nowhere"), restart=True)
    assert left.exists()


def callbacks_of(network: str) -> dict[str, object]:
    task = fit.Task(network, ARTICLE[network], "none", Path())
    return {type(callback).__name__: callback for callback in fit._callbacks(task)}


@pytest.mark.parametrize("network", ["mobilenet", "compact"])
def test_the_articles_recipe_stops_early_and_keeps_the_best(network: str) -> None:
    callbacks = callbacks_of(network)
    stopping = callbacks["EarlyStopping"]
    assert (stopping.monitor, stopping.patience, stopping.restore_best_weights) == ("val_loss", 3, True)
    assert ("ReduceLROnPlateau" in callbacks) == (network == "compact")


def test_the_articles_compact_recipe_lowers_its_rate_on_a_plateau() -> None:
    plateau = callbacks_of("compact")["ReduceLROnPlateau"]
    assert (plateau.monitor, plateau.factor, plateau.patience, plateau.min_delta) == ("val_loss", 0.2, 3, 1e-5)


@pytest.mark.slow
def test_all_networks_train_on_real_scans_by_the_articles_recipe(
    oct2017: Path, tmp_path: Path, run_command: Command
) -> None:
    weights = oct2017.parent / "weights"
    if not weights.is_dir():
        pytest.skip("needs the weights in ../shared/data/weights")
    options = ("--recipe", "article", "--epochs", 1, "--limit", 8, "--weights", weights, "--weights", "vgg16=none")
    done = run_command("oct-train", "all", "--data", oct2017, "--out", tmp_path, *options)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == [str(tmp_path / name) for name in NETWORKS]
    records = {name: json.loads((tmp_path / name / "metrics.json").read_text()) for name in NETWORKS}
    assert {name: record["weights"]["kind"] for name, record in records.items()} == {
        "mobilenet": "imagenet",
        "vgg16": "none",
        "compact": "none",
        "custom-vgg": "none",
    }
    for record in records.values():
        assert record["recipe"]["name"] == "article"
        assert record["data"]["phantoms"] is False
        assert record["data"]["phantom_scans"] == {"train": 0, "val": 0, "test": 0}
