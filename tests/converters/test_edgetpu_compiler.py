"""The compiler is run, believed only as far as its files go, and stopped when it hangs. It is a fake one throughout."""

import stat
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from oct_converters.edgetpu.compiler import COMMAND, compile_model
from oct_converters.edgetpu.compiler_log import MAPPED, OperatorCount, complaint, parse_report
from oct_edge.errors import CompilationFailed, CompilerUnavailable
from oct_models import bundled_models

Install = Callable[[str], None]

PRINTED = """Edge TPU Compiler version 15.0.340273435

Model compiled successfully in 1379 ms.

Input model: model.tflite
Input size: 4.41MiB
Output model: model_edgetpu.tflite
Output size: 5.49MiB
On-chip memory used for caching model parameters: 1.92MiB
On-chip memory remaining for caching model parameters: 1.75KiB
Off-chip memory used for streaming uncached model parameters: 3.23MiB
Number of Edge TPU subgraphs: 1
Total number of operations: 20
Operation log: model_edgetpu.log

Model successfully compiled but not all operations are supported by the Edge TPU. A percentage of the model will \
instead run on the CPU, which is slower.
Number of operations that will run on Edge TPU: 18
Number of operations that will run on CPU: 2
"""
OPERATORS = """
Operator                       Count      Status

CONV_2D                        15         Mapped to Edge TPU
QUANTIZE                       3          Mapped to Edge TPU
QUANTIZE                       1          Operation is otherwise supported, but not mapped due to some unspecified limitation
TFLite_Detection_PostProcess   1          Operation is working on an unsupported data type
"""  # noqa: E501
FAILURES = {
    "large activations": (
        "Edge TPU Compiler version 16.0.384591198\n"
        "Started a compilation timeout timer of 180 seconds.\n"
        "ERROR: Restored original execution plan after delegate application failure.\n"
        "Compilation failed: Compilation failed due to large activation tensors in model.\n"
        "Compilation child process completed within timeout period.\n"
        "Compilation failed! \n",
        "large activation tensors",
    ),
    "not quantized": (
        "Edge TPU Compiler version 14.1.317412892\nInvalid model: keras_model_2-3-0.tflite\nModel not quantized\n",
        "Invalid model: keras_model_2-3-0.tflite / Model not quantized",
    ),
    "own timeout": (
        "Started a compilation timeout timer of 180 seconds.\n"
        "Compilation timeout. This is usually caused by large activations.\nCompilation failed! \n",
        "Compilation timeout. This is usually caused by large activations",
    ),
    "silence": ("Edge TPU Compiler version 16.0.384591198\n\nCompilation failed! \n", "it did not say why"),
}


@pytest.fixture(scope="module")
def model() -> bytes:
    return bundled_models()["compact-int8"].read_bytes()


@pytest.mark.usefixtures("fake_compiler")
def test_the_compilers_files_and_figures_are_taken_up(model: bytes) -> None:
    compilation = compile_model(model, "compact-int8.tflite")
    report = compilation.report
    assert compilation.tflite[4:8] == b"TFL3"
    assert (report.version, report.subgraphs) == ("16.0.384591198", 1)
    assert (report.on_chip_used, report.on_chip_left, report.off_chip) == (2048, round(7.75 * 2**20), 0)
    assert report.input_size == pytest.approx(len(model), abs=6)
    assert report.mapped == report.operations - 1
    assert [(e.operator, e.count) for e in report.operators if e.status != MAPPED] == [("QUANTIZE", 1)]


def test_a_report_is_read_as_figures() -> None:
    report = parse_report(PRINTED + OPERATORS, "", "model.tflite")
    assert report.version == "15.0.340273435"
    assert (report.input_size, report.output_size) == (round(4.41 * 2**20), round(5.49 * 2**20))
    assert (report.on_chip_used, report.on_chip_left) == (round(1.92 * 2**20), 1792)
    assert report.off_chip == round(3.23 * 2**20)
    assert (report.subgraphs, report.operations, report.mapped) == (1, 20, 18)
    assert report.operators[-1] == OperatorCount(
        "TFLite_Detection_PostProcess", 1, "Operation is working on an unsupported data type"
    )
    assert report.to_dict()["mapped"] == 18


def test_operators_that_were_not_printed_are_read_from_the_log_file() -> None:
    """Without -s, and in 16.0 at times with it, they stand only there."""
    printed = PRINTED + "See the operation log file for individual operation details.\n"
    log = "Edge TPU Compiler version 15.0.340273435\nInput: model.tflite\nOutput: model_edgetpu.tflite\n" + OPERATORS
    assert parse_report(printed, log, "model.tflite") == parse_report(PRINTED + OPERATORS, "", "model.tflite")


@pytest.mark.parametrize(
    ("old", "new", "missing"),
    [
        ("Number of Edge TPU subgraphs: 1\n", "", "Number of Edge TPU subgraphs"),
        ("Number of Edge TPU subgraphs: 1", "Number of Edge TPU subgraphs: one", "'one'"),
        ("Input size: 4.41MiB", "Input size: 4.41 apples", "Input size"),
        ("3.23MiB", "3.23apples", "'3.23apples'"),
        ("Edge TPU Compiler version 15.0.340273435", "Ein Compiler", "Edge TPU Compiler version"),
        ("CONV_2D                        15", "CONV_2D                        14", "lists 19 operators of 20"),
    ],
)
def test_a_report_with_a_figure_missing_or_odd_is_refused(old: str, new: str, missing: str) -> None:
    text = PRINTED + OPERATORS
    assert old in text
    with pytest.raises(CompilationFailed, match="cannot be read") as caught:
        parse_report(text.replace(old, new), "", "model.tflite")
    assert missing in caught.value.message


@pytest.mark.parametrize(("printed", "said"), FAILURES.values(), ids=FAILURES)
def test_a_failure_is_reported_in_the_compilers_own_words(
    install_compiler: Install, tmp_path: Path, printed: str, said: str
) -> None:
    (tmp_path / "said").write_text(printed)
    install_compiler(f"cat {tmp_path / 'said'}; exit 1")
    with pytest.raises(CompilationFailed) as caught:
        compile_model(b"model", "scan.tflite")
    assert caught.value.message == f"scan.tflite: edgetpu_compiler failed (exit 1): {complaint(printed)}."
    assert said in caught.value.message


def test_a_compiler_that_ends_well_without_a_model_has_failed(install_compiler: Install) -> None:
    install_compiler("echo 'Internal compiler error. Aborting!'")
    with pytest.raises(CompilationFailed, match=r"left no model: Internal compiler error. Aborting!"):
        compile_model(b"model", "scan.tflite")


def test_a_model_with_a_garbled_report_is_refused(install_compiler: Install) -> None:
    install_compiler(
        "head -c 4000 /dev/urandom; echo model >model_edgetpu.tflite; head -c 4000 /dev/urandom >model_edgetpu.log"
    )
    with pytest.raises(CompilationFailed, match="cannot be read"):
        compile_model(b"model", "scan.tflite")


def test_a_compiler_that_hangs_is_stopped_with_all_it_started(install_compiler: Install, tmp_path: Path) -> None:
    """The real command is a script around the program: ending the script alone would leave the program running."""
    install_compiler(f"sleep 600 & echo $! >{tmp_path / 'child'}; wait")
    with pytest.raises(CompilationFailed, match=r"had not ended after 0\.5 seconds and was stopped"):
        compile_model(b"model", "scan.tflite", deadline=0.5)
    assert gone(int((tmp_path / "child").read_text()))


def gone(process: int) -> bool:
    """Whether the process ends, or has: a killed one stays in the table until its new parent has noticed."""
    status = Path(f"/proc/{process}/stat")
    for _ in range(100):
        try:
            if status.read_text().rpartition(")")[2].split()[0] == "Z":
                return True
        except OSError:
            return True
        time.sleep(0.1)
    return False


def test_without_the_compiler_the_message_says_how_to_get_it_and_what_to_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(CompilerUnavailable) as caught:
        compile_model(b"model", "out/mobilenet-int8.tflite")
    error = caught.value
    assert "`edgetpu_compiler -s out/mobilenet-int8.tflite`" in error.message
    assert "coral-edgetpu-stable" in error.hint
    assert "x86-64" in error.hint
    assert "16.0" in error.hint
    assert error.exit_code == 69


def test_a_compiler_that_cannot_be_started_is_unavailable(install_compiler: Install, tmp_path: Path) -> None:
    install_compiler("")
    command = tmp_path / "bin" / COMMAND
    command.write_text("#!/no/such/interpreter\n")
    assert command.stat().st_mode & stat.S_IXUSR
    with pytest.raises(CompilerUnavailable, match="cannot be started"):
        compile_model(b"model", "scan.tflite")


def test_nothing_is_left_in_the_temporary_folder(
    install_compiler: Install, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(temporary))
    install_compiler("exit 3")
    with pytest.raises(CompilationFailed, match="exit 3"):
        compile_model(b"model", "scan.tflite")
    assert list(temporary.iterdir()) == []
