"""`oct-edge classify`: files in, answers out, in one of three forms, and as files where that is asked for."""

import sys
from collections.abc import Callable, Iterator, Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from oct_edge.console import is_coloured, say
from oct_edge.prior import EXAMPLE, parse_prior
from oct_models import DEFAULT

if TYPE_CHECKING:
    from oct_edge.classifier import Classifier
    from oct_edge.result import Result
    from oct_edge.volume import Volume

    Answer = Result | Volume


class RuntimeKind(StrEnum):
    """The values of --runtime; a test holds them to `runtime.KINDS`, which costs numpy to import."""

    auto = "auto"
    litert = "litert"
    tflite = "tflite"


def _shares(text: str | None) -> str | None:
    """Four shares by name."""
    if text is not None:
        try:
            parse_prior(text)
        except ValueError:
            raise typer.BadParameter(f"{text!r} is not like {EXAMPLE}.") from None
    return text


def _threshold(value: float | None) -> float | None:
    if value is not None and not 0 < value < 1:
        raise typer.BadParameter(f"{value:g} is not between 0 and 1.")
    return value


ModelOption = Annotated[str, typer.Option("--model", metavar="NAME|PATH", help="A bundled model or a .tflite file.")]
RuntimeOption = Annotated[RuntimeKind, typer.Option("--runtime", help="The TFLite runtime; auto is litert.")]
ThreadsOption = Annotated[
    int | None, typer.Option("--threads", min=1, max=64, help="Interpreter threads. [default: the cores, 4 at most]")
]


def classify(
    inputs: Annotated[
        list[str],
        typer.Argument(metavar="PATH", help="JPEG, PNG, TIFF or DICOM files, folders, patterns, or - for stdin."),
    ],
    model: ModelOption = DEFAULT,
    as_json: Annotated[
        bool, typer.Option("--json", help="One oct-edge/result@1 object a line, oct-edge/volume@1 after a volume.")
    ] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="One row a scan, for spreadsheets.")] = False,
    output: Annotated[
        Path | None,
        typer.Option("--output", metavar="DIR", help="Also write one JSON file a scan there.", readable=False),
    ] = None,
    recursive: Annotated[bool, typer.Option("--recursive", "-r", help="Look into subfolders too.")] = False,
    threshold: Annotated[
        float | None,
        typer.Option("--threshold", callback=_threshold, help="p(CNV) + p(DME) from which a scan is urgent."),
    ] = None,
    strict: Annotated[
        bool, typer.Option("--strict", help="Leave all but the plain cases to a person: 0.9 is needed.")
    ] = False,
    prior: Annotated[
        str | None,
        typer.Option(
            "--prior",
            callback=_shares,
            metavar="CNV=P,DME=P,DRUSEN=P,NORMAL=P",
            help="The mix of classes in your clinic.",
        ),
    ] = None,
    runtime: RuntimeOption = RuntimeKind.auto,
    threads: ThreadsOption = None,
) -> None:
    """Classify scans: CNV, DME, DRUSEN or NORMAL, with the referral that follows.

    A volume gets one answer a frame, and a summary. Exits 1 when at least one input was rejected; the others are
    answered all the same.
    """
    if as_json and as_csv:
        raise typer.BadParameter("--json and --csv are two forms of one output: choose one.")
    from oct_edge.bundle import open_bundle
    from oct_edge.classifier import Classifier
    from oct_edge.decision import decision_of
    from oct_edge.result import Result
    from oct_edge.runtime import open_runtime
    from oct_edge.scan import expand_paths

    files = expand_paths(inputs, recursive=recursive)
    bundle = open_bundle(model)
    decision = decision_of(bundle, threshold=threshold, strict=strict, prior=parse_prior(prior) if prior else None)
    classifier = Classifier(bundle, open_runtime(bundle.content, runtime.value, threads), decision)
    header, form = _form(files, as_json=as_json, as_csv=as_csv)
    store = _store(output)
    if header:
        say(header)
    statuses = []
    for answer in _metered(_answers(classifier, files), len(files)):
        store(answer)
        if line := form(answer):
            say(line)
        if isinstance(answer, Result):
            statuses.append(answer.status)
    if not (as_json or as_csv):
        _print_summary(statuses, classifier)
    raise typer.Exit(1 if "rejected" in statuses else 0)


def _answers(classifier: "Classifier", files: list[Path]) -> Iterator["Answer"]:
    """One file needs no threads, which take a while to load."""
    if len(files) == 1:
        from oct_edge.volume import answers as answers_of_one

        return answers_of_one(classifier, files[0])
    from oct_edge.pipeline import answers

    return answers(classifier, files)


def _form(files: list[Path], *, as_json: bool, as_csv: bool) -> tuple[str, Callable[["Answer"], str]]:
    """The first line, and what makes a line of an answer; an empty one is none."""
    from oct_edge.result import Result

    if as_json:
        return "", lambda answer: answer.to_json()
    if as_csv:
        from oct_edge.exports import columns

        return _text(columns.header()), lambda a: _text(columns.line(a)) if isinstance(a, Result) else ""
    from oct_edge.table import Table

    table = Table([path.name for path in files], coloured=is_coloured(sys.stdout))
    return table.header(), lambda answer: table.row(answer) if isinstance(answer, Result) else table.volume(answer)


def _text(line: bytes) -> str:
    """A line of a CSV file without its end, which the terminal has another of."""
    return line.decode().rstrip("\r\n")


def _store(folder: Path | None) -> Callable[["Answer"], None]:
    """What writes an answer into the folder, if there is one.

    Raises:
        ConfigurationError: the folder cannot be used.
    """
    if folder is None:
        return lambda answer: None
    from oct_edge.exports.folders import name_for, prepare
    from oct_edge.files import write_atomically
    from oct_edge.result import Result

    prepare(folder, "--output")

    def write(answer: "Answer") -> None:
        frame = ".volume"
        if isinstance(answer, Result):
            frame = "" if answer.source.frame is None else f".{answer.source.frame:04}"
        name = name_for(answer.source.name, answer.source.sha256 or "unread") + frame
        write_atomically(folder / f"{name}.json", f"{answer.to_json()}\n".encode())

    return write


def _metered(answers: Iterator["Answer"], total: int) -> Iterator["Answer"]:
    """The answers, with a line that says how far it is, where a person waits and sees nothing else."""
    if total < 2 or not sys.stderr.isatty() or sys.stdout.isatty():
        yield from answers
        return
    from oct_edge.meter import Meter
    from oct_edge.result import Result

    meter = Meter(total)
    try:
        for answer in answers:
            yield answer
            if not isinstance(answer, Result) or answer.source.frame is None:  # a volume is done with its summary
                meter.step()
    finally:
        meter.close()


def _print_summary(statuses: Sequence[str], classifier: "Classifier") -> None:
    from oct_edge.labels import DISCLAIMER

    identity = classifier.identity
    others = "".join(f", {count} {kind}" for kind in ("ungradable", "rejected") if (count := statuses.count(kind)))
    print(
        f"{len(statuses)} scans{others}; {identity.name} ({identity.sha256[:12]}) on {identity.runtime}; {DISCLAIMER}",
        file=sys.stderr,
    )
