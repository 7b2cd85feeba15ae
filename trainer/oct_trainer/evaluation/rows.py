"""An evaluation for people: figures with their intervals, what was taken for what, and what was most wrong."""

from collections.abc import Iterator, Mapping
from typing import Any

from oct_edge.labels import LABELS
from oct_edge.table import printable

_SHOWN = 8
_WIDTH = 28
_FIGURE = 22


def rows(record: Mapping[str, Any]) -> Iterator[str]:
    """The lines of the table for an `oct-edge/evaluation@1` object."""
    metrics = record["metrics"]
    run, data = record["run"], record["data"]
    yield printable(f"{run['network']} on {data['split']} of {data['name']}: ") + (
        f"{metrics['scans']} scans, {metrics['patients']} patients"
    )
    if seen := record["seen"]["train"]["scans"]:
        yield f"NO TEST: the network was trained on {seen} of these scans, or on their patients"
    yield ""
    yield from _figures(metrics)
    yield ""
    yield from _classes(metrics)
    yield ""
    yield from _confusion(metrics["confusion_matrix"])
    yield from _wrong(record["most_wrong"])
    yield ""
    yield record["disclaimer"]


def with_interval(figure: Mapping[str, float | None]) -> str:
    """`0.985 (0.959-1.000)`; `-` for what the data cannot give."""
    value, low, high = figure["value"], figure["low"], figure["high"]
    if value is None:
        return "-"
    return f"{value:.3f}" + (f" ({low:.3f}-{high:.3f})" if low is not None and high is not None else "")


def _figures(metrics: Mapping[str, Any]) -> Iterator[str]:
    calibration, urgent = metrics["calibration"], metrics["urgent"]
    yield f"{'':<{_WIDTH}}with 95 % intervals, patients resampled"
    yield from _pair("accuracy", metrics["accuracy"])
    yield from _pair("balanced accuracy", metrics["balanced_accuracy"])
    yield from _pair("Cohen's kappa", metrics["kappa"])
    yield from _pair("AUC, mean of classes", metrics["auc"]["macro"])
    for key, title in (("sensitivity", "sensitivity"), ("specificity", "specificity"), ("auc", "AUC")):
        yield from _pair(f"urgent: {title}", urgent[key])
    yield from _pair("area under risk-coverage", metrics["selective"]["aurc"])
    yield ""
    yield f"{'':<{_WIDTH}}{'as given':<{_FIGURE}}at temperature {calibration['temperature']:.2f}"
    for key, title in (("ece", "calibration error"), ("brier", "Brier score")):
        before, after = (with_interval(calibration[when][key]) for when in ("before", "after"))
        yield f"{title:<{_WIDTH}}{before:<{_FIGURE}}{after}"


def _pair(title: str, figure: Mapping[str, float | None]) -> Iterator[str]:
    yield f"{title:<{_WIDTH}}{with_interval(figure)}"


def _classes(metrics: Mapping[str, Any]) -> Iterator[str]:
    line = "{:<10}{:<22}{:<22}{}"
    yield line.format("class", "sensitivity", "specificity", "AUC")
    for name in LABELS:
        yield line.format(name, *(with_interval(metrics[key][name]) for key in ("sensitivity", "specificity", "auc")))


def _confusion(matrix: list[list[int]]) -> Iterator[str]:
    line = "{:<10}" + "{:>8}" * len(LABELS)
    yield line.format("answered", *LABELS)
    for name, counts in zip(LABELS, matrix, strict=True):
        yield line.format(name, *counts)


def _wrong(most_wrong: list[dict[str, Any]]) -> Iterator[str]:
    if most_wrong:
        yield ""
        yield "most wrong"
    for one in most_wrong[:_SHOWN]:
        yield f"  {one['answered']:<8}{one['confidence']:.2f}  is {one['label']:<8}{printable(one['path'])}"
