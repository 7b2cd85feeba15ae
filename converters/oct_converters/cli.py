"""`oct-convert`: a trainer's run becomes the file that the device serves."""

from pathlib import Path
from typing import Annotated

import typer

from oct_edge.console import DebugOption, application, complain, package_version, run, set_debug
from oct_edge.errors import GateFailed
from oct_trainer.extras import require_tensorflow

DEFAULT_NETWORKS = ("mobilenet", "compact")  # what a Pi can serve; the two VGGs on request

app = application("Quantize trained networks to int8 TFLite and prove them against their float parents.")


@app.callback(invoke_without_command=True, no_args_is_help=True)
def convert(
    int8: Annotated[bool, typer.Option("--int8", help="Full-integer post-training quantization.")] = False,
    runs: Annotated[Path | None, typer.Option("--runs", metavar="DIR", help="The --out of oct-train.")] = None,
    data: Annotated[Path | None, typer.Option("--data", metavar="DIR|CSV", help="The --data of that training.")] = None,
    out: Annotated[Path | None, typer.Option("--out", metavar="DIR", help="Where models and reports go.")] = None,
    network: Annotated[
        list[str] | None,
        typer.Option("--network", help=f"Only this network; repeatable. [default: {' and '.join(DEFAULT_NETWORKS)}]"),
    ] = None,
    calibration: Annotated[int, typer.Option("--calibration", min=4, help="How many calibration scans.")] = 200,
    seed: Annotated[int, typer.Option("--seed", help="Decides which scans calibrate.")] = 0,
    max_accuracy_drop: Annotated[float, typer.Option("--max-accuracy-drop", min=0.0, max=1.0)] = 0.01,
    min_agreement: Annotated[float, typer.Option("--min-agreement", min=0.0, max=1.0)] = 0.98,
    attribution: Annotated[
        list[str] | None,
        typer.Option("--attribution", metavar="TEXT", help="Source and licence of the data; repeatable."),
    ] = None,
    version: Annotated[bool, typer.Option("--version", is_eager=True, help="Print the version.")] = False,
    debug: DebugOption = False,
) -> None:
    """Quantize trained networks to int8 TFLite and prove them against their float parents.

    Exits 1 when a gate fails: the report is kept and no model is written.

    Research use only - not a medical device.
    """
    set_debug(debug)
    if version:
        print(f"oct-edge {package_version()}")
        raise typer.Exit
    if not int8 or runs is None or data is None or out is None:
        raise typer.BadParameter("--int8, --runs, --data and --out are needed.")
    require_tensorflow("oct-convert")
    from oct_converters.convert import Options, convert
    from oct_converters.parity import Gates
    from oct_converters.run import find_runs
    from oct_trainer.terminal import progress

    options = Options(Gates(max_accuracy_drop, min_agreement), calibration, seed, tuple(attribution or ()))
    refused = False
    for folder in find_runs(runs, tuple(network or DEFAULT_NETWORKS)):
        try:
            with progress() as on_progress:
                print(convert(folder, data, out, options, on_progress))
        except GateFailed as error:
            complain(error)
            refused = True
    raise typer.Exit(GateFailed.exit_code if refused else 0)


def main() -> None:
    run(app)


if __name__ == "__main__":
    main()
