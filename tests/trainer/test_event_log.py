"""TensorBoard's files hold every epoch once, whatever happened on the way."""

import csv
import signal
import subprocess
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

import pytest

from oct_trainer.phantom import write_dataset

tf = pytest.importorskip("tensorflow")

pytestmark = [pytest.mark.tf, pytest.mark.system]

Train = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def train(train_forked: Train, tmp_path_factory: pytest.TempPathFactory) -> Train:
    data = tmp_path_factory.mktemp("data") / "phantoms"
    write_dataset(data, 16, seed=3)

    def train(out: Path, *options: object, **task: object) -> subprocess.CompletedProcess[str]:
        fixed = ("compact", "--data", data, "--weights", "none", "--tensorboard", "--recipe", "article")
        return train_forked(*fixed, "--out", out, *options, recipe={"epochs": 4, "patience": 9}, **task)

    return train


def curves(folder: Path) -> dict[str, list[tuple[int, float]]]:
    found = defaultdict(list)
    for file in folder.glob("events.out.tfevents.*"):
        for record in tf.data.TFRecordDataset(str(file)):
            event = tf.compat.v1.Event.FromString(record.numpy())
            for value in event.summary.value:
                found[value.tag].append((event.step, float(tf.make_ndarray(value.tensor))))
    return found


def assert_as_in_the_history(out: Path) -> None:
    rows = list(csv.DictReader((out / "compact" / "history.csv").read_text().splitlines()))
    shown = {part: curves(out / "tensorboard" / "compact" / part) for part in ("train", "validation")}
    assert shown["train"].keys() == {"epoch_loss", "epoch_accuracy", "epoch_learning_rate"}
    assert shown["validation"].keys() == {"epoch_loss", "epoch_accuracy"}
    for part, prefix in (("train", ""), ("validation", "val_")):
        for name, points in shown[part].items():
            column = prefix + name.removeprefix("epoch_")
            expected = [(int(row["epoch"]), pytest.approx(float(row[column]), rel=1e-6)) for row in rows]
            assert points == expected, (part, name)


def test_every_epoch_is_there_once(train: Train, tmp_path: Path) -> None:
    assert train(tmp_path).returncode == 0
    assert_as_in_the_history(tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize(
    "moment",
    [("batch", "2:0", "SIGKILL"), ("curves", "2", "SIGKILL"), ("open", "*/history.csv", "SIGKILL")],
    ids=["between", "before-the-log", "behind"],
)
def test_after_a_kill_no_epoch_is_missing_or_there_twice(
    train: Train, tmp_path: Path, moment: tuple[str, str, str]
) -> None:
    assert train(tmp_path, moment=moment).returncode == -signal.SIGKILL
    assert train(tmp_path).returncode == 0
    assert_as_in_the_history(tmp_path)


@pytest.mark.slow
def test_another_training_takes_the_place_of_the_curves_before(train: Train, tmp_path: Path) -> None:
    train(tmp_path)
    assert train(tmp_path, "--epochs", 2).returncode == 0
    assert_as_in_the_history(tmp_path)


def test_curves_that_cannot_be_written_are_an_error_of_the_output(train: Train, tmp_path: Path) -> None:
    (tmp_path / "tensorboard").write_text("a file where the folder belongs")
    done = train(tmp_path)
    assert done.returncode == 69
    error, hint = done.stderr.splitlines()[-2:]
    assert error.startswith("error [output_unavailable]:")
    assert "TensorBoard's files cannot be written" in error
    assert "repeat the command" in hint
