"""The table of networks as `oct-train networks` prints it, for people and for machines. No TensorFlow."""

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from oct_edge.labels import DISCLAIMER
from oct_edge.preprocess import SIZE
from oct_trainer.networks import NETWORKS

SCHEMA = "oct-edge/networks@1"
_COLUMNS = "{:<10}  {:<29}  {:>6}  {:>10}  {:>10}  {:>13}  {:>9}  {:>8}"


def describe() -> dict[str, Any]:
    """The table as JSON-ready content."""
    return {
        "schema": SCHEMA,
        "input": [SIZE, SIZE, 3],
        "networks": [_entry(asdict(network)) for network in NETWORKS.values()],
        "disclaimer": DISCLAIMER,
    }


def rows() -> Iterator[str]:
    """The table as aligned lines."""
    columns = ("layers", "parameters", "trainable", "multiply-adds", "embedding")
    yield _COLUMNS.format("network", "", *columns, "article")
    for n in NETWORKS.values():
        work = f"{n.multiply_adds / 1e9:.2f} G"
        figures = (n.layers, f"{n.parameters:,}", f"{n.trainable:,}", work, n.embedding, f"{n.accuracy:.2f} %")
        yield _COLUMNS.format(n.name, n.title, *figures)
    yield f"input {SIZE}x{SIZE}x3; the article's accuracy is that on 3,223 images, its validation set too"


def _entry(network: dict[str, Any]) -> dict[str, Any]:
    """As in the table, with accuracy under a name that says whose it is, and without what concerns only `build`."""
    return {key: value for key, value in network.items() if key not in ("accuracy", "shrinks")} | {
        "article_accuracy_percent": network["accuracy"]
    }
