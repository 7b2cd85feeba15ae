"""The application that the commands join, and the options that several of them share."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from oct_edge.console import DebugOption, application, package_version, set_debug
from oct_trainer.weights_option import WeightsOption, parse_weights

LARGEST_SEED = 2**32 - 1  # NumPy takes none beyond

app = application("Train the networks of the article on OCT2017-shaped data.")

DataFlag = Annotated[
    Path, typer.Option("--data", metavar="DIR|CSV", readable=False, help="Folders of OCT2017's layout, or a CSV.")
]
EpochsFlag = Annotated[int | None, typer.Option("--epochs", metavar="N", min=1, help="At most so many.")]
WeightsFlag = Annotated[
    list[str] | None,
    typer.Option(
        "--weights",
        metavar="[NAME=]DIR|imagenet|none",
        help="Start from a file or a run in DIR, a download, or nothing; of all networks or of one; repeatable."
        " [default: imagenet]",
    ),
]


class RecipeName(StrEnum):
    """The values of --recipe; a test holds them to `recipes.RECIPES`, which costs TensorFlow to import."""

    best = "best"
    article = "article"


RecipeFlag = Annotated[RecipeName, typer.Option("--recipe", help="Ours or the article's.")]


def weights_of(texts: list[str]) -> WeightsOption:
    try:
        return parse_weights(texts)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--weights") from error


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
