"""The benchmark of robustness, as a user calls it: on a finished run, by its network or by a file made of it."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.tf, pytest.mark.slow]

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "robustness.py"


def call(folder: Path, *arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(SCRIPT), *map(str, arguments)]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=600)


def test_a_run_is_measured_on_changed_scans(runs: Path, phantoms: Path, tmp_path: Path) -> None:
    done = call(tmp_path, runs / "compact", "--data", phantoms, "--split", "test", "--only", "mirror", "--no-borders")
    assert done.returncode == 0, done.stderr
    record = json.loads((tmp_path / "robustness.json").read_text())
    assert (record["network"], record["split"], record["borders"]) == ("compact", "test", False)
    assert [one["name"] for one in record["changed"]] == ["left for right"]
    answers = json.loads((runs / "compact" / "metrics.json").read_text())["metrics"]["test"]
    assert record["scans"] == answers["scans"]
    assert "left for right" in done.stdout


def test_a_model_of_another_split_is_refused(runs: Path, phantoms: Path, tmp_path: Path) -> None:
    done = call(tmp_path, runs / "compact", "--data", phantoms, "--model", "mobilenet-int8")
    assert done.returncode == 1
    assert "error [" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "robustness.json").exists()
