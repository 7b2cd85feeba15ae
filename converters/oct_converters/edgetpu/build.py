"""From an int8 bundle to its Edge TPU twin: check, compile, put together again, and a report of all three."""

import json
from pathlib import Path
from typing import Any

from oct_converters.edgetpu.compiled import SUFFIX, read_compiled, reattach
from oct_converters.edgetpu.compiler import DEADLINE, compile_model
from oct_converters.edgetpu.constraints import Check, check
from oct_edge.bundle import open_bundle, read_bundle
from oct_edge.errors import CompilationFailed, OutputUnavailable
from oct_edge.files import write_atomically
from oct_edge.labels import DISCLAIMER

SCHEMA = "oct-edge/edgetpu@1"


def twin_of(path: Path) -> Path:
    """Where the compiled twin of the int8 model at `path` goes."""
    return path.with_name(f"{path.stem}{SUFFIX}.tflite")


def build_edgetpu(path: Path, *, force: bool = False, deadline: float = DEADLINE) -> Path:
    """Compile the int8 bundle at `path`; returns the model written beside it, `<name>-edgetpu.tflite`.

    `<name>-edgetpu.json` is written first, with the static check alone, so that it is there also where the compiler
    is not; the bundle at `path` is never touched. `force` replaces an older twin.

    Raises:
        CompilerUnavailable: no compiler; `path` and the report stand.
        CompilationFailed: it failed, or mapped nothing; `path` and the report stand.
        ModelNotFound, ModelDamaged, ModelUnfit: there is no bundle of ours at `path`.
        OutputUnavailable: the folder cannot be written to, or there is an older twin.
    """
    source = open_bundle(str(path))
    flatbuffer = source.content[: source.card["tflite"]["bytes"]]
    target = twin_of(path)
    report = target.with_suffix(".json")
    if target.exists() and not force:
        raise OutputUnavailable(f"{target}: is there already.", hint="Name another --out, or replace it with --force.")
    checked = check(flatbuffer, str(path))
    _write_report(report, target.stem, checked)
    compilation = compile_model(flatbuffer, str(path), deadline)
    compiled = read_compiled(compilation.tflite, str(path))
    if not compiled.packages:
        raise CompilationFailed(
            f"{path}: edgetpu_compiler mapped none of the operators.", hint=f"{report} has the reason for each."
        )
    described = {"compiler": compilation.report.to_dict(), "compiled": compiled.to_dict()}
    bundle = reattach(source.content, compilation.tflite, described, str(path))
    read_bundle(bundle, target.name)
    _write_report(report, target.stem, checked, described)
    write_atomically(target, bundle)
    return target


def _write_report(path: Path, name: str, checked: Check, described: dict[str, Any] | None = None) -> None:
    report = {
        "schema": SCHEMA,
        "model": name,
        "check": checked.to_dict(),
        **(described or {}),
        "disclaimer": DISCLAIMER,
    }
    write_atomically(path, (json.dumps(report, indent=1, allow_nan=False) + "\n").encode())
