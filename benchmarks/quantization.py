"""What do float16 and int8 gain over float32, and what do they cost: in size, memory, latency and accuracy?

    oct-convert --float32 --float16 --int8 --runs runs --data data --out converted
    python benchmarks/quantization.py converted --data data [--scans 40]

Each model runs in LiteRT with XNNPACK, in LiteRT without, and in tflite-runtime. They answer in turns, every one once a
round, in an order that is drawn anew for each round, so that all meet the same machine. Every round is another scan, as
long as there are some. The ratio to float32 in the same runtime is the median of those of the rounds. Memory is what
`model_memory.py` measures. Accuracy has an interval over resampled patients; beside it stands the share of scans that
get the class that float32 gives them in the same runtime.

Without a folder the bundled models are measured, without `--data` on phantoms, which they were not trained for. Prints
a table and writes `quantization.json` into the current folder. Needs no TensorFlow.
"""

import argparse
import json
import os
import platform
import random
import statistics
import sys
import time
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import numpy as np
from intervals import interval
from model_memory import Memory

from oct_converters.cli import DEFAULT_NETWORKS
from oct_edge.errors import DataSetError, OctEdgeError
from oct_edge.labels import DISCLAIMER
from oct_edge.preprocess import expand
from oct_edge.runtime import Kernels, Runtime, open_runtime
from oct_models import DEFAULT, bundled_models
from oct_trainer.dataset import read_dataset
from oct_trainer.evaluation.rows import with_interval
from oct_trainer.layout import SPLITS
from oct_trainer.metrics import summarise
from oct_trainer.phantom import write_dataset
from oct_trainer.pictures import Pictures, load_pictures

REFERENCE = "float32"
FORMATS = (REFERENCE, "float16", "int8")
ROUNDS = 10
PHANTOMS = 64
_PROBLEM = "{:<10} {:<8} {:<23} {}"
_ROW = "{:<10} {:<8} {:<23} {:>7} {:>7} {:>6} {:>6} {:>8}  {:<20}  {:<20} {:>10}"
_TITLES = ("network", "format", "runtime", "file", "model", "PSS", "USS", "ms", "of float32", "accuracy", "same class")


class Way(NamedTuple):
    """How a model is run: in which runtime, by which of its kernels."""

    title: str
    kind: str
    kernels: Kernels


WAYS = (
    Way("LiteRT with XNNPACK", "litert", "default"),
    Way("LiteRT without XNNPACK", "litert", "builtin"),
    Way("tflite-runtime", "tflite", "default"),
)


class Contestant(NamedTuple):
    network: str
    format: str
    way: Way

    @property
    def reference(self) -> "Contestant":
        return self._replace(format=REFERENCE)

    def file(self, models: Path) -> Path:
        return models / f"{self.network}-{self.format}.tflite"

    def row(self, **found: Any) -> dict[str, Any]:
        return {"network": self.network, "format": self.format, "runtime": self.way.title, **found}


@dataclass(frozen=True, eq=False)
class Answers:
    """The `seconds` of each round, and the class that each scan got."""

    seconds: np.ndarray
    predicted: np.ndarray


def measure(models: Path, networks: Sequence[str], pictures: Pictures, rounds: int, threads: int) -> dict[str, Any]:
    rounds = max(rounds, len(pictures.grey))
    field = [Contestant(network, kind, way) for network in networks for kind in FORMATS for way in WAYS]
    opened = {one: _open(one.file(models), one.way, pictures.grey[0], threads) for one in field}
    runtimes = {one: found for one, found in opened.items() if isinstance(found, Runtime)}
    memory = Memory(threads)
    grown = {one: memory.growth(one.file(models), one.way.kind, one.way.kernels) for one in runtimes}
    answers = take_turns(runtimes, pictures.grey, rounds)
    return {
        "machine": platform.machine(),
        "processors": len(os.sched_getaffinity(0)),
        "load": round(os.getloadavg()[0], 1),
        "threads": threads,
        "rounds": rounds,
        "scans": len(pictures.grey),
        "patients": len(set(pictures.patients)),
        "rows": [
            one.row(
                problem=None,
                identity=found.identity,
                **sizes(one.file(models)),
                **grown[one],
                **figures(answers[one], answers.get(one.reference), pictures),
            )
            if isinstance(found, Runtime)
            else one.row(problem=found)
            for one, found in opened.items()
        ],
        "disclaimer": DISCLAIMER,
    }


def _open(model: Path, way: Way, grey: np.ndarray, threads: int) -> Runtime | str:
    """The runtime, warmed up with one picture, or why there is none."""
    if not model.is_file():
        return f"there is no {model.name}"
    try:
        runtime = open_runtime(model.read_bytes(), way.kind, threads, way.kernels)
        runtime.logits(expand(grey))
    except OctEdgeError as error:
        return error.message
    return "XNNPACK cannot run it" if runtime.fell_back else runtime


def take_turns(runtimes: Mapping[Contestant, Runtime], grey: np.ndarray, rounds: int) -> dict[Contestant, Answers]:
    """Everybody answers once a round; where there are fewer scans than rounds, they come again."""
    order, draws = list(runtimes), random.Random(0)
    answers = {one: Answers(np.empty(rounds), np.empty(len(grey), np.int64)) for one in order}
    for turn in range(rounds):
        scan = turn % len(grey)
        tensor = expand(grey[scan])
        draws.shuffle(order)
        for one in order:
            start = time.perf_counter()
            logits = runtimes[one].logits(tensor)
            answers[one].seconds[turn] = time.perf_counter() - start
            answers[one].predicted[scan] = logits.argmax()
    return answers


def sizes(model: Path) -> dict[str, int]:
    """Bytes of the file, and of the flatbuffer in it: what stands before the archive that holds the card."""
    whole = model.stat().st_size
    if not zipfile.is_zipfile(model):
        return {"file_bytes": whole, "model_bytes": whole}
    with zipfile.ZipFile(model) as tail:
        return {"file_bytes": whole, "model_bytes": min(entry.header_offset for entry in tail.infolist())}


def figures(mine: Answers, reference: Answers | None, pictures: Pictures) -> dict[str, Any]:
    """Latency and accuracy; beside float32, where there is one, also `ratio` and `agreement`."""
    return {
        "latency_ms": round(1000 * statistics.median(mine.seconds), 2),
        "ratio": _median((mine.seconds / reference.seconds).tolist()) if reference else None,
        "accuracy": summarise(pictures.labels, mine.predicted, pictures.patients)["accuracy"],
        "agreement": round(float((mine.predicted == reference.predicted).mean()), 4) if reference else None,
    }


def _median(ratios: Sequence[float]) -> dict[str, float]:
    low, high = interval(ratios)
    return {"value": round(statistics.median(ratios), 3), "low": round(low, 3), "high": round(high, 3)}


def lines(record: Mapping[str, Any]) -> list[str]:
    """The record for people."""
    counts = f"{record['scans']} scans of {record['patients']} patients, {record['rounds']} rounds"
    place = f"{record['machine']}, {record['processors']} processors, load {record['load']}"
    shown = [_line(row) for row in record["rows"]]
    return [f"{counts}; {place}, threads: {record['threads']}; sizes in MiB", _ROW.format(*_TITLES), *shown]


def _line(row: Mapping[str, Any]) -> str:
    who = row["network"], row["format"], row["runtime"]
    if row["problem"]:
        return _PROBLEM.format(*who, row["problem"])
    held = (f"{row[f'{name}_bytes'] / 2**20:.1f}" for name in ("file", "model", "pss", "uss"))
    alike = "-" if row["agreement"] is None else f"{row['agreement']:.3f}"
    ratio = with_interval(row["ratio"]) if row["ratio"] else "-"
    return _ROW.format(*who, *held, f"{row['latency_ms']:.1f}", ratio, with_interval(row["accuracy"]), alike)


def _pictures(data: Path, split: str, scans: int | None) -> Pictures:
    samples = read_dataset(data, limit=scans).split(split)
    if not samples:
        raise DataSetError(f"{data}: there is no scan of `{split}`.", hint="Choose another with --split.")
    return load_pictures(samples)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="?", type=Path, metavar="DIR", default=bundled_models()[DEFAULT].parent)
    parser.add_argument("--data", type=Path, metavar="DIR|CSV", help="as in training; without it, phantoms are drawn")
    parser.add_argument("--split", choices=SPLITS, default="test")
    parser.add_argument("--scans", type=int, metavar="N", help="at most so many, of the classes in turn")
    parser.add_argument("--network", nargs="+", metavar="NAME", default=DEFAULT_NETWORKS)
    parser.add_argument("--rounds", type=int, metavar="N", default=ROUNDS, help="at least; more where scans are more")
    parser.add_argument("--threads", type=int, metavar="N", default=1)
    options = parser.parse_args()
    if not options.models.is_dir():
        parser.error(f"{options.models} is no folder")
    return options


def main() -> None:
    options = _options()
    with TemporaryDirectory() as folder:
        data = options.data or Path(folder) / "phantoms"
        if options.data is None:
            write_dataset(data, PHANTOMS, seed=0)
        pictures = _pictures(data, options.split, options.scans)
    record = measure(options.models, options.network, pictures, options.rounds, options.threads)
    print("\n".join(lines(record)))
    Path("quantization.json").write_text(json.dumps(record, indent=1) + "\n")


if __name__ == "__main__":
    try:
        main()
    except OctEdgeError as error:
        sys.exit(f"error [{error.code}]: {error.message}\n  hint: {error.hint}")
