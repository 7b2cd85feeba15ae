"""The bundled models, described by their own cards."""

from collections.abc import Iterator, Sequence
from typing import Any

from oct_edge.bundle import Bundle, open_bundle
from oct_edge.classifier import Classifier
from oct_edge.runtime import open_runtime
from oct_models import DEFAULT, bundled_models

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
            val=_with_interval(entry["metrics"].get("val")),
            test=_with_interval(entry["metrics"].get("test")),
            sha256=entry["sha256"][:12],
            check="" if entry["golden_difference"] is None else "golden answers given",
        ).rstrip()
    yield "* default"


def _headline(figures: dict[str, Any]) -> dict[str, Any]:
    return {key: figures[key] for key in ("scans", "patients", "accuracy", "balanced_accuracy")}


def _check(bundle: Bundle, runtime: str) -> int:
    return Classifier(bundle, open_runtime(bundle.content, runtime)).self_test()


def _with_interval(figures: dict[str, Any] | None) -> str:
    figure = figures["balanced_accuracy"] if figures else None
    if figure is None or figure["value"] is None:
        return "not measured"
    return f"{figure['value']:.3f} ({figure['low']:.3f}-{figure['high']:.3f})"
