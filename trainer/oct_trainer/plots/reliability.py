"""Is a confidence kept? A point a bin, as large as the scans in it; on the diagonal it is kept."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from oct_trainer.metrics import expected_calibration_error, reliability, with_temperature
from oct_trainer.plots.style import BLUE, FAINT, RED, new_figure, unit_axes
from oct_trainer.predictions import Predictions

_LARGEST = 160.0  # area of the point that holds all scans, in square points


def reliability_plot(part: Predictions, temperature: float) -> Figure:
    figure, axes = new_figure()
    axes.plot((0, 1), (0, 1), color=FAINT, linewidth=1)
    _series(axes, part.probabilities, part.labels, RED, "as given", "o")
    mended = with_temperature(part.probabilities, temperature)
    _series(axes, mended, part.labels, BLUE, f"at temperature {temperature:.2f}", "D")
    unit_axes(axes, "confidence", "accuracy")
    axes.legend(title="expected calibration error", title_fontsize=8, loc="lower right")
    return figure


def _series(axes: Axes, probabilities: np.ndarray, labels: np.ndarray, colour: str, name: str, marker: str) -> None:
    confidence, correct = probabilities.max(1), probabilities.argmax(1) == labels
    bins = reliability(confidence, correct)
    there = bins.scans > 0
    area = 12 + _LARGEST * bins.scans[there] / len(labels)
    error = float(expected_calibration_error(confidence, correct))
    axes.scatter(
        bins.confidence[there],
        bins.accuracy[there],
        area,
        marker=marker,
        color=colour,
        alpha=0.75,
        linewidths=0,
        label=f"{error:.3f}  {name}",
    )
