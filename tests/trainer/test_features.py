"""A frozen base is run once over a picture, and the network that comes of it is the network that was meant."""

import csv
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from oct_trainer.dataset import DataSet, read_dataset
from oct_trainer.networks import NETWORKS
from oct_trainer.phantom import write_dataset
from oct_trainer.predictions import read_predictions

keras = pytest.importorskip("keras")
from oct_trainer import fit  # noqa: E402
from oct_trainer.augment import Augmentation  # noqa: E402
from oct_trainer.features import CACHE, Eyes, Version, split_frozen  # noqa: E402
from oct_trainer.pictures import Pictures, load_parts  # noqa: E402
from oct_trainer.recipes import ARTICLE  # noqa: E402
from oct_trainer.stream import channels  # noqa: E402

pytestmark = pytest.mark.tf

RECIPE = replace(ARTICLE["mobilenet"], epochs=4, batch=8)


class Frozen:
    """Stands in for a network on a frozen base: one convolution, and a head that drops out."""

    def build(self, *, scaling: str = "unit", shrink: int = 1):
        from oct_trainer.networks.layers import answer, pixels

        inputs, x = pixels(scaling, 8)
        base = keras.Sequential([keras.Input(x.shape[1:]), keras.layers.Conv2D(6, 3, activation="relu")], name="base")
        base.trainable = False
        x = keras.layers.GlobalAveragePooling2D(name="embedding")(base(x))
        x = keras.layers.Dense(8, activation="relu", name="dense")(x)
        return keras.Model(inputs, answer(keras.layers.Dropout(0.3, name="dropout")(x)), name="compact")


def train(data: DataSet, out: Path, **options: object) -> Path:
    return fit.train("compact", data, out, options.pop("recipe", RECIPE), weights="none", **options)


def written(folder: Path) -> dict[Path, int]:
    """The files below a folder and when they were written."""
    return {path.relative_to(folder): path.stat().st_mtime_ns for path in folder.rglob("*.npy")}


def weights(run: Path) -> list[np.ndarray]:
    return keras.saving.load_model(run / "model.keras").get_weights()


def require_equal(one: Path, other: Path) -> None:
    """Two runs have the same weights, history and answers."""
    for a, b in zip(weights(one), weights(other), strict=True):
        np.testing.assert_array_equal(a, b)
    for name in ("history.csv", "predictions.csv"):
        assert (one / name).read_bytes() == (other / name).read_bytes()


@pytest.fixture(autouse=True)
def frozen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(NETWORKS, "compact", Frozen())


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> DataSet:
    root = tmp_path_factory.mktemp("data") / "phantoms"
    write_dataset(root, 24, seed=3)
    return read_dataset(root)


@pytest.fixture(scope="module")
def pictures(data: DataSet) -> Pictures:
    return load_parts(data.samples)["train"]


@pytest.fixture(scope="module")
def whole_run(data: DataSet, tmp_path_factory: pytest.TempPathFactory) -> Path:
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(NETWORKS, "compact", Frozen())
        return train(data, tmp_path_factory.mktemp("whole"))


def test_base_and_head_are_the_network() -> None:
    for model in (Frozen().build(), NETWORKS["mobilenet"].build()):
        split = split_frozen(model)
        assert split is not None
        assert split.base.layers[-1].name == "embedding"
        assert split.base.trainable_weights == []
        assert [w.path for w in split.head.trainable_weights] == [w.path for w in model.trainable_weights]
        pixels = np.random.default_rng(0).uniform(0, 255, (2, 224, 224, 3)).astype(np.float32)
        np.testing.assert_allclose(split.head(split.base(pixels)), model(pixels), atol=1e-6)


def test_the_features_of_vgg16_are_those_that_its_dense_layer_reads() -> None:
    split = split_frozen(NETWORKS["vgg16"].build())
    assert split is not None
    assert split.base.output_shape == (None, 25088)
    assert split.head.count_params() == 6_423_812


def test_a_network_that_trains_its_base_or_has_none_is_not_split(monkeypatch: pytest.MonkeyPatch) -> None:
    tuned = NETWORKS["mobilenet"].build()
    tuned.get_layer("mobilenet_base").trainable = True
    assert split_frozen(tuned) is None
    monkeypatch.undo()
    assert split_frozen(NETWORKS["compact"].build()) is None


def test_the_head_on_cached_features_answers_as_the_network(pictures: Pictures, tmp_path: Path) -> None:
    model = Frozen().build()
    split = split_frozen(model)
    assert split is not None
    rows = Eyes(split.base, RECIPE, tmp_path).see(pictures)
    features = rows.read(np.arange(len(pictures.grey)))
    pixels = channels(pictures.grey[..., None])
    exact = split.base(pixels).numpy()
    np.testing.assert_array_equal(features, exact.astype(np.float16))
    np.testing.assert_allclose(split.head(features.astype(np.float32)), model(pixels), atol=2e-3)
    np.testing.assert_allclose(split.head(exact), model(pixels), atol=1e-6)


def test_a_scan_in_a_version_is_the_same_whatever_stands_beside_it(pictures: Pictures, tmp_path: Path) -> None:
    split = split_frozen(Frozen().build())
    assert split is not None
    version = Version(RECIPE.augmentation, seed=1, number=2)
    everyone = Eyes(split.base, RECIPE, tmp_path / "a").see(pictures, version).read(np.arange(len(pictures.grey)))
    some = Eyes(split.base, RECIPE, tmp_path / "b").see(pictures.part(slice(5, 9)), version).read(np.arange(4))
    np.testing.assert_allclose(some.astype(np.float32), everyone[5:9].astype(np.float32), rtol=2e-3)


def test_folds_share_what_they_have_in_common(pictures: Pictures, tmp_path: Path) -> None:
    split = split_frozen(Frozen().build())
    assert split is not None
    eyes, version = Eyes(split.base, RECIPE, tmp_path), Version(RECIPE.augmentation, seed=0, number=0)
    eyes.see(pictures.part(slice(0, 12)), version)
    before = written(tmp_path)
    eyes.see(pictures.part(slice(2, 10)), version)
    assert written(tmp_path) == before
    eyes.see(pictures.part(slice(8, 14)), version)
    assert len(written(tmp_path)) == len(before) + 1


def test_versions_differ_and_so_do_their_folders(pictures: Pictures, tmp_path: Path) -> None:
    split = split_frozen(Frozen().build())
    assert split is not None
    versions = (
        None,
        Version(RECIPE.augmentation, seed=0, number=0),
        Version(RECIPE.augmentation, seed=0, number=1),
        Version(RECIPE.augmentation, seed=1, number=0),
        Version(Augmentation(rotation=5, shift=0.2), seed=0, number=0),
    )
    eyes = Eyes(split.base, RECIPE, tmp_path)
    seen = [eyes.see(pictures, version).read(np.arange(8)).tobytes() for version in versions]
    assert len(set(seen)) == len(versions) == len(list(tmp_path.iterdir()))


def test_another_base_finds_nothing_of_the_first(pictures: Pictures, tmp_path: Path) -> None:
    model = Frozen().build()
    split = split_frozen(model)
    assert split is not None
    Eyes(split.base, RECIPE, tmp_path).see(pictures)
    kernel, bias = model.get_layer("base").get_weights()
    model.get_layer("base").set_weights([kernel, bias + 1e-6])
    Eyes(split.base, RECIPE, tmp_path).see(pictures)
    Eyes(split.base, replace(RECIPE, scaling="symmetric"), tmp_path).see(pictures)
    assert len(list(tmp_path.iterdir())) == 3


def test_the_base_stays_and_the_head_learns(whole_run: Path) -> None:
    keras.utils.set_random_seed(0)
    start = Frozen().build().get_weights()
    for i, (before, after) in enumerate(zip(start, weights(whole_run), strict=True)):
        assert np.array_equal(before, after) == (i < 2)


def test_the_network_answers_pixels_as_its_head_answered_features_in_training(whole_run: Path) -> None:
    """Early stopping went back to the epoch of the lowest loss."""
    history = list(csv.DictReader((whole_run / "history.csv").read_text().splitlines()))
    answers = read_predictions(whole_run / "predictions.csv")["val"]
    loss = -np.log(answers.probabilities[np.arange(len(answers.labels)), answers.labels]).mean()
    assert loss == pytest.approx(min(float(row["val_loss"]) for row in history), rel=1e-4)


def test_every_epoch_has_a_version_of_its_own_unless_told_otherwise(
    whole_run: Path, data: DataSet, tmp_path: Path
) -> None:
    assert len(list((whole_run.parent / CACHE).glob("*-version-*"))) == RECIPE.epochs
    assert len(list((whole_run.parent / CACHE).glob("*-plain-*"))) == 1
    run = train(data, tmp_path, recipe=replace(RECIPE, variants=2))
    assert len(list((tmp_path / CACHE).glob("*-version-*"))) == 2
    assert json.loads((run / "metrics.json").read_text())["recipe"]["variants"] == 2


def test_a_second_training_finds_all_features_and_ends_the_same(whole_run: Path, data: DataSet, tmp_path: Path) -> None:
    cache = whole_run.parent / CACHE
    before = written(cache)
    require_equal(train(data, tmp_path, cache=cache), whole_run)
    assert written(cache) == before
    assert not (tmp_path / CACHE).exists()


def test_a_damaged_cache_changes_nothing(whole_run: Path, data: DataSet, tmp_path: Path) -> None:
    train(data, tmp_path)
    for path, damage in zip((tmp_path / CACHE).rglob("*.npy"), (b"", b"\x93NUMPY"), strict=False):
        path.write_bytes(damage)
    require_equal(train(data, tmp_path), whole_run)


KILLED = """
import os, signal, sys
from pathlib import Path
import keras
sys.path.insert(0, sys.argv[1])
from test_features import NETWORKS, Frozen, fit, read_dataset, train

class Kill(keras.callbacks.Callback):
    def on_train_batch_end(self, batch, logs=None):
        if self.model.optimizer.iterations == int(sys.argv[4]):
            os.kill(os.getpid(), signal.SIGKILL)

callbacks = fit._callbacks
fit._callbacks = lambda task: [*callbacks(task), Kill()]
NETWORKS["compact"] = Frozen()
train(read_dataset(Path(sys.argv[2])), Path(sys.argv[3]))
"""


def test_a_killed_training_goes_on_with_the_features_it_had_and_ends_the_same(
    whole_run: Path, data: DataSet, tmp_path: Path
) -> None:
    steps = -(-len(data.split("train")) // RECIPE.batch)
    arguments = [str(Path(__file__).parent), str(data.root), str(tmp_path), str(2 * steps + 1)]
    killed = subprocess.run([sys.executable, "-c", KILLED, *arguments], capture_output=True, env=os.environ)
    assert killed.returncode == -signal.SIGKILL, killed.stderr.decode()
    assert not (tmp_path / "compact").exists()
    before = written(tmp_path / CACHE)
    run = train(data, tmp_path)
    assert written(tmp_path / CACHE) == before
    require_equal(run, whole_run)


@pytest.mark.slow
def test_the_command_keeps_features_where_it_is_told(
    data: DataSet, tmp_path: Path, run_command: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    options = ("--recipe", "article", "--weights", "none", "--limit", 8, "--epochs", 3, "--variants", 2)
    places = ("--data", data.root, "--out", tmp_path / "runs", "--cache", tmp_path / "cache")
    done = run_command("oct-train", "mobilenet", *places, *options)
    assert done.returncode == 0, done.stderr
    assert {path.name.rpartition("-")[0] for path in (tmp_path / "cache").iterdir()} == {
        "mobilenet-plain",
        "mobilenet-seed-0-version-0",
        "mobilenet-seed-0-version-1",
    }
    assert {path.name for path in (tmp_path / "runs").iterdir()} == {"mobilenet"}
