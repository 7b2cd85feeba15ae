"""The pictures of a run as SVG: how it learned, what it takes for what, and what its confidence is worth.

Colours are those of Okabe & Ito, which the colour-blind tell apart; every line has a dash of its own besides. The same
figures give the same bytes. Needs matplotlib, not TensorFlow.
"""

from collections.abc import Mapping
from typing import Any

from oct_trainer.plots.confusion import confusion_plot
from oct_trainer.plots.history import history_plot
from oct_trainer.plots.reliability import reliability_plot
from oct_trainer.plots.risk import risk_coverage_plot
from oct_trainer.plots.roc import roc_plot
from oct_trainer.plots.style import on_white, styled, to_svg
from oct_trainer.predictions import Predictions

__all__ = ["draw_history", "draw_predictions", "on_white"]


def draw_predictions(part: Predictions, figures: Mapping[str, Any]) -> dict[str, str]:
    """SVG by file name without its ending; `figures` are those that `predictions.figures` gives for this part."""
    calibration = figures["calibration"]
    with styled():
        drawn = {
            "confusion": confusion_plot(part),
            "roc": roc_plot(part),
            "reliability": reliability_plot(part, float(calibration["temperature"])),
            "risk-coverage": risk_coverage_plot(part, figures["selective"]["curve"]),
        }
        return {name: to_svg(figure) for name, figure in drawn.items()}


def draw_history(history: Mapping[str, list[float]]) -> dict[str, str]:
    """SVG of `loss` and `accuracy` over the epochs; `history` as in `FinishedRun.history`."""
    with styled():
        return {name: to_svg(history_plot(history, name)) for name in ("loss", "accuracy")}
