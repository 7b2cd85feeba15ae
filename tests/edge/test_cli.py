"""`oct-edge` as people and machines meet it: what it prints where, and how it ends."""

import hashlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from fuzz.pictures import dicom_of
from jsonschema import Draft202012Validator
from PIL import Image
from typer.testing import CliRunner, Result

from oct_edge.bundle import Bundle
from oct_edge.cli import app
from oct_edge.cli_classify import RuntimeKind
from oct_edge.labels import DISCLAIMER, LABELS
from oct_edge.reading import MAX_BYTES
from oct_edge.result import json_schema
from oct_edge.runtime import KINDS, installed_runtimes
from oct_edge.volume import json_schema as volume_schema
from oct_models import DEFAULT, bundled_models

Run = Callable[..., subprocess.CompletedProcess[str]]
VALIDATOR = Draft202012Validator(json_schema())


def oct_edge(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def lines(output: str) -> list[dict]:
    answers = [json.loads(line) for line in output.splitlines()]
    for answer in answers:
        VALIDATOR.validate(answer)
    return answers


def volume_of(paths: list[Path]) -> bytes:
    return dicom_of([np.asarray(Image.open(path).convert("L")) for path in paths])


@pytest.fixture
def mixed(samples: list[Path], tmp_path: Path) -> list[Path]:
    """Bad inputs between good ones; the name of a bad one is the code it is refused with."""
    data = samples[0].read_bytes()
    contents = {"unsupported_format": b"text\n", "empty_file": b"", "damaged_image": data[: len(data) // 2]}
    bad = [tmp_path / f"{code}.jpeg" for code in contents]
    for path, content in zip(bad, contents.values(), strict=True):
        path.write_bytes(content)
    return [samples[0], *bad, tmp_path / "not_found.jpeg", samples[-1]]


def test_each_input_is_answered_in_the_order_given_also_between_bad_ones(run_command: Run, mixed: list[Path]) -> None:
    done = run_command("oct-edge", "classify", *mixed, "--json")
    answers = lines(done.stdout)
    assert done.returncode == 1
    assert [answer["source"]["name"] for answer in answers] == [path.name for path in mixed]
    assert [answer["status"] for answer in answers] == ["classified", *["rejected"] * 4, "classified"]
    for path, answer in list(zip(mixed, answers, strict=True))[1:-1]:
        assert answer["reasons"][0]["code"] == path.stem
        assert answer["reasons"][0]["hint"]
    assert "Traceback" not in done.stderr


def test_the_table_has_a_line_for_each_scan_and_says_why_one_is_rejected(mixed: list[Path]) -> None:
    done = oct_edge("classify", *mixed)
    header, *rows = done.stdout.splitlines()
    column = header.index("label")
    assert done.exit_code == 1
    assert header.split() == ["scan", "label", "p", "referral"]
    assert [row[:column].strip() for row in rows] == [path.name for path in mixed]
    assert [row[column:].split()[0] in LABELS for row in rows] == [True, *[False] * 4, True]
    assert all(f"{path.stem}: " in row for path, row in zip(mixed[1:-1], rows[1:-1], strict=True))
    assert "6 scans, 4 rejected" in done.stderr
    assert DISCLAIMER in done.stderr


def test_a_folder_is_answered_scan_by_scan_and_ends_with_0(samples: list[Path]) -> None:
    done = oct_edge("classify", samples[0].parent, "--json")
    assert done.exit_code == 0
    assert [answer["source"]["name"] for answer in lines(done.stdout)] == [path.name for path in samples]


def test_an_empty_folder_is_an_input_without_an_answer(tmp_path: Path) -> None:
    done = oct_edge("classify", tmp_path, "--json")
    assert (done.exit_code, lines(done.stdout)[0]["reasons"][0]["code"]) == (1, "unreadable")


@pytest.mark.parametrize("kind", ["jpeg", "dicom"])
def test_standard_input_is_an_input_like_any_other(samples: list[Path], kind: str) -> None:
    data = samples[0].read_bytes() if kind == "jpeg" else volume_of(samples[:1])
    command = [Path(sys.executable).parent / "oct-edge", "classify", "--json", "-", samples[1]]
    done = subprocess.run(command, input=data, capture_output=True)
    first, second = lines(done.stdout.decode())
    assert (first["source"]["name"], first["source"]["sha256"]) == ("stdin", hashlib.sha256(data).hexdigest())
    assert (second["source"]["name"], done.returncode) == (samples[1].name, 0)


def test_standard_input_without_a_byte_or_with_too_many_is_rejected() -> None:
    command = [Path(sys.executable).parent / "oct-edge", "classify", "--json", "-"]
    for size, code in ((0, "empty_file"), (MAX_BYTES + 1, "too_large")):
        done = subprocess.run(command, input=bytes(size), capture_output=True)
        assert (done.returncode, lines(done.stdout.decode())[0]["reasons"][0]["code"]) == (1, code)


def test_a_closed_standard_input_is_rejected() -> None:
    command = f"exec {Path(sys.executable).parent / 'oct-edge'} classify --json - <&-"
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True)
    assert (done.returncode, lines(done.stdout)[0]["reasons"][0]["code"], done.stderr) == (1, "unreadable", "")


def test_a_pattern_in_quotes_and_a_folder_with_its_subfolders_are_expanded(samples: list[Path], tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    for name in ("a.jpeg", "b.jpeg", "sub/c.jpeg"):
        (tmp_path / name).write_bytes(samples[0].read_bytes())
    for arguments, names in (
        ([tmp_path / "*.jpeg"], ["a.jpeg", "b.jpeg"]),
        ([tmp_path], ["a.jpeg", "b.jpeg"]),
        ([tmp_path, "--recursive"], ["a.jpeg", "b.jpeg", "c.jpeg"]),
    ):
        answered = lines(oct_edge("classify", *arguments, "--json").stdout)
        assert [answer["source"]["name"] for answer in answered] == names


def test_a_volume_gets_a_line_for_each_frame_and_one_for_all(samples: list[Path], tmp_path: Path) -> None:
    (tmp_path / "eye.dcm").write_bytes(volume_of(samples[:3]))
    done = oct_edge("classify", tmp_path, samples[0], "--json")
    *frames, volume, single = done.stdout.splitlines()
    assert done.exit_code == 0
    assert [answer["source"]["frame"] for answer in lines("\n".join([*frames, single]))] == [1, 2, 3, None]
    Draft202012Validator(volume_schema()).validate(json.loads(volume))

    header, *rows = oct_edge("classify", tmp_path, samples[0]).stdout.splitlines()
    column = header.index("label")
    assert [row[:column].split()[-1] for row in rows] == ["#1", "#2", "#3", "eye.dcm", samples[0].name]
    assert "3 frames" in rows[3]
    assert "not validated" in rows[3]


def test_a_dicom_file_without_the_extra_is_rejected_and_the_others_are_answered(
    samples: list[Path], tmp_path: Path
) -> None:
    (tmp_path / "eye.dcm").write_bytes(volume_of(samples[:1]))
    arguments = ["oct-edge", "classify", str(tmp_path), str(samples[0]), "--json"]
    script = (
        f"import sys; sys.modules['pydicom'] = None; sys.argv = {arguments!r}; from oct_edge.cli import main; main()"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    missing, answered = lines(done.stdout)
    assert (done.returncode, answered["status"]) == (1, "classified")
    assert missing["reasons"][0]["code"] == "missing_extra"
    assert "oct-edge[dicom]" in missing["reasons"][0]["hint"]


def test_pydicom_is_loaded_for_dicom_only(samples: list[Path]) -> None:
    arguments = ["oct-edge", "classify", str(samples[0])]
    script = (
        "import sys, atexit; atexit.register(lambda: print('pydicom' in sys.modules))\n"
        f"sys.argv = {arguments!r}; from oct_edge.cli import main; main()"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert (done.returncode, done.stdout.splitlines()[-1]) == (0, "False")


def test_real_scans_are_classified(run_command: Run, oct2017: Path) -> None:
    paths = sorted(oct2017.glob("test/*/*.jpeg"))[::16]
    done = run_command("oct-edge", "classify", *paths, "--json")
    assert done.returncode == 0
    assert {answer["status"] for answer in lines(done.stdout)} == {"classified"}


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["classify"],
        ["classify", "x.jpeg", "--runtime", "onnx"],
        ["classify", "x.jpeg", "--threads", "0"],
        ["classify", "x.jpeg", "--threads", "100000"],
        ["classify", "x.jpeg", "--fast"],
        ["diagnose"],
    ],
    ids=" ".join,
)
def test_a_usage_error_ends_with_2(arguments: list[str]) -> None:
    assert oct_edge(*arguments).exit_code == 2


@pytest.mark.parametrize(
    ("model", "code"),
    [("no-such-model", "model_not_found"), (__file__, "model_damaged"), ("\x1b[2J", "model_not_found")],
)
def test_a_model_that_may_not_be_served_ends_with_78_in_two_lines(run_command: Run, model: str, code: str) -> None:
    done = run_command("oct-edge", "classify", __file__, "--model", model)
    error, hint = done.stderr.splitlines()
    assert (done.returncode, done.stdout) == (78, "")
    assert error.startswith(f"error [{code}]: ")
    assert hint.startswith("  hint: ")
    assert done.stderr.replace("\n", "").isprintable()


def test_debug_shows_where_it_failed(run_command: Run) -> None:
    done = run_command("oct-edge", "--debug", "classify", __file__, "--model", "no-such-model")
    assert "Traceback" in done.stderr
    assert "ModelNotFound" in done.stderr


@pytest.mark.parametrize("kind", ["litert", "tflite"])
def test_a_runtime_that_is_not_installed_ends_with_69_and_says_how_to_get_it(samples: list[Path], kind: str) -> None:
    module = {"litert": "ai_edge_litert", "tflite": "tflite_runtime"}[kind]
    script = (
        f"import sys; sys.modules['{module}.interpreter'] = None\n"
        f"sys.argv = ['oct-edge', 'classify', {str(samples[0])!r}, '--runtime', '{kind}']\n"
        "from oct_edge.cli import main; main()"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (69, "")
    assert "error [runtime_unavailable]: " in done.stderr
    assert "install" in done.stderr.splitlines()[-1].lower()


def test_every_runtime_of_the_code_is_a_value_of_the_option() -> None:
    assert tuple(RuntimeKind) == KINDS


@pytest.mark.parametrize("kind", KINDS)
def test_the_runtime_that_was_asked_for_is_the_one_that_answers(samples: list[Path], kind: str) -> None:
    if kind == "tflite" and kind not in installed_runtimes():
        pytest.skip("tflite-runtime is not installed")
    (answer,) = lines(oct_edge("classify", samples[0], "--json", "--runtime", kind).stdout)
    assert answer["model"]["runtime"].split()[0] == {"tflite": "tflite-runtime"}.get(kind, "litert")


def test_a_model_by_path_and_any_number_of_threads_give_the_same_answer(samples: list[Path]) -> None:
    options = [[], ["--model", DEFAULT], ["--model", bundled_models()[DEFAULT]], ["--threads", 1], ["--threads", 4]]
    answers = [lines(oct_edge("classify", samples[0], "--json", *o).stdout)[0] for o in options]
    assert len({json.dumps([answer["probabilities"], answer["model"]]) for answer in answers}) == 1


@pytest.mark.parametrize("encoding", ["utf-8:strict", "ascii:strict"])
@pytest.mark.parametrize("form", [[], ["--json"]], ids=["table", "json"])
def test_no_file_name_stops_the_others(
    run_command: Run, samples: list[Path], tmp_path: Path, encoding: str, form: list[str]
) -> None:
    names = [b"\xff.jpeg", "scan-😀.jpeg".encode(), b"a\n\x1b[31m.jpeg", b"x" * 60 + b".jpeg"]
    paths = [Path(os.fsdecode(os.path.join(os.fsencode(tmp_path), name))) for name in names]  # noqa: PTH118
    for path in paths:
        path.write_bytes(samples[0].read_bytes())
    environment = os.environ | {"PYTHONIOENCODING": encoding, "FORCE_COLOR": "1"}
    done = run_command("oct-edge", "classify", *paths, "/gone/\udcff.jpeg", *form, env=environment, errors="strict")
    printed = done.stdout.splitlines()
    assert done.returncode == 1
    assert len(printed) == len(paths) + (1 if form else 2)
    assert all(line.isprintable() for line in printed)
    if form:
        lines(done.stdout)


def test_models_lists_what_is_bundled_with_its_measured_accuracy() -> None:
    done = oct_edge("models")
    assert done.exit_code == 0
    assert f"{DEFAULT}*" in done.stdout
    assert len(done.stdout.splitlines()) == len(bundled_models()) + 2


def test_models_for_machines_have_identity_and_disclaimer(bundle: Bundle) -> None:
    entries = {entry["name"]: entry for entry in map(json.loads, oct_edge("models", "--json").stdout.splitlines())}
    assert list(entries) == list(bundled_models())
    assert entries[DEFAULT]["sha256"] == bundle.sha256
    assert entries[DEFAULT]["default"]
    assert entries[DEFAULT]["golden_difference"] is None
    assert {entry["disclaimer"] for entry in entries.values()} == {DISCLAIMER}


def test_models_are_checked_against_their_golden_answers(bundle: Bundle) -> None:
    entries = [json.loads(line) for line in oct_edge("models", "--check", "--json").stdout.splitlines()]
    assert all(isinstance(entry["golden_difference"], int) for entry in entries)
    assert "golden answers given" in oct_edge("models", "--check").stdout


def test_the_schema_is_printed_by_the_code() -> None:
    assert json.loads(oct_edge("schema").stdout) == json_schema()
    assert json.loads(oct_edge("schema", "result").stdout) == json_schema()
    assert json.loads(oct_edge("schema", "volume").stdout) == volume_schema()
    assert oct_edge("schema", "eye").exit_code == 2


def test_the_version_is_all_that_a_bug_report_needs(bundle: Bundle) -> None:
    printed = oct_edge("--version").stdout
    for part in ("oct-edge ", "python ", "numpy ", "pillow ", f"model {DEFAULT} {bundle.sha256}"):
        assert f"\n{part}" in f"\n{printed}"
    assert {f"runtime {kind} {version}" for kind, version in installed_runtimes().items()} <= set(printed.splitlines())


def test_help_names_the_commands_in_their_order_and_the_disclaimer() -> None:
    printed = oct_edge("--help").stdout
    positions = [
        printed.index(f"\n  {command}")
        for command in ("classify", "watch", "results", "status", "models", "schema", "audit", "config")
    ]
    assert positions == sorted(positions)
    assert DISCLAIMER in printed.replace("Research", "research")


def test_an_interrupt_ends_with_130_and_whole_lines(samples: list[Path]) -> None:
    command = [Path(sys.executable).parent / "oct-edge", "classify", *samples * 200, "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        first = process.stdout.readline()
        process.send_signal(signal.SIGINT)
        rest, error = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "Traceback" not in error
    assert len(lines(first + rest)) < len(samples) * 200


def test_an_interrupt_while_the_commands_are_put_together_is_no_traceback() -> None:
    script = (
        "import signal, typer.main; from oct_edge import cli\n"
        "typer.main.get_command = lambda app: signal.raise_signal(signal.SIGINT)\n"
        "cli.main()\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")


def test_a_line_that_cannot_be_written_ends_with_69(samples: list[Path]) -> None:
    command = [str(Path(sys.executable).parent / "oct-edge"), "classify", "--json", str(samples[0])]
    with open("/dev/full", "w") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True)
    assert done.returncode == 69
    assert "error [output_unavailable]: standard output" in done.stderr
    assert "Traceback" not in done.stderr
