"""Cross-validate recipes, and show what cross-validations have found."""

import json
from pathlib import Path
from typing import Annotated

import typer

from oct_edge.files import make_folder
from oct_trainer.cli.app import EpochsFlag, RecipeFlag, RecipeName, WeightsFlag, app, weights_of
from oct_trainer.extras import require_tensorflow
from oct_trainer.networks import NETWORKS


@app.command(short_help="Compare recipes by cross-validation.")
def crossval(
    networks: Annotated[
        list[str] | None,
        typer.Argument(metavar="NETWORK", help="Networks to train, or `logistic`; none: only show what is there."),
    ] = None,
    out: Annotated[
        Path, typer.Option("--out", metavar="DIR", readable=False, help="Where the answers of the folds are kept.")
    ] = Path("crossval"),
    data: Annotated[
        Path | None, typer.Option("--data", metavar="DIR|CSV", readable=False, help="As in training.")
    ] = None,
    weights: WeightsFlag = None,
    recipe: RecipeFlag = RecipeName.best,
    folds: Annotated[int, typer.Option("--folds", metavar="N", min=2, help="How many parts of patients.")] = 5,
    seeds: Annotated[int, typer.Option("--seeds", metavar="N", min=1, help="Train every fold by seeds 0, 1, …")] = 1,
    epochs: EpochsFlag = None,
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
    option = weights_of(weights)
    make_folder(out)
    require_tensorflow("oct-train crossval")
    from oct_trainer.crossval.validate import cross_validate
    from oct_trainer.dataset import read_dataset
    from oct_trainer.recipes import RECIPES
    from oct_trainer.weights import check_weights

    dataset = read_dataset(data)
    check_weights(option, {_base(name): RECIPES[recipe][_base(name)] for name in networks})
    for network in networks:
        start = option.of(_base(network))
        cross_validate(network, dataset, out, recipe=recipe, weights=start, count=folds, seeds=seeds, epochs=epochs)


def _base(method: str) -> str:
    """The network whose weights a method starts from."""
    return "mobilenet" if method == "logistic" else method
