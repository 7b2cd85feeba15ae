"""How answers hold when the same retina comes in another picture, and whether the picture's size gives the answer.

The first answers are to the scans as they are. For each perturbation the scans are changed at full size, preprocessed
and answered again; its figures stand beside the paired difference to the first answers, so that what a change costs is
not lost in the spread between patients. No TensorFlow: who answers is a parameter.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from oct_edge.labels import DISCLAIMER, LABELS
from oct_edge.preprocess import SIZE, to_grey
from oct_edge.scan import Scan
from oct_trainer.evaluation.rows import with_interval
from oct_trainer.metrics import compare_paired, summarise
from oct_trainer.metrics.bootstrap import Bootstrap, Estimate, exact_margin
from oct_trainer.perturb import Perturbation

SCHEMA = "oct-edge/robustness@1"
FEWEST = 5  # scans of one class and size that a sensitivity is told of

Answer = Callable[[np.ndarray], np.ndarray]  # pictures uint8 `[n, 224, 224]` to classes int `[n]`


def measure(
    scans: Sequence[Scan],
    labels: np.ndarray,
    patients: np.ndarray,
    answer: Answer,
    perturbations: Sequence[Perturbation],
    on_progress: Callable[[int, int], None] | None = None,
) -> dict[str, Any]:
    """The `oct-edge/robustness@1` object; `labels` int `[n]`, `patients` str `[n]`."""
    unchanged = answer(_pictures(scans))
    changed = []
    for done, perturbation in enumerate(perturbations, 1):
        answers = answer(_pictures([perturbation(scan) for scan in scans]))
        changed.append(
            {
                "group": perturbation.group,
                "name": perturbation.name,
                **_figures(labels, answers, patients),
                "agreement": round(float((answers == unchanged).mean()), 4),
                "difference": compare_paired(labels, unchanged, answers, patients).to_dict(),
            }
        )
        if on_progress:
            on_progress(done, len(perturbations))
    return {
        "schema": SCHEMA,
        "scans": len(labels),
        "patients": len(np.unique(patients)),
        "unchanged": _figures(labels, unchanged, patients),
        "changed": changed,
        "sizes": sensitivity_by_size(labels, unchanged, patients, [scan.pixels.shape for scan in scans]),
        "disclaimer": DISCLAIMER,
    }


def sensitivity_by_size(
    labels: np.ndarray, answers: np.ndarray, patients: np.ndarray, shapes: Sequence[tuple[int, ...]]
) -> list[dict[str, Any]]:
    """Sensitivity a class, on all its scans and on those of each number of rows that has `FEWEST` or more of them.

    Where a class comes in two sizes, a network that learned the size in place of the disease differs between them:
    `from_all` is the sensitivity on scans of those rows minus that on all of the class; null where there is one size.
    """
    rows = np.array([shape[0] for shape in shapes])
    found = []
    for label, name in enumerate(LABELS):
        of_class = labels == label
        right, whose = answers[of_class] == label, patients[of_class]
        heights = np.unique(rows[of_class]).tolist()
        for height in (None, *heights):
            chosen = np.ones(len(right), bool) if height is None else rows[of_class] == height
            if chosen.sum() >= FEWEST:
                apart = height is not None and len(heights) > 1
                found.append(
                    {
                        "label": name,
                        "rows": height,
                        **_sensitivity(right[chosen], whose[chosen]),
                        "from_all": sensitivity_from_all(right, chosen, whose).to_dict() if apart else None,
                    }
                )
    return found


def sensitivity_from_all(right: np.ndarray, chosen: np.ndarray, patients: np.ndarray) -> Estimate:
    """Sensitivity on the `chosen` scans of a class minus that on all of them, patients resampled for both at once.

    `right` and `chosen` are bool `[n]`.
    """
    bootstrap = Bootstrap(patients)
    if right.all() or not right.any():
        margin = exact_margin(bootstrap.count(chosen))
        return Estimate(0.0, -margin, margin)

    def difference(weights: np.ndarray) -> np.ndarray:
        with np.errstate(invalid="ignore"):  # a resample without a chosen scan says nothing
            part, whole = ((weights * of) @ right / (weights @ of) for of in (chosen, np.ones_like(chosen)))
        return np.asarray(part - whole)

    return bootstrap.estimate(difference, chosen, within=(-1.0, 1.0))


def rows(record: Mapping[str, Any]) -> Iterator[str]:
    """Aligned lines for people; agreement in per cent, differences in points."""
    line = "{:<11}{:<24}{:<22}{:<22}{:>9}  {:<23}{}"
    yield f"{record['scans']} scans, {record['patients']} patients; 95 % intervals, patients resampled"
    yield line.format("change", "", "accuracy", "balanced", "agreement", "accuracy changes by", "balanced by")
    yield line.format("none", "", *_both(record["unchanged"]), "", "", "").rstrip()
    for one in record["changed"]:
        difference = (one["difference"][f"{name}_difference"] for name in ("accuracy", "balanced_accuracy"))
        costs = (_points(figure) for figure in difference)
        yield line.format(one["group"], one["name"], *_both(one), f"{100 * one['agreement']:.1f}", *costs)
    yield from size_rows(record["sizes"])
    yield record["disclaimer"]


def size_rows(sizes: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """The lines of `sensitivity_by_size`."""
    yield f"{'sensitivity':<28} {'scans':>5} {'patients':>8}"
    for one in sizes:
        which = "all scans" if one["rows"] is None else f"scans of {one['rows']} rows"
        counts = f"{one['scans']:>5} {one['patients']:>8}"
        apart = f"  {_points(one['from_all'])} from all" if one["from_all"] else ""
        yield f"{one['label'] + ', ' + which:<28} {counts}  {with_interval(one['sensitivity'])}{apart}"


def _pictures(scans: Sequence[Scan]) -> np.ndarray:
    return np.stack([to_grey(scan) for scan in scans]) if scans else np.empty((0, SIZE, SIZE), np.uint8)


def _sensitivity(right: np.ndarray, patients: np.ndarray) -> dict[str, Any]:
    """Of scans of one class, the share that is right."""
    bootstrap = Bootstrap(patients)
    share = bootstrap.estimate(lambda weights: weights @ right / weights.sum(1))
    return {"scans": len(right), "patients": bootstrap.count(), "sensitivity": share.to_dict()}


def _figures(labels: np.ndarray, answers: np.ndarray, patients: np.ndarray) -> dict[str, Any]:
    found = summarise(labels, answers, patients)
    return {name: found[name] for name in ("accuracy", "balanced_accuracy", "sensitivity")}


def _both(figures: Mapping[str, Any]) -> tuple[str, str]:
    return with_interval(figures["accuracy"]), with_interval(figures["balanced_accuracy"])


def _points(difference: Mapping[str, float | None]) -> str:
    """`-1.6 (-3.9 to +0.0)`."""
    value, low, high = (difference[key] for key in ("value", "low", "high"))
    if value is None:
        return "-"
    return f"{100 * value:+.1f}" + ("" if low is None or high is None else f" ({100 * low:+.1f} to {100 * high:+.1f})")
