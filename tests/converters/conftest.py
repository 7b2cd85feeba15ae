"""A real training and conversion on phantoms, small enough for every test run."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

from oct_converters.cli import DEFAULT_NETWORKS

FAKE_COMPILER = Path(__file__).with_name("fake_edgetpu_compiler.py")
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


@pytest.fixture(scope="session")
def unaligned() -> Callable[[bytes], list[int]]:
    """Where constants of a .tflite stand that are not at a multiple of 16, as the schema's `force_align` asks."""

    def find(tflite: bytes) -> list[int]:
        model = schema.Model.GetRootAs(tflite)
        start = np.frombuffer(tflite, np.uint8).ctypes.data
        buffers = (model.Buffers(i) for i in range(model.BuffersLength()))
        offsets = [buffer.DataAsNumpy().ctypes.data - start for buffer in buffers if buffer.DataLength()]
        assert len(offsets) > 10
        return [offset for offset in offsets if offset % 16]

    return find


@pytest.fixture
def install_compiler(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Put a shell script on PATH as the Edge TPU compiler; in it, `$FAKE "$@"` is the fake one that writes a model."""
    monkeypatch.setenv("FAKE", f"{sys.executable} {FAKE_COMPILER}")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, sys.path)))

    def install(script: str) -> None:
        folder = tmp_path / "bin"
        folder.mkdir()
        command = folder / "edgetpu_compiler"
        command.write_text(f"#!/bin/sh\n{script}\n")
        command.chmod(0o755)
        monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")

    return install


@pytest.fixture
def fake_compiler(install_compiler: Callable[[str], None]) -> None:
    install_compiler('exec $FAKE "$@"')
