"""What the ledger knows, for people, for spreadsheets and for programs."""

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from typing import Any

from oct_edge.labels import LABELS
from oct_edge.ledger.reader import Sighting
from oct_edge.ledger.schema import FINAL
from oct_edge.spreadsheet import csv_line
from oct_edge.table import printable

_COLUMNS = "{seen:<20}  {name:<{width}}  {label:<10}  {p:>5}  {group:<12}  {note}"
_WIDEST = 44
_CSV = (
    *("seen", "name", "sha256", "state", "superseded_by", "label", *(f"p_{label}" for label in LABELS)),
    *("referral", "p_urgent", "reason", "model"),
)


def rows(sightings: Iterable[Sighting]) -> Iterator[str]:
    """Aligned lines."""
    found = list(sightings)
    width = min(_WIDEST, max((len(printable(sighting.name)) for sighting in found), default=4))
    header = {"seen": "seen", "name": "scan", "label": "label", "p": "p", "group": "referral", "note": ""}
    yield _COLUMNS.format(**header, width=width).rstrip()
    for sighting in found:
        yield _COLUMNS.format(**_cells(sighting), width=width).rstrip()


def json_lines(sightings: Iterable[Sighting]) -> Iterator[str]:
    for sighting in sightings:
        yield json.dumps(asdict(sighting))


def csv_lines(sightings: Iterable[Sighting]) -> Iterator[str]:
    yield ",".join(_CSV)
    for sighting in sightings:
        record = _record(sighting)
        yield csv_line((record.get(column) for column in _CSV), end="")


def request_lines(
    found: Counter[str], model: dict[str, str] | None, watched_by: int | None, *, asked: bool
) -> Iterator[str]:
    """What a request to grade contents again finds, and who deals with it if it was left."""
    with_model = f"{model['name']} ({model['sha256'][:12]})" if model else "a model that is not known yet"
    yield f"{found.total()} contents to grade again with {with_model}"
    for sha256, count in found.most_common():
        yield f"  {count} answered by {sha256[:12]}"
    if asked and watched_by:
        yield f"process {watched_by} takes the request up at its next look at the inbox"
    elif asked:
        yield "nobody watches: the next start takes the request up, for what another model than its own answered"


def _cells(sighting: Sighting) -> dict[str, str]:
    name = printable(sighting.name)
    record = _record(sighting)
    label = record["label"]
    removed = sighting.state in FINAL and not sighting.result
    notes = [record["reason"], "superseded" if sighting.superseded_by else None, "removed" if removed else None]
    return {
        "seen": sighting.seen,
        "name": name if len(name) <= _WIDEST else f"{name[: _WIDEST - 1]}…",
        "label": label or sighting.state,
        "p": f"{record[f'p_{label}']:.2f}" if label else "-",
        "group": record["referral"] or "-",
        "note": ", ".join(note for note in notes if note),
    }


def _record(sighting: Sighting) -> dict[str, Any]:
    result = sighting.result or {}
    referral, reasons = result.get("referral") or {}, result.get("reasons") or [{}]
    return {
        "seen": sighting.seen,
        "name": sighting.name,
        "sha256": sighting.sha256,
        "state": sighting.state,
        "superseded_by": sighting.superseded_by,
        "label": result.get("label"),
        **{f"p_{label}": p for label, p in (result.get("probabilities") or {}).items()},
        "referral": referral.get("group"),
        "p_urgent": referral.get("p_urgent"),
        "reason": reasons[0].get("code"),
        "model": (result.get("model") or {}).get("sha256"),
    }
