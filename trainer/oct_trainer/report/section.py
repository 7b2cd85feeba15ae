"""What the page says of one run."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from oct_trainer.networks import NETWORKS
from oct_trainer.plots import draw_history, draw_predictions
from oct_trainer.report.collect import Reported
from oct_trainer.report.markup import Markup, inline_svg, join, tag
from oct_trainer.report.mistakes import most_wrong
from oct_trainer.report.overview import anchor
from oct_trainer.report.tables import SPLITS, classes_table, figures_table, lookup

_PLOTS = {
    "confusion": "What was taken for what",
    "roc": "Each class, and urgent, against the rest",
    "reliability": "Confidence and accuracy; a point is as large as its scans",
    "risk-coverage": "Errors left when the least confident scans go to a person",
    "loss": "Loss while it learned",
    "accuracy": "Accuracy while it learned",
}
_DETAILS = {"recipe": "Recipe", "weights": "Starting weights", "data": "Data", "software": "Software"}


def section(one: Reported, data: Path | None) -> Markup:
    """Figures, plots, mistakes, and how the run came about."""
    figures = one.figures[one.shown]
    split = SPLITS[one.shown]
    network = NETWORKS.get(one.run.network)
    return tag(
        "section",
        tag("h2", network.title if network else one.run.network, " ", tag("code", one.name)),
        tag("p", _provenance(one.run.record), class_="note"),
        *_warnings(one),
        tag("h3", "Figures"),
        figures_table(one),
        tag("h3", f"Classes, on {split} scans"),
        classes_table(figures),
        tag("h3", f"Plots, of {split} scans"),
        _plots(one),
        tag("h3", f"Most wrong, of {split} scans"),
        most_wrong(one, data),
        _details(one.run.record),
        id=anchor(one),
    )


def _provenance(record: dict[str, Any]) -> str:
    scans, patients = lookup(record, "data", "scans", "train"), lookup(record, "data", "patients", "train")
    recipe, seed = lookup(record, "recipe", "name"), lookup(record, "seed")
    trained = f"{sum(scans.values()):,} scans" if isinstance(scans, dict) else "scans that are not told"
    return (
        f"Trained on {trained} of {patients} patients, recipe {recipe}, seed {seed}, "
        f"preprocessing {lookup(record, 'preprocessing')}."
    )


def _warnings(one: Reported) -> Iterator[Markup]:
    if lookup(one.run.record, "data", "phantoms"):
        yield tag("p", "Synthetic phantoms are among the scans: such figures say nothing of patients.", class_="warn")
    if lookup(one.run.record, "data", "leak"):
        yield tag("p", "Trained with --allow-leak: what it is measured on leaked into training.", class_="warn")
    if one.shown != "test":
        yield tag("p", "There were no test scans. Validation chose the epoch and the temperature.", class_="warn")


def _plots(one: Reported) -> Markup:
    drawn = draw_predictions(one.predictions[one.shown], one.figures[one.shown]) | draw_history(one.history)
    return tag("div", *(_figure(one, name, drawn[name], caption) for name, caption in _PLOTS.items()), class_="plots")


def _figure(one: Reported, name: str, svg: str, caption: str) -> Markup:
    plot = inline_svg(svg, f"{anchor(one)}-{name}", caption)
    return tag("figure", tag("figcaption", caption), plot, class_="plot")


def _details(record: dict[str, Any]) -> Markup:
    blocks = [_block(title, record.get(key)) for key, title in _DETAILS.items() if record.get(key)]
    return tag("details", tag("summary", "Recipe, data and software"), tag("div", *blocks, class_="blocks"))


def _block(title: str, content: Any) -> Markup:
    pairs = [join(tag("dt", key), tag("dd", text)) for key, text in _flat(content)]
    return tag("div", tag("h4", title), tag("dl", *pairs))


def _flat(content: Any, prefix: str = "") -> Iterator[tuple[str, str]]:
    """Nested objects as `outer.inner` and text."""
    if not isinstance(content, dict):
        yield prefix or "value", ", ".join(map(str, content)) if isinstance(content, list) else str(content)
        return
    for key, value in content.items():
        yield from _flat(value, f"{prefix}.{key}" if prefix else str(key))
