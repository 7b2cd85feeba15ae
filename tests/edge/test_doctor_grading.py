"""Runtimes that are really asked for answers, in a process that may die of it."""

import json
import signal
import sys
import zipfile
from io import BytesIO
from pathlib import Path

import pytest

from oct_edge.bundle import CARD, LABELS_FILE, Bundle, pack
from oct_edge.doctor.finding import Finding
from oct_edge.doctor.grading import grading, tried
from oct_edge.runtime import installed_runtimes
from oct_models import DEFAULT


@pytest.fixture
def other_answers(bundle: Bundle, tmp_path: Path) -> Path:
    """The default model with a card that promises something else."""
    with zipfile.ZipFile(BytesIO(bundle.content)) as tail:
        card = json.loads(tail.read(CARD))
        files = {name: tail.read(name) for name in tail.namelist() if name not in (CARD, LABELS_FILE)}
    for answer in card["golden"]["answers"]:
        answer["logits"] = answer["logits"][::-1]
    path = tmp_path / "other.tflite"
    path.write_bytes(pack(bundle.content[: card["tflite"]["bytes"]], card, files))
    return path


def examined(model: object = DEFAULT, runtime: str = "auto", script: str | None = None) -> dict[str, Finding]:
    program = {"program": (sys.executable, "-c", script)} if script else {}
    return {finding.what: finding for finding in grading(str(model), runtime, 1, **program)}


def test_every_runtime_that_is_installed_is_asked_and_answers() -> None:
    found = examined()
    others = {f"also {kind}" for kind in installed_runtimes()} - {"also litert"}
    assert found.keys() == {"runtime", "golden answers", *others}
    assert {finding.state for finding in found.values()} == {"ok"}
    assert "1 thread" in found["runtime"].text
    assert "steps of the logits" in found["golden answers"].text


def test_a_model_that_does_not_give_its_golden_answers_fails_where_the_runtime_does_not(other_answers: Path) -> None:
    found = examined(other_answers)
    assert (found["runtime"].state, found["golden answers"].state) == ("ok", "fail")
    assert "golden answers differ by" in found["golden answers"].text
    assert found["golden answers"].cure


@pytest.mark.parametrize(
    ("model", "said"), [("nothing", "neither a bundled model"), (__file__, "no whole card behind the model")]
)
def test_a_model_that_cannot_be_had_is_said_as_everywhere(model: str, said: str) -> None:
    found = examined(model)
    assert found["runtime"].state == "fail"
    assert said in found["runtime"].text
    assert found["runtime"].cure
    assert "golden answers" not in found


def test_a_runtime_that_the_processor_cannot_run_is_told_by_its_signal() -> None:
    found = examined(script=f"import os; os.kill(os.getpid(), {int(signal.SIGILL)})")
    assert found["runtime"].state == "fail"
    assert "died (SIGILL)" in found["runtime"].text
    assert found["runtime"].cure == "python -m pip install --force-reinstall ai-edge-litert"
    assert {finding.state for what, finding in found.items() if what.startswith("also")} <= {"warn"}


def test_a_process_that_says_something_else_is_no_answer() -> None:
    assert tried(DEFAULT, "auto", 1, (sys.executable, "-c", "print('hello')")) == {"died": "ended with exit code 0"}


def test_what_native_code_prints_before_does_not_hide_the_answer() -> None:
    script = "import sys; print('INFO: XNNPACK'); from oct_edge.doctor.trial import main; main(*sys.argv[1:])"
    assert tried(DEFAULT, "auto", 2, (sys.executable, "-c", script))["threads"] == 2
