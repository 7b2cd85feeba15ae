"""Measure a run on any data, and report on all runs of a folder."""

import json
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from oct_edge.files import make_folder
from oct_trainer.cli.app import app
from oct_trainer.extras import require_installed, require_tensorflow


class MeasuredSplit(StrEnum):
    """The values of --split."""

    test = "test"
    val = "val"
    train = "train"
    all = "all"


@app.command(short_help="Measure a finished run on any data.")
def evaluate(
    folder: Annotated[Path, typer.Argument(metavar="RUN", help="The folder of a finished run.", readable=False)],
    data: Annotated[Path, typer.Option("--data", metavar="DIR|CSV", readable=False, help="Any data, of any hospital.")],
    split: Annotated[
        MeasuredSplit | None, typer.Option("--split", help="Which scans. [default: test where there is one]")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One oct-edge/evaluation@1 object.")] = False,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="DIR", readable=False, help="Write figures, answers and plots.")
    ] = None,
) -> None:
    """Measure a finished run on any data, and say which of the scans it was trained on."""
    if out:
        make_folder(out)
    require_tensorflow("oct-train evaluate")
    from oct_trainer.evaluation.evaluate import evaluate_run, write_evaluation
    from oct_trainer.evaluation.rows import rows
    from oct_trainer.terminal import progress

    with progress() as show:
        found = evaluate_run(folder, data, split.value if split else None, show)
    for warning in found.record["warnings"]:
        print(f"warning: {warning}", file=sys.stderr)
    print(json.dumps(found.record, indent=1) if as_json else "\n".join(rows(found.record)))
    if out:
        write_evaluation(found, out)


@app.command()
def report(
    runs: Annotated[Path, typer.Argument(metavar="RUNS", help="The --out of oct-train.", readable=False)],
    out: Annotated[Path, typer.Option("--out", metavar="FILE", readable=False, help="The page.")] = Path("report.html"),
    data: Annotated[
        Path | None,
        typer.Option("--data", metavar="DIR|CSV", readable=False, help="That of the runs, to show what went wrong."),
    ] = None,
) -> None:
    """Write one page that shows all finished runs side by side. Needs no TensorFlow."""
    require_installed("matplotlib", "oct-train report")
    from oct_trainer.report import write_report

    make_folder(out.parent)
    for one in write_report(runs, out, data):
        print(f"not reported: {one.name}: {one.reason}", file=sys.stderr)
    print(out)
