"""`oct-edge bench | doctor`: thin commands that ask how this device is, and how fast."""

import json
import sys
from typing import Annotated

import typer

from oct_edge.cli_classify import ModelOption, RuntimeKind, RuntimeOption, ThreadsOption
from oct_edge.console import say
from oct_edge.labels import DISCLAIMER
from oct_models import DEFAULT

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
