"""One look for all plots: quiet axes, text as text, no background, so that a page can put them on its own.

`INK`, `FAINT` and `BLUE` stand for no other colour, so that a page with a dark side can exchange them.
"""

from contextlib import AbstractContextManager
from io import StringIO
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

INK = "#1c2128"
FAINT = "#c9ced6"
BLUE, ORANGE, GREEN, RED = "#0072b2", "#e69f00", "#009e73", "#d55e00"
SHADE = "#0069a6"  # behind white letters, on any page

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
    default: dict[Any, Any] = {key: mpl.rcParamsDefault[key] for key in mpl.rcParamsDefault if key != "backend"}
    return mpl.rc_context({**default, **STYLE})


def new_figure() -> tuple[Figure, Axes]:
    """All plots have one size, so that their letters are of one size too, wherever they stand side by side."""
    figure = Figure(figsize=(4.0, 3.4), layout="constrained")
    return figure, figure.subplots()


def unit_axes(axes: Axes, x: str, y: str) -> None:
    """Both axes from 0 to 1, of one length, with a little air for what lies on the edge."""
    axes.set(xlabel=x, ylabel=y, xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), aspect="equal")


def to_svg(figure: Figure) -> str:
    """The figure as an SVG document, the same for the same figure."""
    file = StringIO()
    figure.savefig(file, format="svg", facecolor="none", metadata={"Date": None, "Creator": None})
    return file.getvalue()


def on_white(svg: str) -> str:
    """The document with a background, for viewers that have a dark one."""
    return svg.replace('<g id="figure_1">', '<rect width="100%" height="100%" fill="white"/>\n <g id="figure_1">', 1)
