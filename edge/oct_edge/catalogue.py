"""The bundled models, described by their own cards."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from oct_edge.bundle import Bundle, open_bundle
from oct_edge.classifier import Classifier
from oct_edge.runtime import open_runtime
from oct_models import DEFAULT, bundled_models

NOT_MEASURED = "not measured"
_COLUMNS = "{name:<17}  {size:>8}  {val:<20}  {test:<20}  {sha256:<12}  {check}"


def describe(*, check: bool = False, runtime: str = "auto") -> Iterator[dict[str, Any]]:
    """One JSON-ready entry a bundled model; with `check` its golden answers are run and a failure is raised.

    Raises:
        ModelError, RuntimeUnavailable: a bundled model cannot be served here.
    """
    for name, path in bundled_models().items():
        bundle = open_bundle(name)
        metrics = bundle.card["metrics"]["int8"]
        yield {
            "name": name,
            "default": name == DEFAULT,
            "path": str(path),
            "bytes": len(bundle.content),
            "sha256": bundle.sha256,
            "network": bundle.card["network"],
            "metrics": {split: _headline(figures) for split, figures in metrics.items()},
            "golden_difference": _check(bundle, runtime) if check else None,
            "disclaimer": bundle.card["disclaimer"],
        }


def rows(entries: Sequence[dict[str, Any]]) -> Iterator[str]:
    """The entries as aligned lines; balanced accuracy with its 95 % interval, on validation patients and on `test`."""
    header = {"name": "balanced accuracy", "size": "size", "val": "validation", "test": "test", "sha256": "sha256"}
    yield _COLUMNS.format(**header, check="").rstrip()
    for entry in entries:
        yield _COLUMNS.format(
            name=entry["name"] + ("*" if entry["default"] else ""),
            size=f"{entry['bytes'] / 2**20:.1f} MiB",
            val=_balanced(entry["metrics"].get("val")),
            test=_balanced(entry["metrics"].get("test")),
            sha256=entry["sha256"][:12],
            check="" if entry["golden_difference"] is None else "golden answers given",
        ).rstrip()
    yield "* default"


def with_interval(figure: Mapping[str, Any]) -> str:
    """`0.914 (0.857-0.962)`; too few patients have no interval, and none at all no value."""
    value, low, high = (figure[key] for key in ("value", "low", "high"))
    if value is None:
        return NOT_MEASURED
    if low is None or high is None:
        return f"{value:.3f} (no interval)"
    return f"{value:.3f} ({low:.3f}{' to ' if low < 0 else '-'}{high:.3f})"


def _headline(figures: dict[str, Any]) -> dict[str, Any]:
    return {key: figures[key] for key in ("scans", "patients", "accuracy", "balanced_accuracy")}


def _check(bundle: Bundle, runtime: str) -> int:
    return Classifier(bundle, open_runtime(bundle.content, runtime)).self_test()


def _balanced(figures: dict[str, Any] | None) -> str:
    return with_interval(figures["balanced_accuracy"]) if figures else NOT_MEASURED
