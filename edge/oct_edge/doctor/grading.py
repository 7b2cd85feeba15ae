"""Whether this device gives the right answers: a runtime counts when it has built the model and answered."""

import json
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

from oct_edge.doctor.finding import Finding
from oct_edge.runtime import DEFAULT_KIND, RUNTIMES, installed_runtimes

PROGRAM = (sys.executable, "-P", "-m", "oct_edge.doctor.trial")
_PATIENCE = 300.0  # seconds; an emulated board takes two for one answer


def tried(model: str, runtime: str, threads: int | None, program: Sequence[str] = PROGRAM) -> dict[str, Any]:
    """What `trial` printed; where it died or hung instead, its end under `died`."""
    command = [*program, model, runtime, str(threads or 0)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_PATIENCE)
    except subprocess.TimeoutExpired:
        return {"died": f"gave no answer in {_PATIENCE:.0f} s"}
    with suppress(ValueError, IndexError):
        found = json.loads(done.stdout.splitlines()[-1])
        if isinstance(found, dict):
            return found
    if done.returncode < 0:
        return {"died": f"died ({signal.Signals(-done.returncode).name})"}
    return {"died": f"ended with exit code {done.returncode}"}


def grading(model: str, runtime: str, threads: int | None, program: Sequence[str] = PROGRAM) -> Iterator[Finding]:
    """The runtime that is asked for, its golden answers, and the other runtime where it is installed."""
    found = tried(model, runtime, threads, program)
    yield _of_runtime(found, model, runtime)
    if "runtime" in found:
        yield _of_golden(found)
    asked = DEFAULT_KIND if runtime == "auto" else runtime
    for kind in installed_runtimes():
        if kind != asked:
            yield _of_other(tried(model, kind, threads, program), kind)


def _of_runtime(found: Mapping[str, Any], model: str, runtime: str) -> Finding:
    if "runtime" in found:
        with_threads = f"{found['threads']} threads" if found["threads"] > 1 else "1 thread"
        text = f"{found['runtime']} built {found['model']['name']} and answered in {found['milliseconds']:.1f} ms"
        return Finding("runtime", "ok", f"{text}, {with_threads}")
    if "error" in found:
        return Finding("runtime", "fail", found["error"]["message"], found["error"]["hint"])
    kind = RUNTIMES[DEFAULT_KIND if runtime == "auto" else runtime]
    return Finding(
        "runtime",
        "fail",
        f"the process that asked {kind.name} for an answer of {model} {found['died']}",
        f"python -m pip install --force-reinstall {kind.package}",
    )


def _of_golden(found: Mapping[str, Any]) -> Finding:
    if "error" in found:
        return Finding("golden answers", "fail", found["error"]["message"], found["error"]["hint"])
    return Finding("golden answers", "ok", steps(found))


def _of_other(found: Mapping[str, Any], kind: str) -> Finding:
    """The runtime that is not asked for fails nobody."""
    what = f"also {kind}"
    if "error" in found:
        return Finding(what, "warn", found["error"]["message"], found["error"]["hint"])
    if "died" in found:
        package = RUNTIMES[kind].package
        return Finding(what, "warn", f"it {found['died']}", f"python -m pip install --force-reinstall {package}")
    return Finding(what, "ok", f"{found['runtime']}: {steps(found)}")


def steps(found: Mapping[str, Any]) -> str:
    """How far its golden answers are from those in the card."""
    if isinstance(found["allowed"], Mapping):
        return f"the class of each, probabilities within {found['allowed']['max_dp']}"
    return f"{found['golden']} of the {found['allowed']} steps of the logits that the card allows"
