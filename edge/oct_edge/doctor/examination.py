"""All that is looked at, in this order."""

from collections.abc import Iterator
from pathlib import Path

from oct_edge.config.loaded import Loaded
from oct_edge.doctor.finding import Finding
from oct_edge.doctor.grading import grading
from oct_edge.doctor.hardware import hardware
from oct_edge.doctor.places import disks, settings


def examine(loaded: Loaded, root: Path = Path("/")) -> Iterator[Finding]:
    """What is found with these settings, each as soon as it is known; below `root` lies what the device says of itself.

    The model and runtime of the settings are those that are tried, the default ones where none are set.
    """
    model, runtime, threads = (loaded.values[f"model.{field}"].value for field in ("name", "runtime", "threads"))
    yield from grading(model, runtime, threads)
    yield from hardware(root)
    yield from settings(loaded)
    yield from disks(loaded)
