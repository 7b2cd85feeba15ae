"""One look for all plots: quiet axes, text as text, no background, so that a page can put them on its own.

`INK` and `FAINT` are told apart from every other colour, so that a page with a dark side can exchange them.
"""

from contextlib import AbstractContextManager
from io import StringIO
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

INK = "#1c2128"
FAINT = "#c9ced6"
BLUE, ORANGE, GREEN, RED, PURPLE = "#0072b2", "#e69f00", "#009e73", "#d55e00", "#cc79a7"

STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "oct-edge",
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 9.0,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": FAINT,
    "axes.facecolor": "none",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": FAINT,
    "grid.linewidth": 0.5,
    "xtick.color": FAINT,
    "ytick.color": FAINT,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "legend.frameon": False,
    "legend.fontsize": 8.0,
    "legend.handlelength": 2.4,
    "lines.linewidth": 1.6,
    "text.parse_math": False,
}


def styled() -> AbstractContextManager[None]:
    """What is drawn and written inside has this look, whatever the user's matplotlibrc says."""
    return mpl.rc_context({**mpl.rcParamsDefault, **STYLE})


def new_figure(panels: int = 1, *, width: float = 4.0, height: float = 3.4) -> tuple[Figure, list[Axes]]:
    """A figure with so many panels side by side; inches of 72 points."""
    figure = Figure(figsize=(width, height), layout="constrained")
    return figure, list(figure.subplots(1, panels, squeeze=False)[0])


def unit_axes(axes: Axes, x: str, y: str) -> None:
    """Both axes from 0 to 1, of one length, with a little air for what lies on the edge."""
    axes.set(xlabel=x, ylabel=y, xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), aspect="equal")


def to_svg(figure: Figure) -> str:
    """The figure as an SVG document, the same for the same figure."""
    file = StringIO()
    figure.savefig(file, format="svg", facecolor="none", metadata={"Date": None, "Creator": None})
    return file.getvalue()
