"""A disk that fills up costs what is being written, never what was trained."""

import csv
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from oct_edge.errors import OutputUnavailable
from oct_trainer.phantom import write_dataset
from oct_trainer.run_folder import require_room

Ended = subprocess.CompletedProcess[str]
EPOCHS = 3


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A small one of its own."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("needs the right to mount a tmpfs")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


@pytest.fixture(scope="module")
def train(train_forked: Callable[..., Ended], tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Ended]:
    data = tmp_path_factory.mktemp("data") / "phantoms"
    write_dataset(data, 16, seed=3)

    def train(out: Path, *options: object, **task: object) -> Ended:
        fixed = ("compact", "--data", data, "--weights", "none", "--batch", 8)
        return train_forked(*fixed, "--out", out, *options, recipe={"epochs": EPOCHS}, **task)

    return train


def test_too_little_room_is_said_with_figures(disk: Path) -> None:
    require_room(disk, 15_000_000)
    with pytest.raises(OutputUnavailable, match=r"20\.0 MB are needed for the training, 16\.\d MB are free"):
        require_room(disk, 20_000_000)


@pytest.mark.tf
@pytest.mark.system
def test_a_disk_without_room_is_refused_before_the_first_epoch(disk: Path, train: Callable[..., Ended]) -> None:
    (disk / "ballast").write_bytes(bytes(16_000_000))
    done = train(disk / "runs")
    assert done.returncode == 69
    assert "epoch 1" not in done.stderr
    error, hint = done.stderr.splitlines()[-2:]
    assert error.startswith("error [output_unavailable]:")
    assert "MB are needed" in error
    assert "--out" in hint
    assert not list((disk / "runs").iterdir())


@pytest.mark.slow
@pytest.mark.tf
@pytest.mark.system
@pytest.mark.parametrize(
    ("moment", "kept"),
    [
        (("batch", "0:0"), 0),
        (("batch", "1:0"), 1),
        (("os.rename", "*/unfinished-epoch-2.*"), 1),
        (("open", "*/history.csv"), EPOCHS),
        (("open", "*/metrics.json"), EPOCHS),
    ],
    ids=["first-checkpoint", "later-checkpoint", "state", "history", "record"],
)
def test_a_disk_that_fills_up_loses_nothing_that_was_kept(
    disk: Path, train: Callable[..., Ended], moment: tuple[str, str], kept: int
) -> None:
    full = train(disk / "runs", moment=(*moment, f"fill {disk}"))
    assert full.returncode == 69, full.stderr
    error, hint = full.stderr.splitlines()[-2:]
    assert error.startswith("error [output_unavailable]:")
    assert "No space left on device" in error
    assert "repeat the command" in hint
    again = train(disk / "runs")
    assert again.returncode == 69, "the disk is still full"
    (disk / "ballast").unlink()
    done = train(disk / "runs", moment=("batch", f"{kept - 1}:*", "SIGKILL"))
    assert done.returncode == 0, done.stderr
    history = list(csv.DictReader((disk / "runs/compact/history.csv").read_text().splitlines()))
    assert [row["epoch"] for row in history] == [str(epoch) for epoch in range(EPOCHS)]


@pytest.mark.slow
@pytest.mark.tf
@pytest.mark.system
def test_a_model_that_does_not_fit_is_written_after_the_disk_has_grown(disk: Path, train: Callable[..., Ended]) -> None:
    full = train(disk / "runs", moment=("model", "*", f"fill {disk}"))
    assert full.returncode == 69, full.stderr
    subprocess.run(["mount", "-o", "remount,size=32m", str(disk)], check=True)
    done = train(disk / "runs", moment=("batch", "*", "SIGKILL"))
    assert done.returncode == 0, done.stderr
