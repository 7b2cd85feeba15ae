"""What can be set: a section of the file is a class, a key of it is a field.

Each field carries what its readers, the checks and the documents have to know of it, so that a key is described in one
place. Nothing here reads anything.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from oct_edge.prior import EXAMPLE, require_prior
from oct_models import DEFAULT


@dataclass(frozen=True)
class About:
    """A key for people and checks: its meaning, its range, and whether SIGHUP may change it in a running daemon.

    `form` raises a ValueError, which says what it has to be, for a text that is spelled otherwise.
    """

    meaning: str
    minimum: float | None = None
    maximum: float | None = None
    live: bool = False
    later: tuple[str, ...] = ()  # values that a later release will know
    form: Callable[[str], None] | None = None

    def range(self) -> str:
        """What a number has to be."""
        if self.minimum is None:
            return "finite"
        return f"{self.minimum:g} or more" if self.maximum is None else f"{self.minimum:g} to {self.maximum:g}"


@dataclass(frozen=True, kw_only=True)
class Model:
    """What grades."""

    name: Annotated[str, About("a bundled model, or the whole path of a `.tflite` file")] = DEFAULT
    runtime: Annotated[Literal["auto", "litert", "tflite"], About("the TFLite runtime; `auto` is litert")] = "auto"
    threads: Annotated[int | None, About("interpreter threads; not set: the cores, 4 at most", 1, 64)] = None


@dataclass(frozen=True, kw_only=True)
class Decision:
    """Where the lines are between the referrals, if not where the model's card has them."""

    threshold: Annotated[
        float | None, About("p(CNV) + p(DME) from which a scan is urgent; not set: that of the model", 0.0001, 0.9999)
    ] = None
    strict: Annotated[bool, About("all but the plain cases are left to a person")] = False
    prior: Annotated[
        str | None,
        About(f"the mix of classes in the clinic, as {EXAMPLE}; not set: that of the training", form=require_prior),
    ] = None


@dataclass(frozen=True, kw_only=True)
class Source:
    """Where scans come from, and when one is taken."""

    kind: Annotated[Literal["folder"], About("what is watched", later=("camera",))] = "folder"
    inbox: Annotated[Path, About("the folder that scans are copied to")]
    stable: Annotated[
        float, About("seconds a file must not change before it is taken, also at start", 0, live=True)
    ] = 2.0
    interval: Annotated[float, About("seconds between two looks at the folder", 0.05, live=True)] = 1.0
    events: Annotated[
        Literal["auto", "poll"], About("`auto`: file events wake it before the interval is over; `poll`: nothing does")
    ] = "auto"
    symlinks: Annotated[Literal["refuse", "follow"], About("what is done with symbolic links among the scans")] = (
        "refuse"
    )
    give_up: Annotated[
        float, About("seconds after which a file that never comes to rest is rejected", 1, live=True)
    ] = 3600.0


@dataclass(frozen=True, kw_only=True)
class Output:
    """Where results go."""

    folder: Annotated[Path, About("the folder that gets one JSON file a scan")]
    jsonl: Annotated[Path | None, About("a file that gets each result as a line of JSON; not set: none")] = None
    csv: Annotated[Path | None, About("a file that gets each result as a row, for spreadsheets; not set: none")] = None


@dataclass(frozen=True, kw_only=True)
class State:
    """What is known."""

    folder: Annotated[
        Path | None, About("the folder of the ledger and the quarantine; not set: that of the results and `.state`")
    ] = None


@dataclass(frozen=True, kw_only=True)
class Quarantine:
    """What is kept of a scan that has no answer; the scan itself stays where it is."""

    mode: Annotated[
        Literal["note", "copy", "link"],
        About(
            "what is kept of a scan without an answer: the reason alone, or also a copy of it or a link to it",
            live=True,
        ),
    ] = "note"


@dataclass(frozen=True, kw_only=True)
class Retention:
    """How much is kept."""

    days: Annotated[int | None, About("days that results and events are kept; not set: for ever", 1, live=True)] = None
    results: Annotated[int | None, About("how many results are kept, the latest; not set: all", 1, live=True)] = None


@dataclass(frozen=True, kw_only=True)
class Privacy:
    """A scan may be named after a patient."""

    names: Annotated[Literal["plain", "hashed"], About("how a scan is named, wherever it is named")] = "plain"


@dataclass(frozen=True, kw_only=True)
class Metrics:
    """What monitoring collects."""

    textfile: Annotated[
        Path | None, About("a `.prom` file for the textfile collector of Prometheus' node exporter; not set: none")
    ] = None


@dataclass(frozen=True, kw_only=True)
class Log:
    """What is said on stderr."""

    format: Annotated[Literal["text", "json"], About("a line of text, or one JSON object a line", live=True)] = "text"
    level: Annotated[Literal["debug", "info", "warning", "error"], About("the least that is said", live=True)] = "info"


@dataclass(frozen=True, kw_only=True)
class Config:
    """All settings of a watching daemon."""

    model: Model = Model()
    decision: Decision = Decision()
    source: Source
    output: Output
    state: State = State()
    quarantine: Quarantine = Quarantine()
    retention: Retention = Retention()
    privacy: Privacy = Privacy()
    metrics: Metrics = Metrics()
    log: Log = Log()

    @property
    def state_folder(self) -> Path:
        """Where the ledger is kept."""
        return self.state.folder or beside(self.output.folder)


def beside(results: Path) -> Path:
    """The state folder where none is set."""
    return Path(f"{results.absolute()}.state")
