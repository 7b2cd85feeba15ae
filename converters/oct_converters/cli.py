"""`oct-convert`: a trainer's run becomes the file that the device serves."""

from pathlib import Path
from typing import Annotated, Any

import typer

from oct_converters.inspection.command import inspect
from oct_edge.console import DebugOption, application, complain, package_version, run, set_debug
from oct_edge.errors import CompilerUnavailable, ModelError, WorkstationError
from oct_trainer.extras import require_tensorflow
from oct_trainer.networks import NETWORKS

DEFAULT_NETWORKS = ("mobilenet", "compact")  # what a Pi can serve; the two VGGs on request


def _gate(name: str, says: str) -> Any:
    return typer.Option(name, min=0.0, max=1.0, metavar="X", help=f"Gate: {says}")


app = application("Quantize trained networks to int8 TFLite and prove them against their float parents.")


@app.callback(invoke_without_command=True, no_args_is_help=True)
def convert(
    context: typer.Context,
    int8: Annotated[bool, typer.Option("--int8", help="Full-integer, proven, with its card: for the device.")] = False,
    float16: Annotated[bool, typer.Option("--float16", help="Weights of half the size, to compare.")] = False,
    float32: Annotated[bool, typer.Option("--float32", help="The network as it is, to compare.")] = False,
    edgetpu: Annotated[
        bool, typer.Option("--edgetpu", help="With --int8: check and compile for the Coral Edge TPU too.")
    ] = False,
    runs: Annotated[Path | None, typer.Option("--runs", metavar="DIR", help="The --out of oct-train.")] = None,
    data: Annotated[Path | None, typer.Option("--data", metavar="DIR|CSV", help="The --data of that training.")] = None,
    out: Annotated[Path | None, typer.Option("--out", metavar="DIR", help="Where models and reports go.")] = None,
    network: Annotated[
        list[str] | None,
        typer.Option(
            "--network",
            metavar="NAME",
            help=f"Only this network; repeatable. [default: {' and '.join(DEFAULT_NETWORKS)}]",
        ),
    ] = None,
    calibration: Annotated[
        int, typer.Option("--calibration", min=16, metavar="N", help="How many calibration scans.")
    ] = 200,
    seed: Annotated[int, typer.Option("--seed", metavar="N", help="Decides which scans calibrate.")] = 0,
    min_agreement: Annotated[float, _gate("--min-agreement", "share of scans without a flip that counts.")] = 0.98,
    max_mean_change: Annotated[float, _gate("--max-mean-change", "mean over scans of what changed most.")] = 0.02,
    max_lost: Annotated[float, _gate("--max-lost", "share of held-out scans lost net.")] = 0.005,
    max_accuracy_drop: Annotated[
        float, _gate("--max-accuracy-drop", "upper end of the drop's paired 95 % interval.")
    ] = 0.02,
    min_margin: Annotated[float, _gate("--min-margin", "lead of the parent's class for a flip to count.")] = 0.02,
    licence: Annotated[
        str, typer.Option("--licence", metavar="TEXT", help="Licence of the model, for card and metadata.")
    ] = "not stated",
    attribution: Annotated[
        list[str] | None,
        typer.Option("--attribution", metavar="TEXT", help="Source and licence of the data; repeatable."),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace a model that is in --out already.")] = False,
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
    if context.invoked_subcommand:
        return
    if not (int8 or float16 or float32) or runs is None or data is None or out is None:
        raise typer.BadParameter("--int8, --float16 or --float32, and --runs, --data and --out are needed.")
    if edgetpu and not int8:
        raise typer.BadParameter("goes with --int8.", param_hint="--edgetpu")
    if unknown := [name for name in network or () if name not in NETWORKS]:
        raise typer.BadParameter(f"{', '.join(unknown)}: not one of {', '.join(NETWORKS)}.", param_hint="--network")
    require_tensorflow("oct-convert")
    from oct_converters.convert import Options
    from oct_converters.parity import Gates
    from oct_converters.produce import produce
    from oct_converters.run import find_runs

    gates = Gates(min_agreement, max_lost, max_accuracy_drop, max_mean_change, min_margin)
    options = Options(gates, calibration, seed, licence, tuple(attribution or ()), force, edgetpu)
    asked = {"int8": int8, "float16": float16, "float32": float32}
    formats = frozenset(name for name, wanted in asked.items() if wanted)
    codes = []
    for folder in find_runs(runs, tuple(network or DEFAULT_NETWORKS), every=bool(network)):
        try:
            for path in produce(folder, data, out, formats, options):
                print(path)
        except (WorkstationError, ModelError, CompilerUnavailable) as error:
            complain(error)
            codes.append(error.exit_code)
    raise typer.Exit(1 if 1 in codes else max(codes, default=0))


app.command()(inspect)


def main() -> None:
    run(app)


if __name__ == "__main__":
    main()
