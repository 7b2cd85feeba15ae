"""A real training and conversion on phantoms, small enough for every test run."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

Command = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="session")
def phantoms(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from oct_trainer.phantom import write_dataset

    root = tmp_path_factory.mktemp("data") / "phantoms"
    write_dataset(root, 64, seed=3)
    return root


@pytest.fixture(scope="session")
def runs(phantoms: Path, tmp_path_factory: pytest.TempPathFactory, run_command: Command) -> Path:
    """`oct-train all` on phantoms, one epoch of sixteen scans, from random weights."""
    pytest.importorskip("tensorflow")
    out = tmp_path_factory.mktemp("runs")
    options = ("--data", phantoms, "--out", out, "--weights", "none", "--epochs", 1, "--limit", 16)
    done = run_command("oct-train", "all", *options)
    assert done.returncode == 0, done.stderr
    return out
