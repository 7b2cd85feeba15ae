"""What is taken for what: counts, and shades for the share of each true class."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from oct_edge.labels import LABELS
from oct_trainer.metrics import confusion_matrix
from oct_trainer.plots.style import INK, SHADE, new_figure
from oct_trainer.predictions import Predictions

_DARK = 0.5  # share from which on the shade needs white letters


def confusion_plot(part: Predictions) -> Figure:
    matrix = confusion_matrix(part.labels, part.predicted)
    share = matrix / np.maximum(matrix.sum(1, keepdims=True), 1)
    figure, axes = new_figure()
    for row, column in np.ndindex(matrix.shape):
        _shade(axes, row, column, float(share[row, column]))
        _count(axes, row, column, int(matrix[row, column]), float(share[row, column]))
    axes.set(xlabel="answered", ylabel="true", aspect="equal", xlim=(-0.5, 3.5), ylim=(3.5, -0.5))
    axes.set_xticks(range(len(LABELS)), LABELS)
    axes.set_yticks(range(len(LABELS)), LABELS)
    axes.tick_params(length=0)
    axes.grid(visible=False)
    axes.spines[:].set_visible(False)
    return figure


def _shade(axes: Axes, row: int, column: int, share: float) -> None:
    corner = (column - 0.48, row - 0.48)
    axes.add_patch(Rectangle(corner, 0.96, 0.96, facecolor=SHADE, alpha=0.05 + 0.95 * share, edgecolor="none"))


def _count(axes: Axes, row: int, column: int, count: int, share: float) -> None:
    colour = "white" if share > _DARK else INK
    axes.text(column, row - 0.07, str(count), ha="center", va="center", color=colour, fontsize=12)
    if count:
        axes.text(column, row + 0.23, f"{share:.0%}", ha="center", va="center", color=colour, fontsize=7.5)
