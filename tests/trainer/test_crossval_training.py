"""A cross-validation trains what is missing, and only that."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from oct_edge.errors import ConfigurationError, DataSetError
from oct_trainer.dataset import DataSet, read_dataset
from oct_trainer.phantom import write_dataset

pytest.importorskip("keras")
from oct_trainer.crossval import validate
from oct_trainer.crossval.records import fold_path, read_methods
from oct_trainer.crossval.validate import cross_validate

pytestmark = pytest.mark.tf


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> DataSet:
    root = tmp_path_factory.mktemp("data") / "phantoms"
    write_dataset(root, 24, seed=3)
    return read_dataset(root)


@pytest.fixture
def trained(tiny_compact: object, monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Where the trainings of the test were begun, in their order."""
    begun: list[Path] = []
    train = validate.train

    def counted(network: str, fold: DataSet, out: Path, *arguments: object, **options: object) -> Path:
        begun.append(out)
        return train(network, fold, out, *arguments, **options)

    monkeypatch.setattr(validate, "train", counted)
    return begun


def run(data: DataSet, out: Path, **options: object) -> str:
    return cross_validate(
        "compact", data, out, **({"recipe": "best", "weights": "none", "count": 2, "epochs": 1} | options)
    )


def test_every_scan_is_answered_once_by_a_model_that_has_not_seen_its_patient(
    data: DataSet, tmp_path: Path, trained: list[Path]
) -> None:
    assert run(data, tmp_path) == "compact-best"
    (method,) = read_methods(tmp_path)
    pool = sorted(sample.name(data.root) for sample in data.samples if sample.split != "test")
    assert sorted(method.answers.paths) == pool
    first, second = (set(part.patients) for part in method.seeds[0].values())
    assert not first & second
    assert len(trained) == 2
    assert not [path for path in tmp_path.rglob("*") if path.suffix in (".keras", ".h5")]


def test_what_is_there_is_not_trained_again(data: DataSet, tmp_path: Path, trained: list[Path]) -> None:
    run(data, tmp_path)
    missing = fold_path(tmp_path, "compact-best", 0, 1)
    before = missing.read_bytes()
    missing.unlink()
    run(data, tmp_path)
    assert len(trained) == 3
    assert missing.read_bytes() == before


def test_a_second_seed_is_added_to_the_first(data: DataSet, tmp_path: Path, trained: list[Path]) -> None:
    run(data, tmp_path)
    run(data, tmp_path, seeds=2)
    assert len(trained) == 4
    (method,) = read_methods(tmp_path)
    assert sorted(method.seeds) == [0, 1]
    one, other = (method.seeds[seed][0] for seed in (0, 1))
    assert list(one.paths) == list(other.paths)
    assert not np.array_equal(one.probabilities, other.probabilities)


def test_other_settings_do_not_mix_with_what_is_there(data: DataSet, tmp_path: Path, trained: list[Path]) -> None:
    run(data, tmp_path)
    with pytest.raises(ConfigurationError, match="another recipe"):
        run(data, tmp_path, epochs=2)
    with pytest.raises(ConfigurationError, match="another folds"):
        run(data, tmp_path, count=3)
    assert len(trained) == 2


def test_the_settings_name_no_place_of_this_machine(data: DataSet, tmp_path: Path, trained: list[Path]) -> None:
    run(data, tmp_path)
    text = (tmp_path / "compact-best" / "settings.json").read_text()
    assert str(tmp_path) not in text
    assert str(data.root) not in text
    assert json.loads(text)["scans"] == sum(sample.split != "test" for sample in data.samples)


def test_after_too_many_folds_fewer_may_be_asked_for(data: DataSet, tmp_path: Path, trained: list[Path]) -> None:
    with pytest.raises(DataSetError, match="2 of 9 folds") as caught:
        run(data, tmp_path, count=9)
    assert "fewer folds" in caught.value.hint
    run(data, tmp_path)
    assert len(trained) == 2


def test_what_one_method_lacks_is_known_before_another_is_trained(
    data: DataSet, tmp_path: Path, run_command: Callable
) -> None:
    where = ("--data", data.root, "--weights", tmp_path, "--folds", 2, "--epochs", 1, "--out", tmp_path / "out")
    done = run_command("oct-train", "crossval", "compact", "logistic", *where)
    assert done.returncode == 1
    assert "error [weights]" in done.stderr
    assert "mobilenet*.h5" in done.stderr
    assert not list((tmp_path / "out").iterdir())


@pytest.mark.slow
def test_the_baseline_answers_with_probabilities(data: DataSet, tmp_path: Path) -> None:
    assert cross_validate("logistic", data, tmp_path, recipe="best", weights="none", count=2) == "logistic"
    (method,) = read_methods(tmp_path)
    np.testing.assert_allclose(method.answers.probabilities.sum(1), 1, atol=1e-6)
    assert method.settings["recipe"] is None
