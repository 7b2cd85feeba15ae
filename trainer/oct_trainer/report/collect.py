"""Which runs there are to report on, and why not the others."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from oct_edge.errors import RunError
from oct_trainer.networks import NETWORKS
from oct_trainer.predictions import FITTED_ON, Predictions, measure
from oct_trainer.run import FinishedRun, read_finished_run
from oct_trainer.run_folder import CONTENT
from oct_trainer.wording import few

_DEPTH = 3  # a folder of runs may hold folders of runs, of other recipes or seeds
_PARTIAL, _OLD = ".partial", ".old"
_HINT = "Name the --out of an `oct-train` that ended."


@dataclass(frozen=True, eq=False)
class Reported:
    """A run with all that the page says of it; `name` is its place below the folder that was asked for."""

    name: str
    run: FinishedRun
    predictions: dict[str, Predictions]
    figures: dict[str, dict[str, Any]]
    history: dict[str, list[float]]

    @property
    def shown(self) -> str:
        """The split that tables and plots are of."""
        return "test" if "test" in self.predictions else FITTED_ON


@dataclass(frozen=True)
class Skipped:
    """What lies among the runs and is not reported, and why."""

    name: str
    reason: str


def collect(runs: Path) -> tuple[list[Reported], list[Skipped]]:
    """The finished runs below `runs`, which may be one itself, in the article's order, and the rest.

    Raises:
        RunError: there is no finished run, or no such folder.
    """
    if not runs.is_dir():
        raise RunError(f"{runs}: no finished run; there is no such folder.", hint=_HINT)
    reported: list[Reported] = []
    skipped: list[Skipped] = []
    for place in _places(runs):
        name = _name(place, runs)
        try:
            reported.append(_read(name, place))
        except RunError as error:
            skipped.append(Skipped(name, error.message))
    if not reported:
        raise RunError(f"{runs}: no finished run{_reasons(skipped)}.", hint=_HINT)
    order = {name: place for place, name in enumerate(NETWORKS)}
    return sorted(reported, key=lambda one: (order.get(one.run.network, len(order)), one.name)), skipped


def _read(name: str, place: Path) -> Reported:
    if place.name.endswith(_PARTIAL):
        raise RunError("not finished: its training goes on, or was interrupted.")
    run = read_finished_run(place)
    predictions = run.predictions()
    if FITTED_ON not in predictions:
        raise RunError(f"{place / 'predictions.csv'}: has no validation scans.")
    return Reported(name, run, predictions, measure(predictions), run.history())


def _places(folder: Path, depth: int = _DEPTH) -> Iterator[Path]:
    """What may be a run, and every folder in which there is nothing of the kind."""
    children = _children(folder)
    folders = [child for child in children if child.is_dir() and not child.is_symlink()]
    if not depth or not folders or CONTENT & {child.name for child in children}:
        yield folder
        return
    for child in folders:
        if not _is_beside(child):
            yield from _places(child, depth - 1)


def _children(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except OSError:
        return []  # reading it as a run says what is wrong with it


def _is_beside(folder: Path) -> bool:
    """Hidden, and neither a training under way nor the only copy of a run that was being exchanged."""
    if not folder.name.startswith(".") or folder.name.endswith(_PARTIAL):
        return False
    return not folder.name.endswith(_OLD) or folder.with_name(_network(folder)).exists()


def _name(place: Path, runs: Path) -> str:
    if place == runs:
        return place.resolve().name
    return place.with_name(_network(place)).relative_to(runs).as_posix()


def _network(place: Path) -> str:
    return place.name.removeprefix(".").removesuffix(_PARTIAL).removesuffix(_OLD)


def _reasons(skipped: list[Skipped]) -> str:
    return "; " + few([f"{one.name}: {one.reason.rstrip('.')}" for one in skipped])
