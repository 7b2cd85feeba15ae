"""Tables of figures: each value with its interval, and a strip on which both are seen at a glance."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from oct_edge.labels import LABELS
from oct_trainer.report.collect import Reported
from oct_trainer.report.markup import Markup, join, tag

UNKNOWN = "-"
SPLITS = {"test": "test", "val": "validation"}

_FIGURES = (
    ("Accuracy", ("accuracy",), 1.0),
    ("Balanced accuracy", ("balanced_accuracy",), 1.0),
    ("Cohen's kappa", ("kappa",), 1.0),
    ("Area under the ROC curve, mean of classes", ("auc", "macro"), 1.0),
    ("Urgent: sensitivity", ("urgent", "sensitivity"), 1.0),
    ("Urgent: specificity", ("urgent", "specificity"), 1.0),
    ("Urgent: area under the ROC curve", ("urgent", "auc"), 1.0),
    ("Calibration error, as given", ("calibration", "before", "ece"), 1.0),
    ("Calibration error, at the temperature", ("calibration", "after", "ece"), 1.0),
    ("Brier score (0 to 2), as given", ("calibration", "before", "brier"), 2.0),
    ("Brier score (0 to 2), at the temperature", ("calibration", "after", "brier"), 2.0),
    ("Area under the risk-coverage curve", ("selective", "aurc"), 1.0),
)


def figures_table(reported: Reported) -> Markup:
    """All figures over all classes, a column a split."""
    splits = [split for split in SPLITS if split in reported.figures]
    rows = [
        [title, *(estimate(lookup(reported.figures[split], *keys), top) for split in splits)]
        for title, keys, top in _FIGURES
    ]
    counts = [scans_and_patients(reported.figures[split]) for split in splits]
    return table(["", *(SPLITS[split] for split in splits)], [["Scans, patients", *counts], *rows])


def classes_table(figures: Mapping[str, Any]) -> Markup:
    """Sensitivity, specificity and area of each class."""
    keys = ("sensitivity", "specificity", "auc")
    rows = [[name, *(estimate(lookup(figures, key, name)) for key in keys)] for name in LABELS]
    return table(["", "sensitivity", "specificity", "area under the ROC curve"], rows)


def table(head: Sequence[str], rows: Iterable[Sequence[str]], *, class_: str = "") -> Markup:
    """The first cell of a row names it; every other one knows its column, for screens too narrow for columns."""
    titles = tag("tr", *(tag("th", title, scope="col") for title in head))
    lines = [
        tag(
            "tr",
            tag("th", first, scope="row"),
            *(tag("td", cell, data_label=title) for title, cell in zip(head[1:], cells, strict=True)),
        )
        for first, *cells in rows
    ]
    return tag("table", tag("thead", titles), tag("tbody", *lines), class_=class_)


def estimate(figure: Mapping[str, Any] | None, top: float = 1.0) -> Markup:
    """The value, its interval, and both on a strip from 0 to `top`."""
    if figure is None or figure["value"] is None:
        return tag("span", UNKNOWN, class_="value")
    value, low, high = figure["value"], figure["low"], figure["high"]
    if low is None or high is None:
        return join(tag("span", f"{value:.3f}", class_="value"), " ", tag("span", "no interval", class_="interval"))
    interval = tag("span", f"{low:.3f} \u2013 {high:.3f}", class_="interval")
    strip = _strip(*(min(max(place / top, 0.0), 1.0) for place in (value, low, high)))
    return join(tag("span", f"{value:.3f}", class_="value"), " ", interval, " ", strip)


def _strip(value: float, low: float, high: float) -> Markup:
    bar = tag("i", style=f"left:{low:.1%};width:{high - low:.1%}")
    return tag("span", bar, tag("b", style=f"left:{value:.1%}"), class_="strip", aria_hidden="true")


def scans_and_patients(figures: Mapping[str, Any]) -> str:
    return f"{figures['scans']:,}, {figures['patients']:,}"


def lookup(content: Any, *keys: str) -> Any:
    """What stands in nested objects under these keys; None where one of them is missing."""
    for key in keys:
        content = content.get(key) if isinstance(content, Mapping) else None
    return content
