"""The runs side by side, next to what the article says of their networks."""

from collections.abc import Sequence

from oct_trainer.networks import NETWORKS, Network
from oct_trainer.report.collect import Reported
from oct_trainer.report.markup import Markup, join, tag
from oct_trainer.report.tables import SPLITS, UNKNOWN, estimate, lookup, table

_HEAD = ("Network", "Article: accuracy", "Accuracy", "Balanced accuracy", "Urgent: sensitivity", "Measured on")


def overview(reported: Sequence[Reported]) -> Markup:
    """A row a run, and one for each network of the article that has none."""
    there = {one.run.network for one in reported}
    missing = [_missing(network) for name, network in NETWORKS.items() if name not in there]
    return table(_HEAD, [*(_row(one) for one in reported), *missing], class_="overview")


def _row(one: Reported) -> list[str]:
    network, figures = NETWORKS.get(one.run.network), one.figures[one.shown]
    keys = (("accuracy",), ("balanced_accuracy",), ("urgent", "sensitivity"))
    return [
        _named(tag("a", one.name, href=f"#{anchor(one)}"), network),
        _published(network),
        *(estimate(lookup(figures, *path)) for path in keys),
        f"{SPLITS[one.shown]}: {figures['scans']:,} scans, {figures['patients']:,} patients",
    ]


def _missing(network: Network) -> list[str]:
    return [_named(network.name, network), _published(network), UNKNOWN, UNKNOWN, UNKNOWN, "no run"]


def _named(name: str, network: Network | None) -> Markup:
    size = f"{network.title}, {network.parameters:,} parameters" if network else "not a network of the article"
    return join(name, tag("small", size))


def _published(network: Network | None) -> str:
    return f"{network.accuracy:.2f} %" if network else UNKNOWN


def anchor(one: Reported) -> str:
    """Where on the page the run is; its name may hold anything."""
    return f"run-{one.name.encode(errors='surrogateescape').hex()}"
