"""A training that is ended at any moment and gone on with is the training that was never interrupted."""

import csv
import filecmp
import json
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest

from oct_trainer.phantom import write_dataset
from oct_trainer.run_folder import CONTENT, STATE

h5py = pytest.importorskip("h5py")

pytestmark = [pytest.mark.tf, pytest.mark.system]

Ended = subprocess.CompletedProcess[str]
Train = Callable[..., Ended]
BEST = ("--recipe", "best", {"epochs": 5})
# A rate at which validation goes up and down, so that the counters of both callbacks are at work when a kill comes.
ARTICLE = ("--recipe", "article", {"epochs": 14, "learning_rate": 0.1, "patience": 5})
MOMENTS = (
    ("batch", "0:1", "SIGKILL"),
    ("weights", "*/unfinished-epoch-1.*", "cut"),
    ("os.rename", "*/unfinished-epoch-2.*", "SIGKILL"),
    ("open", "*/.state.json.partial", "SIGKILL"),
    ("os.rename", "*/.state.json.partial", "SIGKILL"),
    ("os.remove", "*/epoch-*.weights.h5", "SIGKILL"),
    ("batch", "4:0", "SIGKILL"),
    ("open", "*/history.csv", "SIGKILL"),
    ("open", "*/metrics.json", "SIGKILL"),
    ("os.rename", "*/.compact.partial", "SIGKILL"),
)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("data") / "phantoms"
    write_dataset(root, 24, seed=3)
    return root


@pytest.fixture(scope="module")
def train(train_forked: Train, data: Path) -> Train:
    def train(out: Path, recipe: tuple[str, str, dict[str, object]], *options: object, **task: object) -> Ended:
        fixed = ("compact", "--data", data, "--weights", "none", "--batch", 4)
        return train_forked(*fixed, "--out", out, *recipe[:2], *options, recipe=recipe[2], **task)

    return train


def weights(run: Path) -> dict[str, np.ndarray]:
    found = {}
    with (
        zipfile.ZipFile(run / "model.keras") as archive,
        h5py.File(BytesIO(archive.read("model.weights.h5"))) as file,
    ):
        file.visititems(lambda name, item: found.update({name: item[()]} if isinstance(item, h5py.Dataset) else {}))
    return found


def rows(run: Path) -> list[dict[str, str]]:
    return list(csv.DictReader((run / "history.csv").read_text().splitlines()))


def assert_same(one: Path, other: Path) -> None:
    for name in sorted(CONTENT - {"model.keras"}):
        assert filecmp.cmp(one / name, other / name, shallow=False), name
    assert same_weights(one, other)


def same_weights(one: Path, other: Path) -> bool:
    ours, theirs = weights(one), weights(other)
    assert ours
    assert ours.keys() == theirs.keys()
    return all(np.array_equal(ours[name], theirs[name]) for name in ours)


@pytest.fixture(scope="module")
def undisturbed(train: Train, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """The run of a training that nothing interrupted."""
    made: dict[str, Path] = {}

    def run(recipe: tuple[str, str, dict[str, object]]) -> Path:
        if recipe[1] not in made:
            out = tmp_path_factory.mktemp(recipe[1])
            done = train(out, recipe)
            assert done.returncode == 0, done.stderr
            made[recipe[1]] = out / "compact"
        return made[recipe[1]]

    return run


@pytest.mark.slow
@pytest.mark.parametrize("recipe", [BEST, ARTICLE], ids=["best", "article"])
def test_killed_again_and_again_it_ends_as_if_nothing_had_happened(
    train: Train, undisturbed: Callable[..., Path], tmp_path: Path, recipe: tuple[str, str, dict[str, object]]
) -> None:
    for moment in MOMENTS:
        killed = train(tmp_path, recipe, moment=moment)
        assert killed.returncode == -signal.SIGKILL, (moment, killed.stderr)
        assert not (tmp_path / "compact").exists()
    done = train(tmp_path, recipe)
    assert done.returncode == 0, done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["compact"]
    assert {path.name for path in (tmp_path / "compact").iterdir()} == CONTENT
    assert_same(tmp_path / "compact", undisturbed(recipe))


def test_the_articles_callbacks_were_at_work_in_what_is_compared(undisturbed: Callable[..., Path]) -> None:
    history = rows(undisturbed(ARTICLE))
    assert len(history) < ARTICLE[2]["epochs"], "stopped early"
    assert float(history[-1]["learning_rate"]) < float(history[0]["learning_rate"]), "lowered on a plateau"
    losses = [float(row["val_loss"]) for row in history]
    assert losses.index(min(losses)) not in (0, len(losses) - 1), "went back to a best epoch on the way"


@pytest.mark.slow
def test_a_seed_decides_the_weights(train: Train, undisturbed: Callable[..., Path], tmp_path: Path) -> None:
    for seed in (0, 2**32 - 1):
        assert train(tmp_path / str(seed), BEST, "--seed", seed).returncode == 0
    assert_same(tmp_path / "0" / "compact", undisturbed(BEST))
    assert not same_weights(tmp_path / str(2**32 - 1) / "compact", undisturbed(BEST))


@pytest.mark.slow
def test_ctrl_c_is_one_line_that_says_how_to_go_on(
    train: Train, undisturbed: Callable[..., Path], tmp_path: Path
) -> None:
    early = train(tmp_path, BEST, moment=("batch", "0:0", "SIGINT"))
    assert early.returncode == 130
    assert early.stderr.splitlines()[-1].startswith("Not finished: no epoch was complete.")
    assert not list(tmp_path.iterdir())
    stopped = train(tmp_path, BEST, moment=("batch", "2:1", "SIGINT"))
    assert stopped.returncode == 130
    assert [line.split(":")[0] for line in stopped.stderr.splitlines()] == [
        "compact",
        "compact epoch 1/5",
        "compact epoch 2/5",
        "Not finished",
    ]
    assert stopped.stderr.splitlines()[-1].endswith("The same command goes on from there.")
    done = train(tmp_path, BEST)
    assert "going on after epoch 2" in done.stderr.splitlines()[0]
    assert_same(tmp_path / "compact", undisturbed(BEST))


@pytest.mark.slow
def test_another_setting_on_an_unfinished_training_is_refused_and_loses_nothing(
    train: Train, undisturbed: Callable[..., Path], tmp_path: Path
) -> None:
    train(tmp_path, BEST, moment=("batch", "1:0", "SIGKILL"))
    partial = tmp_path / ".compact.partial"
    before = {path.name: path.read_bytes() for path in partial.iterdir()}
    others = {("--batch", 5): "recipe", ("--seed", 1): "data, seed", ("--precision", "mixed"): "precision"}
    for option, named in others.items():
        refused = train(tmp_path, BEST, *option)
        assert refused.returncode == 78
        error, hint = refused.stderr.splitlines()[-2:]
        assert error.startswith("error [configuration]:")
        assert f"{named} of it differ" in error
        assert "--restart" in hint
        kept = {path.name: path.read_bytes() for path in partial.iterdir()}
        assert {name: kept[name] for name in before if name != "split.csv"} == {
            name: content for name, content in before.items() if name != "split.csv"
        }
    assert train(tmp_path, BEST).returncode == 0
    assert_same(tmp_path / "compact", undisturbed(BEST))


def test_restart_discards_an_unfinished_training(train: Train, tmp_path: Path) -> None:
    train(tmp_path, BEST, moment=("batch", "1:0", "SIGKILL"))
    done = train(tmp_path, BEST, "--batch", 5, "--epochs", 2, "--restart")
    assert done.returncode == 0, done.stderr
    assert "from weights: none" in done.stderr.splitlines()[0]
    assert len(rows(tmp_path / "compact")) == 2


def test_a_damaged_checkpoint_is_refused_with_a_way_out(train: Train, tmp_path: Path) -> None:
    train(tmp_path, BEST, moment=("batch", "1:0", "SIGKILL"))
    (tmp_path / ".compact.partial" / "epoch-1.weights.h5").write_bytes(b"zeros")
    refused = train(tmp_path, BEST)
    assert refused.returncode == 78
    assert "cannot be read" in refused.stderr.splitlines()[-2]
    assert "--restart" in refused.stderr.splitlines()[-1]


def test_killed_after_the_last_epoch_only_the_evaluation_is_repeated(
    train: Train, undisturbed: Callable[..., Path], tmp_path: Path
) -> None:
    train(tmp_path, ARTICLE, moment=("open", "*/metrics.json", "SIGKILL"))
    assert json.loads((tmp_path / ".compact.partial" / STATE).read_text())["stopped"] is True
    done = train(tmp_path, ARTICLE, moment=("batch", "*", "SIGKILL"))
    assert done.returncode == 0, "no batch is trained"
    assert_same(tmp_path / "compact", undisturbed(ARTICLE))


@pytest.mark.slow
def test_the_command_itself_and_the_compact_network_survive_a_kill(data: Path, tmp_path: Path) -> None:
    """From outside, by a signal that comes when it comes."""
    options = ("--weights", "none", "--epochs", "3", "--batch", "8")
    command = [str(Path(sys.executable).parent / "oct-train"), "compact", "--data", str(data), *options, "--out"]
    state = tmp_path / "killed" / ".compact.partial" / STATE
    with subprocess.Popen([*command, str(tmp_path / "killed")], stderr=subprocess.DEVNULL) as process:
        while process.poll() is None and not state.exists():
            time.sleep(0.05)
        process.kill()
    assert state.exists(), "it was killed on the way"
    for out in ("killed", "whole"):
        subprocess.run([*command, str(tmp_path / out)], check=True, capture_output=True, timeout=600)
    assert_same(tmp_path / "killed" / "compact", tmp_path / "whole" / "compact")
