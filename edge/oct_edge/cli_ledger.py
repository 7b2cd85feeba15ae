"""`oct-edge results | status | audit`: thin commands that ask the ledger and print."""

import json
import re
import sys
from pathlib import Path
from typing import Annotated, Any, get_args

import typer

from oct_edge.console import say
from oct_edge.labels import DISCLAIMER, LABELS, Group
from oct_edge.ledger.schema import STATES

STATE = Path("/var/lib/oct-edge/state")
_PAGE = 500  # events that are read at a time

audit = typer.Typer(
    help="Verify and export the history of everything that was seen and answered.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


def _moment(text: str | None) -> str | None:
    """The beginning of a time such as 2026-11-23T10:11:12Z, at least its year."""
    if text is not None and not re.fullmatch(r"\d{4}(-\d\d(-\d\d(T\d\d(:\d\d(:\d\dZ?)?)?)?)?)?", text):
        raise typer.BadParameter(f"{text!r} is not the beginning of a time such as 2026-11-23T10:11:12Z.")
    return text


def _one_of(*known: str) -> Any:
    """An option that takes one of these values."""

    def check(text: str | None) -> str | None:
        if text is not None and text not in known:
            raise typer.BadParameter(f"{text!r} is none of {', '.join(known)}.")
        return text

    return typer.Option(callback=check, metavar="|".join(known))


StateOption = Annotated[
    Path | None,
    typer.Option(
        "--state",
        metavar="DIR",
        help=f"Where the ledger is kept. [default: as `oct-edge config show` says, or {STATE}]",
        readable=False,
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="For machines.")]


def _folder(given: Path | None) -> Path:
    """Where the ledger is: as given, or as the variables and the configuration file say, or where the service has it.

    Raises:
        SettingsRefused: the file or a variable says it in a way that cannot be understood.
    """
    if given:
        return given
    from oct_edge.config.load import Sources

    return Sources().load().state_folder() or STATE


def results(
    state: StateOption = None,
    since: Annotated[
        str | None, typer.Option(callback=_moment, metavar="TIME", help="Seen then or later, UTC.")
    ] = None,
    until: Annotated[
        str | None, typer.Option(callback=_moment, metavar="TIME", help="Seen then or before; a day is a whole one.")
    ] = None,
    status: Annotated[str | None, _one_of(*STATES)] = None,
    label: Annotated[str | None, _one_of(*LABELS)] = None,
    referral: Annotated[str | None, _one_of(*get_args(Group))] = None,
    name: Annotated[str | None, typer.Option(metavar="GLOB", help="What the file was called.")] = None,
    as_json: JsonOption = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="For spreadsheets.")] = False,
) -> None:
    """What was seen and answered: one line for each name that a content was met under."""
    from oct_edge.ledger.present import csv_lines, json_lines, rows
    from oct_edge.ledger.reader import Query, reading

    shown = json_lines if as_json else csv_lines if as_csv else rows
    with reading(_folder(state)) as reader:
        for line in shown(reader.sightings(Query(since, until, status, label, referral, name))):
            say(line)
    if shown is rows:
        print(DISCLAIMER, file=sys.stderr)


def status(state: StateOption = None, as_json: JsonOption = False) -> None:
    """Whether somebody watches and what is in the way, what is waiting, what was answered, and how the device is."""
    from oct_edge import status as seen

    found = seen.status(_folder(state))
    for line in [json.dumps(found)] if as_json else seen.lines(found):
        say(line)
    if not as_json:
        print(DISCLAIMER, file=sys.stderr)


@audit.command()
def verify(
    state: StateOption = None,
    expect: Annotated[
        str | None, typer.Option(metavar="DIGEST", help="That of an event, noted before; it has to be there still.")
    ] = None,
) -> None:
    """Verify the chain of events from the first to the last, and print the digest of the last.

    Exits 78 and names the first event that does not fit.
    """
    from oct_edge.ledger.reader import reading

    with reading(_folder(state)) as reader:
        head = reader.verify(expect)
    say(f"{head.seq} events, the last is {head.hash}")


@audit.command()
def export(state: StateOption = None) -> None:
    """Print every event as one JSON object a line, in the order they were written down."""
    from oct_edge.ledger.chain import COLUMNS
    from oct_edge.ledger.reader import reading

    folder, last = _folder(state), 0
    while True:
        with reading(folder) as reader:  # not open while lines are printed: a pager may hold those up for hours
            rows = [dict(zip(COLUMNS, row, strict=True)) for row in reader.events(last, _PAGE)]
        if not rows:
            return
        for row in rows:
            say(json.dumps(row))
        last = rows[-1]["seq"]
