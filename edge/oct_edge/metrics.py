"""What monitoring collects: one file for the textfile collector of Prometheus' node exporter.

The file is replaced by renaming, so a collector never sees half of it, and everybody may read it. It is not synced: its
place is a folder in memory, and after a power cut nobody misses it. It is written also when nothing changed, since its
age is how a daemon that is gone is noticed (`node_textfile_mtime_seconds`).
"""

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from oct_edge.console import package_version
from oct_edge.errors import ConfigurationError
from oct_edge.files import PARTIAL
from oct_edge.health import HINTS
from oct_edge.labels import LABELS
from oct_edge.ledger.schema import FINAL
from oct_edge.ledger.tally import Tally
from oct_edge.result import ModelIdentity

SUFFIX = ".prom"  # the collector reads no other
PREFIX = "oct_edge_"
BUCKETS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)  # seconds
_READABLE = 0o644

Sample = tuple[str, Mapping[str, str], float]  # a suffix of the name, labels, value


class Histogram:
    """How often something took so long."""

    def __init__(self) -> None:
        self._counts = [0] * (len(BUCKETS) + 1)
        self._sum = 0.0

    def observe(self, seconds: float) -> None:
        self._counts[bisect_left(BUCKETS, seconds)] += 1
        self._sum += seconds

    def samples(self) -> Iterator[Sample]:
        total = 0
        for edge, count in zip((*map(str, BUCKETS), "+Inf"), self._counts, strict=True):
            total += count
            yield "_bucket", {"le": edge}, total
        yield "_sum", {}, round(self._sum, 6)
        yield "_count", {}, total


@dataclass(frozen=True)
class Sight:
    """What there is to see of a daemon at one moment. What is not known is None."""

    model: ModelIdentity
    started: float
    watching: bool
    tally: Tally
    waiting: int | None
    reasons: frozenset[str]
    inference: Histogram
    written: int | None


def checked(path: Path) -> Path:
    """The path of a file that a collector will read.

    Raises:
        ConfigurationError: its name does not end in `.prom`.
    """
    if path.suffix != SUFFIX:
        raise ConfigurationError(
            f"{path}: the textfile collector reads only names that end in {SUFFIX}.",
            hint=f"Call it {path.with_suffix(SUFFIX)}.",
        )
    return path


def write_textfile(path: Path, text: str) -> None:
    """Replace the file. Raises OSError."""
    partial = path.with_name(f".{path.name}{PARTIAL}")
    try:
        partial.write_text(text, encoding="utf-8")
        partial.chmod(_READABLE)
        partial.replace(path)
    except OSError:
        partial.unlink(missing_ok=True)
        raise


def render(sight: Sight) -> str:
    """The metrics in the text format."""
    return "".join(_families(sight))


def _families(sight: Sight) -> Iterator[str]:
    model = sight.model
    about = {"version": package_version(), "model": model.name, "model_sha256": model.sha256, "runtime": model.runtime}
    yield _family("info", "gauge", "Release, model and runtime.", [("", about, 1)])
    yield _one("watching", "gauge", "Whether the daemon watches; 0 when it has ended.", int(sight.watching))
    yield _one("start_time_seconds", "gauge", "When the daemon was started.", round(sight.started, 3))
    yield _family("scans_total", "counter", "Answers of this ledger, by state and class.", _scans(sight.tally))
    yield _one("pending_scans", "gauge", "Scans in the inbox that have no answer yet.", sight.waiting)
    yield _one("last_answer_timestamp_seconds", "gauge", "When the last answer was given.", _seconds(sight.tally.last))
    degraded: list[Sample] = [("", {"reason": code}, int(code in sight.reasons)) for code in {**HINTS, **_known(sight)}]
    yield _family("degraded", "gauge", "Whether the daemon does less than it should, by reason.", degraded)
    yield _family(
        "inference_seconds", "histogram", "Time of one inference, since the start.", sight.inference.samples()
    )
    yield _one("written_bytes_total", "counter", "Bytes sent to disks since the start.", sight.written)


def _scans(tally: Tally) -> Iterator[Sample]:
    known = {(FINAL[0], label): 0 for label in LABELS} | {(state, ""): 0 for state in FINAL[1:]}
    for (state, label), count in (known | dict(tally.answers)).items():
        yield "", {"state": state, "class": label}, count


def _known(sight: Sight) -> dict[str, str]:
    return dict.fromkeys(sorted(sight.reasons), "")


def _seconds(moment: str | None) -> float | None:
    return None if moment is None else datetime.fromisoformat(moment).timestamp()


def _one(name: str, kind: str, text: str, value: float | None) -> str:
    return "" if value is None else _family(name, kind, text, [("", {}, value)])


def _family(name: str, kind: str, text: str, samples: Iterable[Sample]) -> str:
    lines = [f"# HELP {PREFIX}{name} {text}", f"# TYPE {PREFIX}{name} {kind}"]
    lines += [f"{PREFIX}{name}{suffix}{_labels(labels)} {value}" for suffix, labels, value in samples]
    return "".join(f"{line}\n" for line in lines)


def _labels(labels: Mapping[str, str]) -> str:
    inside = ",".join(f'{name}="{_escaped(value)}"' for name, value in labels.items())
    return f"{{{inside}}}" if inside else ""


def _escaped(value: str) -> str:
    return value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
