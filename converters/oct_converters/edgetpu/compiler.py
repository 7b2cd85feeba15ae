"""Google's `edgetpu_compiler`, run on a model: in a folder of its own, with a deadline, and its words taken down.

The command is a shell script around the real program, so the deadline ends the whole process group, and output goes
to a file: a pipe would stay open as long as any of them lives.
"""

import os
import shutil
import signal
import subprocess
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from oct_converters.edgetpu.compiler_log import CompilerReport, complaint, parse_report
from oct_edge.errors import CompilationFailed, CompilerUnavailable

COMMAND = "edgetpu_compiler"
DEADLINE = 600.0  # seconds; release 16.0 gives up by itself after 180
_MODEL = "model"


@dataclass(frozen=True, eq=False)
class Compilation:
    """The compiled flatbuffer, and what the compiler said about it."""

    tflite: bytes
    report: CompilerReport


def compile_model(tflite: bytes, name: str, deadline: float = DEADLINE) -> Compilation:
    """Compile a flatbuffer; `name` is the file's, for messages.

    Raises:
        CompilerUnavailable: there is no `edgetpu_compiler` on PATH, or it cannot be started.
        CompilationFailed: it failed, took longer than `deadline` seconds, or left no model or no readable report.
    """
    command = _find(name)
    with TemporaryDirectory(prefix="oct-edgetpu-") as temporary:
        folder = Path(temporary)
        (folder / f"{_MODEL}.tflite").write_bytes(tflite)
        printed = _run([command, "-s", "-o", str(folder), str(folder / f"{_MODEL}.tflite")], folder, name, deadline)
        compiled, log = folder / f"{_MODEL}_edgetpu.tflite", folder / f"{_MODEL}_edgetpu.log"
        if not compiled.is_file():
            raise CompilationFailed(f"{name}: edgetpu_compiler left no model: {complaint(printed)}.")
        report = parse_report(printed, log.read_text(errors="replace") if log.is_file() else "", name)
        return Compilation(compiled.read_bytes(), report)


def _find(name: str) -> str:
    command = shutil.which(COMMAND)
    if command is None:
        raise CompilerUnavailable(
            f"{name}: {COMMAND} is not on PATH, so nothing was compiled for the Edge TPU; the model for the CPU stands."
            f" By hand: `{COMMAND} -s {name}`."
        )
    return command


def _run(command: list[str], folder: Path, name: str, deadline: float) -> str:
    """What the command printed, when it ended well."""
    output = folder / "printed.txt"
    with output.open("wb") as stream:
        try:
            process = subprocess.Popen(
                command, cwd=folder, stdin=subprocess.DEVNULL, stdout=stream, stderr=stream, start_new_session=True
            )
        except OSError as error:
            raise CompilerUnavailable(f"{command[0]} cannot be started ({error.strerror}).") from error
        try:
            status = process.wait(deadline)
        except subprocess.TimeoutExpired as error:
            raise CompilationFailed(
                f"{name}: edgetpu_compiler had not ended after {deadline:g} seconds and was stopped.",
                hint="Large activations make it slow; compile by hand to see how far it gets.",
            ) from error
        finally:
            if process.returncode is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
    printed = output.read_text(errors="replace")
    if status:
        raise CompilationFailed(f"{name}: edgetpu_compiler failed (exit {status}): {complaint(printed)}.")
    return printed
