"""Tables of figures: each value with its interval, and a strip on which both are seen at a glance."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from oct_edge.labels import LABELS
from oct_trainer.report.collect import Reported
from oct_trainer.report.markup import Markup, join, tag

UNKNOWN = "-"
SPLITS = {"test": "test", "val": "validation"}

_FIGURES = (
    ("Accuracy", ("accuracy",)),
    ("Balanced accuracy", ("balanced_accuracy",)),
    ("Cohen's kappa", ("kappa",)),
    ("Area under the ROC curve, mean of classes", ("auc", "macro")),
    ("Urgent: sensitivity", ("urgent", "sensitivity")),
    ("Urgent: specificity", ("urgent", "specificity")),
    ("Urgent: area under the ROC curve", ("urgent", "auc")),
    ("Calibration error, as given", ("calibration", "before", "ece")),
    ("Calibration error, at the temperature", ("calibration", "after", "ece")),
    ("Brier score (0 to 2), as given", ("calibration", "before", "brier")),
    ("Brier score (0 to 2), at the temperature", ("calibration", "after", "brier")),
    ("Area under the risk-coverage curve", ("selective", "aurc")),
)


def figures_table(reported: Reported) -> Markup:
    """All figures over all classes, a column a split."""
    splits = [split for split in SPLITS if split in reported.figures]
    rows = [
        [title, *(estimate(lookup(reported.figures[split], *keys)) for split in splits)] for title, keys in _FIGURES
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


def estimate(figure: Mapping[str, Any] | None) -> Markup:
    """The value, its interval, and both on a strip from 0 to 1."""
    if figure is None or figure["value"] is None:
        return tag("span", UNKNOWN, class_="value")
    value, low, high = figure["value"], figure["low"], figure["high"]
    if low is None or high is None:
        return join(tag("span", f"{value:.3f}", class_="value"), " ", tag("span", "no interval", class_="interval"))
    interval = tag("span", f"{low:.3f} \u2013 {high:.3f}", class_="interval")
    return join(tag("span", f"{value:.3f}", class_="value"), " ", interval, " ", _strip(value, low, high))


def _strip(value: float, low: float, high: float) -> Markup:
    left, right = (100 * min(max(end, 0.0), 1.0) for end in (low, high))
    bar = tag("i", style=f"left:{left:.1f}%;width:{right - left:.1f}%")
    dot = tag("b", style=f"left:{100 * min(max(value, 0.0), 1.0):.1f}%")
    return tag("span", bar, dot, class_="strip", aria_hidden="true")


def scans_and_patients(figures: Mapping[str, Any]) -> str:
    return f"{figures['scans']:,}, {figures['patients']:,}"


def lookup(content: Any, *keys: str) -> Any:
    """What stands in nested objects under these keys; None where one of them is missing."""
    for key in keys:
        content = content.get(key) if isinstance(content, Mapping) else None
    return content
