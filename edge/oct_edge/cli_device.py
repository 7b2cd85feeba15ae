"""`oct-edge bench | doctor`: thin commands that ask how this device is, and how fast."""

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from oct_edge.cli_classify import ModelOption, RuntimeKind, RuntimeOption, ThreadsOption
from oct_edge.cli_config import ConfigOption
from oct_edge.console import is_coloured, say
from oct_edge.labels import DISCLAIMER
from oct_models import DEFAULT

if TYPE_CHECKING:
    from oct_edge.doctor.finding import Finding

JsonOption = Annotated[bool, typer.Option("--json", help="For machines.")]


def bench(
    inputs: Annotated[
        list[str] | None, typer.Argument(metavar="PATH", help="Scans. [default: the bundled samples]")
    ] = None,
    model: ModelOption = DEFAULT,
    rounds: Annotated[int, typer.Option("--rounds", min=10, help="Scans that are measured in each way.")] = 100,
    as_json: JsonOption = False,
    runtime: RuntimeOption = RuntimeKind.auto,
    threads: ThreadsOption = None,
) -> None:
    """Measure how fast this device answers: the interpreter alone, the whole way of a scan, and many scans."""
    from oct_edge import bench as measured
    from oct_edge.classifier import Classifier
    from oct_edge.scan import expand_paths
    from oct_models import sample_scans

    paths = expand_paths(inputs) if inputs else sample_scans()
    found = measured.bench(Classifier.open(model, runtime.value, threads), paths, rounds)
    for line in [json.dumps(found)] if as_json else measured.lines(found):
        say(line)
    if not as_json:
        print(DISCLAIMER, file=sys.stderr)


def doctor(
    file: ConfigOption = None,
    report: Annotated[
        Path | None,
        typer.Option(
            "--report",
            metavar="FILE",
            help="Also measure, and write a row for docs/devices.md.",
            readable=False,
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Look for all that keeps this device from its work, and say what cures it.

    Exits 1 when something fails. Ask as the user who does the work: what root may do says little.
    """
    from oct_edge.config.load import Sources
    from oct_edge.doctor.examination import examine
    from oct_edge.doctor.finding import lines

    loaded = Sources(file=file).load()
    findings = []
    for finding in examine(loaded):
        findings.append(finding)
        for line in [json.dumps(asdict(finding))] if as_json else lines([finding], coloured=is_coloured(sys.stdout)):
            say(line)
    if report:
        _write_report(report, findings, str(loaded.values["model.runtime"].value))
    if not as_json:
        print(DISCLAIMER, file=sys.stderr)
    raise typer.Exit(1 if any(finding.state == "fail" for finding in findings) else 0)


def _write_report(path: Path, findings: "Sequence[Finding]", runtime: str) -> None:
    from oct_edge.doctor.report import measure, report
    from oct_edge.files import write_atomically

    rows = list(measure(runtime, lambda line: print(line, file=sys.stderr)))
    write_atomically(path, report(findings, rows).encode())
    print(f"{path}: written; it names no user, no host and no folder", file=sys.stderr)
