"""`oct-train`: train the networks, measure and report on them, or draw phantoms to train on."""

import json
import logging
import os
import sys
from collections.abc import Callable
from enum import StrEnum
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer

from oct_edge.console import DebugOption, application, package_version, run, set_debug
from oct_edge.errors import ConfigurationError, MissingExtra, OutputUnavailable
from oct_edge.files import make_folder
from oct_trainer.networks import NETWORKS
from oct_trainer.weights_option import WeightsOption, parse_weights

LARGEST_SEED = 2**32 - 1  # NumPy takes none beyond

app = application("Train the networks of the article on OCT2017-shaped data.")


class RecipeName(StrEnum):
    """The values of --recipe; a test holds them to `recipes.RECIPES`, which costs TensorFlow to import."""

    best = "best"
    article = "article"


class MeasuredSplit(StrEnum):
    """The values of --split."""

    test = "test"
    val = "val"
    train = "train"
    all = "all"


def _version(value: bool) -> None:
    if value:
        print(f"oct-edge {package_version()}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
    debug: DebugOption = False,
) -> None:
    set_debug(debug)


def require_tensorflow(command: str) -> None:
    """Import TensorFlow without its chat; raise `MissingExtra` where it is not installed."""
    _require_installed("TensorFlow", command)
    from oct_trainer.terminal import silenced

    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    with silenced(2):
        import_module("tensorflow")
    logging.getLogger("tensorflow").setLevel(logging.ERROR)  # each network more makes it warn of retracing


WeightsFlag = Annotated[
    list[str] | None,
    typer.Option(
        "--weights",
        metavar="[NAME=]DIR|imagenet|none",
        help="Start from a file or a run in DIR, a download, or nothing; of all networks or of one; repeatable."
        " [default: imagenet]",
    ),
]


def _parse_weights(texts: list[str]) -> WeightsOption:
    try:
        return parse_weights(texts)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--weights") from error


def _require_installed(package: str, command: str) -> None:
    if find_spec(package.lower()) is None:
        raise MissingExtra(
            f"`{command}` needs {package}, which is not installed.", hint="pip install 'oct-edge[train]'"
        )


def _train(
    names: tuple[str, ...],
    data: Path,
    out: Path,
    weights: list[str],
    recipe: str,
    epochs: int | None,
    limit: int | None,
    seed: int,
    allow_leak: bool,
) -> None:
    option = _parse_weights(weights)
    make_folder(out)
    require_tensorflow("oct-train")
    from oct_trainer.dataset import read_dataset
    from oct_trainer.fit import train
    from oct_trainer.recipes import RECIPES
    from oct_trainer.weights import check_weights

    missing = [name for name in names if name not in RECIPES[recipe]]
    if missing:
        raise ConfigurationError(
            f"there is no recipe `{recipe}` for {', '.join(missing)}.",
            hint="Leave --recipe out, or train another network.",
        )
    dataset = read_dataset(data, seed=seed, limit=limit, allow_leak=allow_leak)
    recipes = {name: RECIPES[recipe][name] for name in names}
    check_weights(option, recipes)
    for name in names:
        print(train(name, dataset, out, recipes[name], weights=option.of(name), epochs=epochs, seed=seed))


def _command(names: tuple[str, ...]) -> Callable[..., None]:
    def command(
        data: Annotated[
            Path,
            typer.Option("--data", metavar="DIR|CSV", readable=False, help="Folders of OCT2017's layout, or a CSV."),
        ],
        out: Annotated[
            Path, typer.Option("--out", metavar="RUNS", readable=False, help="Where the run folders are made.")
        ],
        weights: WeightsFlag = None,
        recipe: Annotated[RecipeName, typer.Option("--recipe", help="Ours or the article's.")] = RecipeName.best,
        epochs: Annotated[int | None, typer.Option("--epochs", min=1, help="At most so many.")] = None,
        limit: Annotated[int | None, typer.Option("--limit", min=4, help="At most so many scans a split.")] = None,
        seed: Annotated[
            int,
            typer.Option("--seed", min=0, max=LARGEST_SEED, help="Decides split, order, augmentation and weights."),
        ] = 0,
        allow_leak: Annotated[
            bool, typer.Option("--allow-leak", help="Train on splits that leak; the run and the card say so.")
        ] = False,
    ) -> None:
        _train(names, data, out, weights or [], recipe.value, epochs, limit, seed, allow_leak)

    return command


for _network in NETWORKS.values():
    app.command(_network.name, help=f"Train {_network.title}.")(_command((_network.name,)))
app.command("all", help="Train all networks, one after the other.")(_command(tuple(NETWORKS)))


@app.command()
def crossval(
    networks: Annotated[
        list[str] | None,
        typer.Argument(metavar="[NETWORK]...", help="Networks to train, or `logistic`; none: only show what is there."),
    ] = None,
    out: Annotated[
        Path, typer.Option("--out", metavar="DIR", readable=False, help="Where the answers of the folds are kept.")
    ] = Path("crossval"),
    data: Annotated[
        Path | None, typer.Option("--data", metavar="DIR|CSV", readable=False, help="As in training.")
    ] = None,
    weights: WeightsFlag = None,
    recipe: Annotated[RecipeName, typer.Option("--recipe", help="Ours or the article's.")] = RecipeName.best,
    folds: Annotated[int, typer.Option("--folds", min=2, help="How many parts of patients.")] = 5,
    seeds: Annotated[int, typer.Option("--seeds", min=1, help="Train every fold by seeds 0, 1, …")] = 1,
    epochs: Annotated[int | None, typer.Option("--epochs", min=1, help="At most so many.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One oct-edge/crossval-table@1 object.")] = False,
) -> None:
    """Compare recipes by cross-validation over the patients of train and val; `test` is not touched.

    Finished folds are kept in --out and not trained again; the same command goes on after an interruption.
    """
    from oct_trainer.crossval.records import read_methods
    from oct_trainer.crossval.table import rows, tabulate

    known = (*NETWORKS, "logistic")
    if unknown := [name for name in networks or () if name not in known]:
        raise typer.BadParameter(f"{', '.join(unknown)}: not one of {', '.join(known)}.", param_hint="NETWORK")
    if networks and data is None:
        raise typer.BadParameter("is needed to train.", param_hint="--data")
    if networks and data is not None:
        _cross_validate(networks, data, out, recipe.value, weights or [], folds, seeds, epochs)
    table = tabulate(read_methods(out))
    print(json.dumps(table, indent=1) if as_json else "\n".join(rows(table)))


def _cross_validate(
    networks: list[str],
    data: Path,
    out: Path,
    recipe: str,
    weights: list[str],
    folds: int,
    seeds: int,
    epochs: int | None,
) -> None:
    option = _parse_weights(weights)
    make_folder(out)
    require_tensorflow("oct-train crossval")
    from oct_trainer.crossval.validate import cross_validate
    from oct_trainer.dataset import read_dataset

    dataset = read_dataset(data)
    for network in networks:
        start = option.of("mobilenet" if network == "logistic" else network)
        cross_validate(network, dataset, out, recipe=recipe, weights=start, count=folds, seeds=seeds, epochs=epochs)


@app.command()
def networks(
    as_json: Annotated[bool, typer.Option("--json", help="One oct-edge/networks@1 object.")] = False,
) -> None:
    """List the networks: layers, parameters, work, and the article's accuracy. Needs no TensorFlow."""
    from oct_trainer.networks.listing import describe, rows

    print(json.dumps(describe(), indent=1) if as_json else "\n".join(rows()))


@app.command()
def phantoms(
    out: Annotated[Path, typer.Option("--out", metavar="DIR", readable=False, help="A new or empty folder.")],
    count: Annotated[int, typer.Option("--count", min=12, help="How many scans.")] = 400,
    seed: Annotated[
        int, typer.Option("--seed", min=0, max=LARGEST_SEED, help="The same seed draws the same scans.")
    ] = 0,
) -> None:
    """Draw synthetic phantoms in the layout of OCT2017. Needs no TensorFlow and no data."""
    from oct_trainer.phantom import write_dataset
    from oct_trainer.terminal import progress

    make_folder(out)
    with progress() as show:
        try:
            write_dataset(out, count, seed, on_progress=lambda done, total: show("synthetic phantoms", done, total))
        except FileExistsError as error:
            raise ConfigurationError(f"{out}: not empty.", hint="Name a new folder with --out.") from error
        except OSError as error:
            raise OutputUnavailable(
                f"{out}: cannot be written ({error.strerror}).", hint="Free some space, and name a new folder."
            ) from error
    print(out)


@app.command()
def audit(
    data: Annotated[Path, typer.Argument(metavar="DATA", help="Folders of OCT2017's layout, or a CSV.")],
    as_json: Annotated[bool, typer.Option("--json", help="One oct-edge/audit@1 object.")] = False,
) -> None:
    """Look for what would make figures lie: leaks between splits, copies, files that give the class away.

    Exits 1 on a leak. Needs no TensorFlow.
    """
    from oct_trainer.audit import rows, run_audit
    from oct_trainer.terminal import progress

    with progress() as show:
        found = run_audit(data, on_progress=lambda done, total: show("reading", done, total))
    print(json.dumps(found.to_dict(), indent=1) if as_json else "\n".join(rows(found)))
    raise typer.Exit(1 if found.leaks else 0)


@app.command()
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
    _require_installed("matplotlib", "oct-train report")
    from oct_trainer.report import write_report

    make_folder(out.parent)
    for one in write_report(runs, out, data):
        print(f"not reported: {one.name}: {one.reason}", file=sys.stderr)
    print(out)


def main() -> None:
    run(app)


if __name__ == "__main__":
    main()
