"""Train one network, or all of them."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from oct_edge.errors import ConfigurationError
from oct_edge.files import make_folder
from oct_trainer.cli.app import LARGEST_SEED, DataFlag, EpochsFlag, RecipeFlag, RecipeName, WeightsFlag, app, weights_of
from oct_trainer.extras import require_tensorflow
from oct_trainer.networks import NETWORKS
from oct_trainer.run_options import (
    BatchOption,
    CacheOption,
    Precision,
    PrecisionOption,
    RestartOption,
    RunOptions,
    Strategy,
    StrategyOption,
    TensorBoardOption,
    VariantsOption,
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
    options: RunOptions,
) -> None:
    option = weights_of(weights)
    make_folder(out)
    require_tensorflow("oct-train")
    from oct_trainer.dataset import read_dataset
    from oct_trainer.fit import train
    from oct_trainer.machine import find_machine
    from oct_trainer.recipes import RECIPES
    from oct_trainer.weights import check_weights

    missing = [name for name in names if name not in RECIPES[recipe]]
    if missing:
        raise ConfigurationError(
            f"there is no recipe `{recipe}` for {', '.join(missing)}.",
            hint="Leave --recipe out, or train another network.",
        )
    dataset = read_dataset(data, seed=seed, limit=limit, allow_leak=allow_leak)
    recipes = {name: options.adapt(RECIPES[recipe][name]) for name in names}
    check_weights(option, recipes)
    machine = find_machine(options.precision, options.strategy)
    for name in names:
        run = train(
            name,
            dataset,
            out,
            recipes[name],
            weights=option.of(name),
            epochs=epochs,
            seed=seed,
            restart=options.restart,
            tensorboard=options.events(out),
            machine=machine,
            cache=options.cache,
        )
        print(run)


def _command(names: tuple[str, ...]) -> Callable[..., None]:
    def command(
        data: DataFlag,
        out: Annotated[
            Path, typer.Option("--out", metavar="RUNS", readable=False, help="Where the run folders are made.")
        ],
        weights: WeightsFlag = None,
        recipe: RecipeFlag = RecipeName.best,
        epochs: EpochsFlag = None,
        limit: Annotated[
            int | None, typer.Option("--limit", metavar="N", min=4, help="At most so many scans a split.")
        ] = None,
        seed: Annotated[
            int,
            typer.Option(
                "--seed", metavar="N", min=0, max=LARGEST_SEED, help="Decides split, order, augmentation and weights."
            ),
        ] = 0,
        allow_leak: Annotated[
            bool, typer.Option("--allow-leak", help="Train on splits that leak; the run and the card say so.")
        ] = False,
        batch: BatchOption = None,
        precision: PrecisionOption = Precision.auto,
        strategy: StrategyOption = Strategy.none,
        tensorboard: TensorBoardOption = False,
        restart: RestartOption = False,
        cache: CacheOption = None,
        variants: VariantsOption = None,
    ) -> None:
        options = RunOptions(batch, precision, strategy, tensorboard, restart, cache, variants)
        _train(names, data, out, weights or [], recipe.value, epochs, limit, seed, allow_leak, options)

    return command


for _network in NETWORKS.values():
    app.command(_network.name, help=f"Train {_network.title}.")(_command((_network.name,)))
app.command("all", help="Train all networks, one after the other.")(_command(tuple(NETWORKS)))
