"""How a training is run, apart from what decides its figures: the options that all training commands share.

A module of its own, without TensorFlow, so that `--help` knows them at once.
"""

from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from oct_trainer.recipes import Recipe

EVENTS = "tensorboard"  # a folder beside the runs


class Precision(StrEnum):
    """Of the arithmetic; weights are float32 with each. `auto` is mixed on a GPU and float32 elsewhere."""

    auto = "auto"
    float32 = "float32"
    mixed = "mixed"


class Strategy(StrEnum):
    """How a batch is spread over the devices of one machine."""

    none = "none"
    mirrored = "mirrored"


BatchOption = Annotated[
    int | None, typer.Option("--batch", metavar="N", min=1, help="Scans a step; the recipe's unless given.")
]
PrecisionOption = Annotated[
    Precision, typer.Option("--precision", help="Of the arithmetic; auto: mixed on a GPU, float32 elsewhere.")
]
StrategyOption = Annotated[Strategy, typer.Option("--strategy", help="mirrored: share each batch among all GPUs.")]
TensorBoardOption = Annotated[
    bool, typer.Option("--tensorboard", help=f"Write curves to RUNS/{EVENTS}/<network> as well.")
]
CacheOption = Annotated[
    Path | None,
    typer.Option(
        "--cache",
        metavar="DIR",
        readable=False,
        help="Where what a frozen base makes of the scans is kept. [default: RUNS/.features]",
    ),
]
VariantsOption = Annotated[
    int | None,
    typer.Option(
        "--variants",
        metavar="N",
        min=1,
        help="Run a frozen base over so many augmented versions of a scan, not one for every epoch.",
    ),
]
RestartOption = Annotated[
    bool,
    typer.Option("--restart", help="Train from the first epoch: resume nothing, and keep no finished run."),
]


@dataclass(frozen=True)
class RunOptions:
    """Their values; `batch` and `variants` are None for those of the recipe."""

    batch: int | None = None
    precision: Precision = Precision.auto
    strategy: Strategy = Strategy.none
    tensorboard: bool = False
    restart: bool = False
    cache: Path | None = None
    variants: int | None = None

    def adapt(self, recipe: "Recipe") -> "Recipe":
        return replace(recipe, batch=self.batch or recipe.batch, variants=self.variants or recipe.variants)

    def events(self, out: Path) -> Path | None:
        """Where TensorBoard's files go, if they are asked for."""
        return out / EVENTS if self.tensorboard else None
