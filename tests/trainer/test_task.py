"""The same command twice trains once: a finished run of the very settings is kept, unless a restart is asked for."""

import json
import shutil
import signal
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from oct_trainer.dataset import DataSet, read_dataset, split_digest
from oct_trainer.networks import NETWORKS
from oct_trainer.phantom import write_dataset

keras = pytest.importorskip("keras")
from oct_trainer import fit  # noqa: E402
from oct_trainer.recipes import BEST  # noqa: E402
from oct_trainer.run_model import load_finished_run  # noqa: E402
from oct_trainer.task import SETTINGS  # noqa: E402

pytestmark = pytest.mark.tf

Command = Callable[..., subprocess.CompletedProcess[str]]
ONE_EPOCH = replace(BEST["compact"], epochs=1)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("data") / "phantoms"
    write_dataset(root, 16, seed=3)
    return root


@pytest.fixture
def train(tiny_compact: object, root: Path, tmp_path: Path) -> Callable[..., bool]:
    """Train into the test's folder, and say whether there is another run than before."""

    def train(data: DataSet | None = None, recipe: object = ONE_EPOCH, weights: str = "none", **options: int) -> bool:
        run = tmp_path / "compact"
        before = run.stat().st_ino if run.exists() else None
        assert fit.train("compact", data or read_dataset(root), tmp_path, recipe, weights=weights, **options) == run
        assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []
        return run.stat().st_ino != before

    return train


def test_a_finished_run_of_the_same_settings_is_kept_and_named(
    train: Callable[..., bool], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert train()
    capsys.readouterr()
    assert not train()
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"{tmp_path / 'compact'}: ")
    assert "kept" in line
    assert "--restart" in line


def test_a_restart_trains_it_again(train: Callable[..., bool]) -> None:
    assert train()
    assert train(restart=True)


def test_a_cap_that_takes_nothing_off_is_no_other_setting(train: Callable[..., bool]) -> None:
    assert train()
    assert not train(epochs=5)


@pytest.mark.parametrize(
    "change",
    [{"seed": 1}, {"recipe": replace(ONE_EPOCH, batch=4)}, {"recipe": replace(ONE_EPOCH, epochs=2)}],
    ids=["seed", "batch", "epochs"],
)
def test_another_setting_is_another_training(train: Callable[..., bool], change: dict[str, object]) -> None:
    assert train()
    assert train(**change)
    assert not train(**change)


def test_other_data_are_another_training(train: Callable[..., bool], root: Path, tmp_path: Path) -> None:
    """A limit, and one scan of other bytes under the same name."""
    assert train()
    assert train(read_dataset(root, limit=4))
    changed = Path(shutil.copytree(root, tmp_path / "changed"))
    scan, other = sorted((changed / "train" / "CNV").iterdir())[:2]
    shutil.copy(other, scan)
    assert train(read_dataset(changed))
    assert not train(read_dataset(changed))


def test_weights_count_by_what_they_are_and_not_by_their_name(
    train: Callable[..., bool], tmp_path_factory: pytest.TempPathFactory
) -> None:
    one, other = (tmp_path_factory.mktemp(name) for name in ("one", "other"))
    network = NETWORKS["compact"].build()
    network.save_weights(one / "compact.weights.h5")
    shutil.copy(one / "compact.weights.h5", other)
    assert train(weights=str(one))
    assert not train(weights=str(other))
    network.set_weights([values + 1 for values in network.get_weights()])
    network.save_weights(other / "compact.weights.h5")
    assert train(weights=str(other))


def test_a_run_of_an_older_version_is_readable_and_counts_as_another(
    train: Callable[..., bool], tmp_path: Path
) -> None:
    assert train()
    record = json.loads((tmp_path / "compact" / "metrics.json").read_text())
    del record[SETTINGS]
    (tmp_path / "compact" / "metrics.json").write_text(json.dumps(record))
    run, _ = load_finished_run(tmp_path / "compact")
    assert run.network == "compact"
    assert train()


@pytest.mark.parametrize("name", ["model.keras", "metrics.json", "split.csv"])
def test_a_damaged_run_is_trained_again(train: Callable[..., bool], tmp_path: Path, name: str) -> None:
    assert train()
    path = tmp_path / "compact" / name
    path.write_bytes(path.read_bytes()[:-40])
    assert train()


def test_the_data_are_known_without_decoding_a_scan_as_they_are_in_the_run(
    train: Callable[..., bool], root: Path, tmp_path: Path
) -> None:
    assert train()
    record = json.loads((tmp_path / "compact" / "metrics.json").read_text())
    assert split_digest(read_dataset(root)) == record["data"]["split_sha256"]


@pytest.mark.slow
@pytest.mark.system
def test_an_unfinished_training_goes_before_a_finished_run(train_forked: Command, root: Path, tmp_path: Path) -> None:
    """Killed on the way to train again, the same command without --restart goes on, and then there is one to keep."""
    command = ("compact", "--data", root, "--out", tmp_path, "--weights", "none", "--epochs", 2)
    assert train_forked(*command).returncode == 0
    first = (tmp_path / "compact").stat().st_ino
    killed = train_forked(*command, "--restart", moment=("batch", "1:0", "SIGKILL"))
    assert killed.returncode == -signal.SIGKILL
    resumed = train_forked(*command)
    assert "going on after epoch 1" in resumed.stderr
    assert (tmp_path / "compact").stat().st_ino != first
    kept = train_forked(*command, moment=("batch", "*", "SIGKILL"))
    assert kept.returncode == 0, "no batch is trained"
    assert kept.stdout.strip() == str(tmp_path / "compact")
    assert "kept" in kept.stderr


@pytest.mark.slow
@pytest.mark.system
def test_all_goes_on_with_the_first_network_that_is_missing(
    clean_phantoms: Path, tmp_path: Path, run_command: Command
) -> None:
    command = ("all", "--data", clean_phantoms, "--out", tmp_path, "--weights", "none", "--epochs", 1, "--limit", 4)
    assert run_command("oct-train", *command).returncode == 0
    written = {name: (tmp_path / name / "metrics.json").stat().st_mtime_ns for name in NETWORKS}
    shutil.rmtree(tmp_path / "compact")
    again = run_command("oct-train", *command)
    assert again.returncode == 0, again.stderr
    assert again.stdout.split() == [str(tmp_path / name) for name in NETWORKS]
    kept = {name for name in NETWORKS if (tmp_path / name / "metrics.json").stat().st_mtime_ns == written[name]}
    assert kept == set(NETWORKS) - {"compact"}
    assert {name for name in NETWORKS if f"{tmp_path / name}: finished" in again.stderr} == kept
