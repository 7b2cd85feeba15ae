"""A real training and conversion on phantoms, small enough for every test run."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from oct_converters.cli import DEFAULT_NETWORKS

Command = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="session")
def phantoms(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from oct_trainer.phantom import write_dataset

    root = tmp_path_factory.mktemp("data") / "phantoms"
    write_dataset(root, 64, seed=3)
    return root


@pytest.fixture(scope="session")
def runs(phantoms: Path, tmp_path_factory: pytest.TempPathFactory, run_command: Command) -> Path:
    """The networks that convert by default, trained on phantoms: one epoch of sixteen scans, from random weights."""
    pytest.importorskip("tensorflow")
    out = tmp_path_factory.mktemp("runs")
    options = ("--data", phantoms, "--out", out, "--weights", "none", "--epochs", 1, "--limit", 16)
    for network in DEFAULT_NETWORKS:
        done = run_command("oct-train", network, *options)
        assert done.returncode == 0, done.stderr
    return out
