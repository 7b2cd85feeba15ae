"""`oct-edge results | status | regrade | audit`: thin commands that ask the ledger and print."""

import json
import re
import sys
from pathlib import Path
from typing import Annotated, Any, get_args

import typer

from oct_edge.console import say
from oct_edge.labels import DISCLAIMER, LABELS, Group
from oct_edge.ledger.schema import FINAL, STATES

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
SinceOption = Annotated[str | None, typer.Option(callback=_moment, metavar="TIME", help="Seen then or later, UTC.")]
UntilOption = Annotated[
    str | None, typer.Option(callback=_moment, metavar="TIME", help="Seen then or before; a day is a whole one.")
]
LabelOption = Annotated[str | None, _one_of(*LABELS)]
ReferralOption = Annotated[str | None, _one_of(*get_args(Group))]
NameOption = Annotated[
    str | None, typer.Option(metavar="GLOB", help="What the file was called; also where names are pseudonyms.")
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


def _known_as(name: str | None, state: Path) -> str | None:
    """What the ledger in `state` calls a file of this name, where names are pseudonyms; a pattern stays one."""
    from oct_edge.naming import known_naming

    return name if name is None or set(name) & set("*?[") else known_naming(state)(name)


def results(
    state: StateOption = None,
    since: SinceOption = None,
    until: UntilOption = None,
    status: Annotated[str | None, _one_of(*STATES)] = None,
    label: LabelOption = None,
    referral: ReferralOption = None,
    name: NameOption = None,
    as_json: JsonOption = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="For spreadsheets.")] = False,
) -> None:
    """What was seen and answered: one line for each name that a content was met under."""
    from oct_edge.ledger.present import csv_lines, json_lines, rows
    from oct_edge.ledger.query import Query
    from oct_edge.ledger.reader import reading

    shown = json_lines if as_json else csv_lines if as_csv else rows
    folder = _folder(state)
    with reading(folder) as reader:
        for line in shown(reader.sightings(Query(since, until, status, label, referral, _known_as(name, folder)))):
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


def regrade(
    state: StateOption = None,
    since: SinceOption = None,
    until: UntilOption = None,
    status: Annotated[str | None, _one_of(*FINAL)] = None,
    label: LabelOption = None,
    referral: ReferralOption = None,
    name: NameOption = None,
    also_same: Annotated[bool, typer.Option("--all", help="Also what this very model answered.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say how many contents that are.")] = False,
) -> None:
    """Have contents graded again that another model answered; what is given narrows them as in `results`.

    The process that watches takes the request up at its next look at the inbox, or the next one at its start. A content
    that is not in the inbox any more keeps its answer.
    """
    from oct_edge.ledger.present import request_lines
    from oct_edge.ledger.query import Query
    from oct_edge.ledger.reader import reading
    from oct_edge.ledger.request import leave, new_request

    state = _folder(state)
    query = Query(since, until, status, label, referral, _known_as(name, state))
    with reading(state) as reader:
        found, model, watched_by = reader.to_regrade(query, also_same), reader.serving(), reader.watched_by()
    asked = not dry_run and bool(found or not watched_by)
    if asked:
        leave(state, new_request(query, also_same))
    for line in request_lines(found, model, watched_by, asked=asked):
        say(line)


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
        head, removed = reader.verify(expect), reader.checkpoint().seq
    before = f", of which the first {removed} were removed" if removed else ""
    say(f"{head.seq} events{before}, the last is {head.hash}")


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


@audit.command()
def backup(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Where the copy is written.", readable=False)],
    state: StateOption = None,
) -> None:
    """Copy the ledger, as it is now, to one file, also while the daemon writes."""
    from oct_edge.ledger.backup import back_up

    back_up(_folder(state), file)
