"""Clean phantoms, a copy to plant something in, finished runs that nobody had to train, and trainings in processes."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from oct_edge.classifier import softmax
from oct_edge.labels import LABELS
from oct_edge.preprocess import PREPROCESSING
from oct_trainer.audit import Audit, rows
from oct_trainer.dataset import DataSet, class_counts, read_dataset, write_split
from oct_trainer.networks import NETWORKS
from oct_trainer.phantom import write_dataset
from oct_trainer.predictions import Predictions, measure, write_predictions
from oct_trainer.run import SCHEMA


class Tiny:
    """Stands in for the compact network: the mean of the picture, and four weights a channel."""

    def build(self, *, scaling: str = "unit", shrink: int = 1) -> object:
        import keras

        from oct_trainer.networks.layers import answer, pixels

        inputs, x = pixels(scaling, shrink)
        return keras.Model(inputs, answer(keras.layers.GlobalAveragePooling2D(name="embedding")(x)), name="compact")


@pytest.fixture
def tiny_compact(monkeypatch: pytest.MonkeyPatch) -> None:
    """`compact` is a network that trains in a second."""
    monkeypatch.setitem(NETWORKS, "compact", Tiny())


@pytest.fixture(scope="session")
def clean_phantoms(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("audit") / "phantoms"
    write_dataset(root, 64, seed=3)
    return root


@pytest.fixture(scope="session")
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Other phantoms, called by the very names and patients of the clean ones."""
    root = tmp_path_factory.mktemp("elsewhere") / "phantoms"
    write_dataset(root, 64, seed=4)
    return root


@pytest.fixture
def root(clean_phantoms: Path, tmp_path: Path) -> Path:
    """A copy of the clean phantoms."""
    return Path(shutil.copytree(clean_phantoms, tmp_path / "data"))


@pytest.fixture(scope="session")
def text() -> Callable[[Audit], str]:
    """The report of an audit as one text."""
    return lambda audit: "\n".join(rows(audit))


@pytest.fixture(scope="session")
def scans() -> Callable[[Path, str, str], list[Path]]:
    """The JPEGs of a split and class under a root, by name."""
    return lambda root, split, label: sorted((root / split / label).glob("*.jpeg"))


@pytest.fixture(scope="session")
def save() -> Callable[..., str]:
    """Save a picture where there may be no folder yet; returns the name of the file."""

    def save(picture: Image.Image, path: Path, **options: int) -> str:
        path.parent.mkdir(parents=True, exist_ok=True)
        picture.save(path, **options)
        return path.name

    return save


def answers(data: DataSet, split: str) -> Predictions:
    """Nobody's answers to the scans of a split, mostly right."""
    samples = data.split(split)
    labels = np.array([sample.label for sample in samples])
    logits = np.random.default_rng(0).normal(0, 1, (len(labels), 4)) + 1.2 * np.eye(4)[labels]
    paths = np.array([sample.name(data.root) for sample in samples])
    return Predictions(paths, np.array([sample.patient for sample in samples]), labels, softmax(logits))


def record_of(data: DataSet, split_sha256: str, parts: dict[str, Predictions]) -> dict[str, object]:
    splits = {name: data.split(name) for name in ("train", "val", "test")}
    return {
        "schema": SCHEMA,
        "network": "compact",
        "classes": list(LABELS),
        "preprocessing": PREPROCESSING,
        "recipe": {"name": "best", "augmentation": {"rotation": 10}},
        "seed": 0,
        "data": {
            "split_sha256": split_sha256,
            "scans": {name: class_counts(samples) for name, samples in splits.items()},
            "patients": {name: len({sample.patient for sample in samples}) for name, samples in splits.items()},
        },
        "metrics": measure(parts),
    }


@pytest.fixture(scope="session")
def write_run() -> Callable[..., Path]:
    """Write a finished run on some data into a folder; only its model is missing, an empty file in its place."""

    def write(folder: Path, root: Path, **record: object) -> Path:
        folder.mkdir(parents=True)
        data = read_dataset(root)
        digests = [hashlib.sha256(sample.path.read_bytes()).hexdigest() for sample in data.samples]
        split_sha256 = write_split(data.samples, digests, data.root, folder / "split.csv")
        parts = {name: answers(data, name) for name in ("val", "test")}
        write_predictions(folder / "predictions.csv", parts)
        (folder / "metrics.json").write_text(json.dumps(record_of(data, split_sha256, parts) | record))
        (folder / "history.csv").write_text("epoch,accuracy,loss,val_accuracy,val_loss\n0,0.5,1.2,0.4,1.3\n")
        (folder / "model.keras").touch()
        return folder

    return write


@pytest.fixture(scope="session")
def compact_run(write_run: Callable[..., Path], clean_phantoms: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run of the compact network on the clean phantoms, to copy."""
    return write_run(tmp_path_factory.mktemp("runs") / "compact", clean_phantoms)


@pytest.fixture
def runs(compact_run: Path, tmp_path: Path) -> Path:
    """A folder with a copy of that run."""
    shutil.copytree(compact_run, tmp_path / "runs" / "compact")
    return tmp_path / "runs"


@pytest.fixture(scope="session")
def train_forked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., subprocess.CompletedProcess[str]]]:
    """`oct-train` in a process of its own, as `forked_training.py` describes it."""
    pytest.importorskip("tensorflow")
    folder = tmp_path_factory.mktemp("forked")
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    command = [sys.executable, str(Path(__file__).with_name("forked_training.py"))]
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
    with subprocess.Popen(command, **pipes, env=environment, text=True) as server:  # type: ignore[call-overload]

        def train(*arguments: object, recipe: dict[str, object] | None = None, **task: object) -> object:
            said = {name: str(folder / name) for name in ("stdout", "stderr")}
            line = {"arguments": [*map(str, arguments)], "recipe": recipe or {}, **said, **task}
            print(json.dumps(line), file=server.stdin, flush=True)
            code = int(server.stdout.readline())
            return subprocess.CompletedProcess(arguments, code, *(Path(path).read_text() for path in said.values()))

        yield train
