"""`oct-train`: train the networks, or draw phantoms to train on."""

import json
import os
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
from oct_trainer.run_options import (
    BatchOption,
    Precision,
    PrecisionOption,
    RestartOption,
    RunOptions,
    Strategy,
    StrategyOption,
    TensorBoardOption,
)

LARGEST_SEED = 2**32 - 1  # NumPy takes none beyond

app = application("Train the networks of the article on OCT2017-shaped data.")


class RecipeName(StrEnum):
    """The values of --recipe; a test holds them to `recipes.RECIPES`, which costs TensorFlow to import."""

    best = "best"
    article = "article"


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
    if find_spec("tensorflow") is None:
        raise MissingExtra(
            f"`{command}` needs TensorFlow, which is not installed.", hint="pip install 'oct-edge[train]'"
        )
    from oct_trainer.terminal import silenced

    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    with silenced(2):
        import_module("tensorflow")


def _train(
    names: tuple[str, ...],
    data: Path,
    out: Path,
    weights: str,
    recipe: str,
    epochs: int | None,
    limit: int | None,
    seed: int,
    allow_leak: bool,
    options: RunOptions,
) -> None:
    make_folder(out)
    require_tensorflow("oct-train")
    from oct_trainer.dataset import read_dataset
    from oct_trainer.fit import train
    from oct_trainer.machine import find_machine
    from oct_trainer.recipes import RECIPES

    missing = [name for name in names if name not in RECIPES[recipe]]
    if missing:
        raise ConfigurationError(
            f"there is no recipe `{recipe}` for {', '.join(missing)}.",
            hint="Leave --recipe out, or train another network.",
        )
    dataset = read_dataset(data, seed=seed, limit=limit, allow_leak=allow_leak)
    machine = find_machine(options.precision, options.strategy)
    for name in names:
        run = train(
            name,
            dataset,
            out,
            options.adapt(RECIPES[recipe][name]),
            weights=weights,
            epochs=epochs,
            seed=seed,
            restart=options.restart,
            tensorboard=options.events(out),
            machine=machine,
        )
        print(run)


def _command(names: tuple[str, ...]) -> Callable[..., None]:
    def command(
        data: Annotated[
            Path,
            typer.Option("--data", metavar="DIR|CSV", readable=False, help="Folders of OCT2017's layout, or a CSV."),
        ],
        out: Annotated[
            Path, typer.Option("--out", metavar="RUNS", readable=False, help="Where the run folders are made.")
        ],
        weights: Annotated[
            str,
            typer.Option(
                "--weights",
                metavar="DIR|imagenet|none",
                help="Start from a file or a run in DIR, a download, or nothing.",
            ),
        ] = "imagenet",
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
        batch: BatchOption = None,
        precision: PrecisionOption = Precision.auto,
        strategy: StrategyOption = Strategy.none,
        tensorboard: TensorBoardOption = False,
        restart: RestartOption = False,
    ) -> None:
        options = RunOptions(batch, precision, strategy, tensorboard, restart)
        _train(names, data, out, weights, recipe.value, epochs, limit, seed, allow_leak, options)

    return command


for _network in NETWORKS.values():
    app.command(_network.name, help=f"Train {_network.title}.")(_command((_network.name,)))
app.command("all", help="Train all networks, one after the other.")(_command(tuple(NETWORKS)))


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


def main() -> None:
    run(app)


if __name__ == "__main__":
    main()
