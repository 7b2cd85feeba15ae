"""How it learned: loss and accuracy of training and validation, epoch by epoch, and where validation was best."""

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from oct_trainer.plots.style import BLUE, FAINT, RED, new_figure

_LINES = (("", "training", RED, "-"), ("val_", "validation", BLUE, (0, (5, 1.5))))


def history_plot(history: Mapping[str, list[float]], name: str) -> Figure:
    """`name` is `loss` or `accuracy`; `history` are the columns of `history.csv`, each with a number an epoch."""
    figure, axes = new_figure()
    for column, title, colour, dash in (
        (name, "training", RED, "-"),
        (f"val_{name}", "validation", BLUE, (0, (5, 1.5))),
    ):
        values = np.array(history.get(column, ()), float)
        marker = "o" if len(values) == 1 else None
        axes.plot(np.arange(1, len(values) + 1), values, color=colour, linestyle=dash, marker=marker, label=title)
    losses = np.array(history.get("val_loss", ()), float)
    if np.isfinite(losses).any():
        axes.axvline(int(np.nanargmin(losses)) + 1, color=FAINT, linewidth=1.2, zorder=0, label="least validation loss")
    axes.set(xlabel="epoch", ylabel=name)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    axes.legend(loc="best")
    return figure
