"""Sensitivity at every price: one curve a class against the rest, and one for urgent against the rest."""

import numpy as np
from matplotlib.figure import Figure

from oct_edge.labels import LABELS, URGENT
from oct_trainer.metrics import auc, roc_curve, urgent_probability
from oct_trainer.plots.style import BLUE, FAINT, GREEN, INK, ORANGE, RED, new_figure, unit_axes
from oct_trainer.predictions import Predictions

_LINES = ((RED, "-"), (ORANGE, (0, (5, 1.5))), (BLUE, (0, (1, 1))), (GREEN, (0, (5, 1.5, 1, 1.5))))


def roc_plot(part: Predictions) -> Figure:
    figure, axes = new_figure()
    axes.plot((0, 1), (0, 1), color=FAINT, linewidth=1)
    for label, (colour, dash) in enumerate(_LINES):
        scores, truth = part.probabilities[:, label], part.labels == label
        if truth.any() and not truth.all():
            rates = roc_curve(scores, truth)
            axes.plot(*rates[:2], color=colour, linestyle=dash, label=f"{LABELS[label]}  {auc(scores, truth):.3f}")
    truth, scores = np.isin(part.labels, URGENT), urgent_probability(part.probabilities)
    if truth.any() and not truth.all():
        rates = roc_curve(scores, truth)
        axes.plot(*rates[:2], color=INK, linewidth=2.2, label=f"urgent  {auc(scores, truth):.3f}")
    unit_axes(axes, "1 - specificity", "sensitivity")
    if axes.get_legend_handles_labels()[0]:
        axes.legend(title="area under the curve", title_fontsize=8, loc="lower right")
    return figure
