"""How it is with one watched folder, on one page: what the ledger knows, what the daemon left, and the device.

The ledger is right whether somebody watches or not. What only the daemon knows (why it does less than it should, what
waits) is shown only while the very process that wrote it down watches. Clock and board are asked here and now.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict
from hashlib import sha256
from pathlib import Path
from typing import Any

from oct_edge.board import Board, read_board
from oct_edge.bundle import read_bundle, read_model
from oct_edge.clock import synchronised
from oct_edge.drift import CAVEAT, LATEST, Drift, drift
from oct_edge.errors import ModelError
from oct_edge.health import HINTS, read_health
from oct_edge.labels import DISCLAIMER
from oct_edge.ledger.reader import Answer, reading
from oct_edge.result import utc_now
from oct_edge.table import printable
from oct_models import bundled_models

SCHEMA = "oct-edge/status@1"
_CLOCK = {True: "set", False: "not set since the device was started", None: "nobody can tell whether it was set"}
_INDENT = 13


def status(state: Path) -> dict[str, Any]:
    """One JSON-ready object.

    Raises:
        LedgerError, OutputUnavailable: as `reading`.
    """
    with reading(state) as reader:
        found, answers = reader.status(), reader.latest(LATEST)
    left = read_health(state)
    running = left if found["watched_by"] and found["watched_by"] == left.get("pid") else {}
    board = read_board()
    return {
        "schema": SCHEMA,
        "time": utc_now(),
        **found,
        "waiting": running.get("waiting"),
        "degraded": [
            {"code": code, **reason, "hint": HINTS.get(code, "")} for code, reason in running.get("reasons", {}).items()
        ],
        "process": _process(running) if running else None,
        "drift": asdict(_drift(answers, left)) | {"caveat": CAVEAT},
        "clock": {"synchronised": synchronised()},
        "board": asdict(board) if board else None,
        "disclaimer": DISCLAIMER,
    }


def lines(found: Mapping[str, Any]) -> Iterator[str]:
    """The same for people."""
    yield _line("ledger", found["ledger"])
    yield _line("watched by", _watcher(found))
    yield _line("model", found["model"]["name"] if found["model"] else "-")
    for reason in found["degraded"]:
        yield _line("degraded", f"{reason['code']} since {reason['since']}: {printable(reason['message'])}")
        yield _line("", reason["hint"])
    yield _line("waiting", "-" if found["waiting"] is None else f"{found['waiting']} scans in the inbox")
    yield _line("last answer", found["last_answer"] or "-")
    for title in ("states", "classes", "referrals"):
        yield _line(title, ", ".join(f"{count} {name}" for name, count in found[title].items()) or "-")
    asked = found["to_regrade"]
    if any(asked.values()):
        yield _line("regrade", f"{asked['waiting']} waiting, {asked['unavailable']} not in the inbox")
    yield from _paragraph("drift", [*found["drift"]["findings"], *([CAVEAT] if found["drift"]["conspicuous"] else [])])
    yield _line("clock", _CLOCK[found["clock"]["synchronised"]])
    yield _line("board", _board(found["board"]))
    yield _line("card wear", _wear(found["process"]))
    if found["removed"]:
        forgotten = f"of {found['forgotten']} contents that are still known"
        yield _line("retention", f"events up to {found['removed']} were removed, {forgotten}")
    for name in found["damaged"]:
        yield _line("damaged", name)
    yield _line("events", f"{found['events']}, the last is {found['head']}")


def _process(running: Mapping[str, Any]) -> dict[str, Any]:
    counters = running["counters"]
    answered, written = counters.get("answered", 0), counters.get("written_bytes")
    return {
        "pid": running["pid"],
        "started": running["started"],
        "model": running.get("model"),
        "answered": answered,
        "written_bytes": written,
        "written_bytes_a_scan": round(written / answered) if answered and written is not None else None,
    }


def _drift(answers: Sequence[Answer], left: Mapping[str, Any]) -> Drift:
    """Of the model that answered last, as far as the latest answers are of it."""
    if not answers:
        return Drift(None, 0, ("Nothing was classified yet.",))
    model = answers[0].model
    card = _card(model, left.get("model", {}).get("asked_for"))
    if card is None:
        return Drift(
            model[:12], len(answers), ("The model that answered last is not at hand, nor what to expect of it.",)
        )
    return drift([(answer.label, answer.confidence) for answer in answers if answer.model == model], card)


def _card(digest: str, asked_for: str | None) -> Mapping[str, Any] | None:
    """The card of the model with this digest, bundled or the one that the daemon was given."""
    for name in (*bundled_models(), *([asked_for] if asked_for else [])):
        with suppress(ModelError):
            content = read_model(name)
            if sha256(content).hexdigest() == digest:
                return read_bundle(content, name).card
    return None


def _watcher(found: Mapping[str, Any]) -> str:
    process = found["process"]
    if not process:
        return f"process {found['watched_by']}" if found["watched_by"] else "nobody"
    model = process["model"] or {}
    with_model = f", with {model['name']} on {model['runtime']}" if model else ""
    return f"process {process['pid']} since {process['started']}{with_model}"


def _board(board: Mapping[str, Any] | None) -> str:
    if board is None:
        return "no Raspberry Pi"
    found = Board(tuple(board["now"]), tuple(board["since_boot"]), board["celsius"])
    heat = "" if found.celsius is None else f"{found.celsius:.0f} °C; "
    now = "; ".join(found.complaints().values()) or "nothing to complain of"
    return f"{heat}{now}; since the start: {', '.join(found.since_boot) or 'nothing'}"


def _wear(process: Mapping[str, Any] | None) -> str:
    if not process or process["written_bytes_a_scan"] is None:
        return "-"
    return f"{process['written_bytes_a_scan'] / 1000:.1f} kB written a scan, over {process['answered']} scans"


def _paragraph(title: str, sentences: Sequence[str]) -> Iterator[str]:
    for i, sentence in enumerate(sentences or ["-"]):
        yield _line("" if i else title, sentence)


def _line(title: str, text: str) -> str:
    return f"{title:<{_INDENT}}{text}".rstrip()
