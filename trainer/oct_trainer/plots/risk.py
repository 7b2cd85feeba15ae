"""How many errors are left when the least confident scans go to a person, with its 95 % band at each tenth."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from oct_trainer.metrics import risk_coverage
from oct_trainer.plots.style import BLUE, new_figure
from oct_trainer.predictions import Predictions

_POINTS = 400


def risk_coverage_plot(part: Predictions, curve: Sequence[Mapping[str, Any]]) -> Figure:
    """`curve` is the one of the figures, risk with its interval at each tenth of coverage."""
    figure, axes = new_figure()
    coverage, risk = risk_coverage(part.confidence, part.wrong)
    shown = np.unique(np.linspace(0, len(coverage) - 1, min(len(coverage), _POINTS)).astype(int))
    _band(axes, curve)
    axes.plot(coverage[shown], risk[shown], color=BLUE, label="share of errors")
    axes.set(xlabel="share of scans answered", ylabel="errors among them", xlim=(-0.02, 1.02))
    axes.set_ylim(0, min(1.15 * max(axes.get_ylim()[1], 0.01), 1.02))
    axes.xaxis.set_major_formatter("{x:.0%}")
    axes.yaxis.set_major_formatter("{x:.0%}")
    axes.legend(loc="upper left")
    return figure


def _band(axes: Axes, curve: Sequence[Mapping[str, Any]]) -> None:
    known = [(p["coverage"], p["risk"]["low"], p["risk"]["high"]) for p in curve if p["risk"]["low"] is not None]
    if known:
        coverage, low, high = zip(*known, strict=True)
        axes.fill_between(coverage, low, high, color=BLUE, alpha=0.15, linewidth=0, label="95 % interval")
