"""ARM answers as x86 does: what `make arm64` compares, and, where this machine can emulate, all of it for real."""

import copy
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

from oct_models import bundled_models, sample_scans

pytestmark = pytest.mark.system

ROOT = Path(__file__).parents[2]
SCRIPTS = ROOT / "scripts" / "arm64"
UNABLE = 69
Report = dict[str, Any]
Compare = Callable[..., subprocess.CompletedProcess[str]]


def answer(scan: str, runtime: str = "litert", kernels: str = "reference", **changes: Any) -> dict[str, Any]:
    outputs = {"logits": [50, 40, -30, -40], "scores": [255, 0, 0, 0], "embedding": [1, 2, 3]}
    known = {"model": "m", "sha256": "a", "tolerance": 2, "runtime": runtime, "kernels": kernels, "scan": scan}
    return known | {"version": runtime, "input": f"digest of {scan}", "outputs": outputs | changes}


def report(*answers: dict[str, Any], machine: str = "aarch64") -> Report:
    return {"machine": machine, "cpu": "", "python": "3.11.2", "numpy": "2", "answers": list(answers)}


@pytest.fixture
def truth() -> Report:
    return report(*(answer(scan, "litert", kernels) for kernels in ("reference", "default") for scan in ("s", "t")))


@pytest.fixture
def compare(tmp_path: Path) -> Compare:
    def run(*reports: Report) -> subprocess.CompletedProcess[str]:
        paths = [tmp_path / f"{i}.json" for i in range(len(reports))]
        for path, content in zip(paths, reports, strict=True):
            path.write_text(json.dumps(content))
        return subprocess.run([sys.executable, SCRIPTS / "compare.py", *paths], capture_output=True, text=True)

    return run


def test_equal_answers_are_fine(compare: Compare, truth: Report) -> None:
    done = compare(truth, truth | {"machine": "aarch64"})
    assert done.returncode == 0, done.stdout
    assert done.stdout.splitlines()[-1] == "8 answers of 2 machines, 0 faults"


@pytest.mark.parametrize("output", ["logits", "scores", "embedding"])
def test_reference_kernels_may_not_differ_by_one_step(compare: Compare, truth: Report, output: str) -> None:
    other = copy.deepcopy(truth)
    other["answers"][1]["outputs"][output][-1] += 1
    done = compare(truth, other)
    assert done.returncode == 1
    assert f"t: {output} differ by 1 steps, 0 are allowed" in done.stdout


@pytest.mark.parametrize(("steps", "code"), [(2, 0), (3, 1)])
def test_deployed_kernels_may_differ_as_far_as_the_card_allows(
    compare: Compare, truth: Report, steps: int, code: int
) -> None:
    other = report(*(answer(s, kernels="default", logits=[50, 40, -30 + steps, -40]) for s in ("s", "t")))
    done = compare(truth, other)
    assert done.returncode == code
    assert (f"logits differ by {steps} steps, 2 are allowed" in done.stdout) == bool(code)


@pytest.mark.parametrize(("margin", "code"), [(2, 0), (3, 1)])
def test_a_class_may_change_only_where_the_margin_is_within_the_tolerance(
    compare: Compare, margin: int, code: int
) -> None:
    known = [answer("s", kernels=k, logits=[40 + margin, 40, -30, -40]) for k in ("reference", "default")]
    other = answer("s", kernels="default", logits=[40, 40 + margin - 1, -30, -40])
    done = compare(report(*known), report(other))
    assert done.returncode == code
    assert (f"another class, at a margin of {margin} steps" in done.stdout) == bool(code)


def test_another_input_tensor_or_model_file_is_named(compare: Compare, truth: Report) -> None:
    other = copy.deepcopy(truth)
    other["answers"][0]["input"], other["answers"][3]["sha256"] = "other pixels", "b"
    done = compare(truth, other)
    assert done.returncode == 1
    assert "s: another input tensor" in done.stdout
    assert "t: another model file" in done.stdout


@pytest.mark.parametrize("kept", [[0, 2, 3], [2], []], ids=["one scan", "most", "everything"])
def test_a_missing_answer_is_a_fault(compare: Compare, truth: Report, kept: Iterable[int]) -> None:
    done = compare(truth, truth | {"answers": [truth["answers"][i] for i in kept]})
    assert done.returncode == 1
    assert "t: no answer" in done.stdout


def test_one_machine_is_no_comparison(compare: Compare, truth: Report) -> None:
    assert compare(truth).returncode == 2


def emulated(**environment: str) -> subprocess.CompletedProcess[str]:
    """`make arm64`, with this Python in the place of .venv-dev's."""
    command = [SCRIPTS / "run"]
    known = os.environ | {"PYTHON": sys.executable} | environment
    return subprocess.run(command, env=known, capture_output=True, text=True, timeout=1800, start_new_session=True)


def test_a_machine_that_cannot_emulate_is_told_what_it_needs(tmp_path: Path) -> None:
    for tool in ("bash", "dirname", "uname"):
        (tmp_path / tool).symlink_to(shutil.which(tool))
    done = emulated(PATH=str(tmp_path))
    assert done.returncode == UNABLE
    assert re.search(r"^arm64: needs (root|mmdebstrap).*\n  hint: ", done.stderr), done.stderr


@pytest.fixture(scope="module")
def emulation() -> subprocess.CompletedProcess[str]:
    """All of it, once. What it downloads it keeps; the first time takes minutes."""
    mounted = Path("/proc/self/mounts").read_text()
    done = emulated()
    assert Path("/proc/self/mounts").read_text() == mounted
    if done.returncode == UNABLE:
        pytest.skip(done.stderr.strip().replace("\n", ";"))
    return done


@pytest.mark.nightly
def test_emulated_boards_answer_as_this_machine_does(emulation: subprocess.CompletedProcess[str]) -> None:
    said = emulation.stdout[-6000:] + emulation.stderr[-2000:]
    assert re.search(r"answers of 5 machines, 0 faults$", emulation.stdout, re.MULTILINE), said
    rows = [line.split() for line in emulation.stdout.splitlines() if re.match(r"(x86_64|aarch64) ", line)]
    boards = {(row[1], row[3][:4]) for row in rows if row[0] == "aarch64"}
    assert boards >= {("cortex-a72", "3.11"), ("cortex-a76", "3.13"), ("cortex-a53", "3.13")}
    assert {(row[-8], row[-5]) for row in rows} == {(name, str(len(sample_scans()))) for name in bundled_models()}


@pytest.mark.nightly
def test_emulated_boards_pass_the_checks_of_a_device(emulation: subprocess.CompletedProcess[str]) -> None:
    assert emulation.returncode == 0
