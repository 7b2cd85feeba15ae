"""Whether a card kept what was promised: the invariants of the watched folder, on the files that a power cut left.

`as_left` looks at a mounted card before anything ran on it, `after_catching_up` lets the daemon of this machine go on
where that of the guest was cut off. Each returns what is wrong, one sentence a fault, and nothing when all is well.
"""

import hashlib
import json
import sqlite3
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import jsonschema

from oct_edge.files import PARTIAL
from oct_edge.ledger.schema import FINAL
from oct_edge.ledger.store import LEDGER
from oct_edge.result import json_schema
from powercut.scans import content_of

_SCHEMA = jsonschema.Draft202012Validator(json_schema())
_PATIENCE = 300


@dataclass
class Known:
    """What the world knows of a card: the lines that were acknowledged, the scans that were synced, and the digest of
    the last event that was seen on it."""

    acknowledged: list[str] = field(default_factory=list)
    kept: set[str] = field(default_factory=set)
    head: str | None = None


class Event(NamedTuple):
    """What of a row of the ledger is looked at."""

    scan: str
    kind: str
    body: str | None
    hash: str


class Card:
    """A mounted card: `inbox`, `results` and `results.state`."""

    def __init__(self, folder: Path) -> None:
        self.inbox, self.results = folder / "inbox", folder / "results"
        self.state = folder / "results.state"

    def as_left(self, known: Known) -> Iterator[str]:
        """Notes the end of the chain in `known`, for the next time."""
        yield from self._acknowledged(known)
        yield from self._visible()
        yield from self._sources(known)
        faults = [*self._ledger(known)]
        yield from faults
        if not faults and (events := self._events()):
            known.head = events[-1].hash

    def after_catching_up(self, known: Known) -> Iterator[str]:
        done = _edge("watch", self.inbox, "--output", self.results, "--once", "--stable", "0.1", "--interval", "0.05")
        if done.returncode not in (0, 1):
            yield f"I5: the next start ended with {done.returncode}: {done.stderr.strip().splitlines()[-2:]}"
            return
        yield from self.settled(known, [*known.acknowledged, *done.stdout.splitlines()])

    def settled(self, known: Known, acknowledged: list[str]) -> Iterator[str]:
        """After the daemon has answered all that is there."""
        yield from self._each_once(acknowledged)
        yield from self._visible()
        yield from self._sources(known)
        yield from self._states(known)

    def gone(self, names: Iterable[str]) -> set[str]:
        """Those of these scans that are not there, or not whole."""
        return {name for name in names if _read(self.inbox / name) != content_of(name)}

    def _acknowledged(self, known: Known) -> Iterator[str]:
        """I2: each result that was acknowledged is still a file and an event."""
        files = Counter(path.read_text(encoding="utf-8", errors="replace") for path in self._files())
        events = {event.body for event in self._events() if event.kind in FINAL}
        for line in known.acknowledged:
            if (shown := files[f"{line}\n"]) != 1:
                yield f"I2: {name_in(line)} was acknowledged, and is in {shown} files"
            if line not in events:
                yield f"I2: {name_in(line)} was acknowledged, and is not in the ledger"

    def _each_once(self, acknowledged: list[str]) -> Iterator[str]:
        """I2: nothing is acknowledged twice, and what was is still a file."""
        counted = Counter(json.loads(line)["source"]["sha256"] for line in acknowledged)
        yield from (f"I2: {digest[:16]} was acknowledged {n} times" for digest, n in counted.items() if n > 1)
        files = {path.read_text(encoding="utf-8") for path in self._files()}
        yield from (f"I2: {name_in(line)} is no file any more" for line in acknowledged if f"{line}\n" not in files)

    def _visible(self) -> Iterator[str]:
        """I3: every file that can be seen is whole."""
        for path in self._files():
            try:
                _SCHEMA.validate(json.loads(path.read_text(encoding="utf-8")))
            except (ValueError, jsonschema.ValidationError) as error:
                yield f"I3: {path.name} ({path.stat().st_size} bytes) is no result: {str(error).splitlines()[0]}"
        for path in (self.state / "quarantine").glob("[!.]*"):
            try:
                json.loads(path.read_text(encoding="utf-8"))["code"]
            except (ValueError, LookupError):
                yield f"I3: {path.name} ({path.stat().st_size} bytes) is no note"

    def _sources(self, known: Known) -> Iterator[str]:
        """I4: scans that were there for ever are, to the last byte."""
        for name in sorted(known.kept):
            if _read(self.inbox / name) != content_of(name):
                yield f"I4: {name} was synced, and is not what it was"

    def _ledger(self, known: Known) -> Iterator[str]:
        """I1: the ledger is a whole database with a whole history, which only grew."""
        if not known.head and not self._has_tables():
            return  # it was cut off while it was made, and nothing was promised yet
        try:
            found = self._rows("PRAGMA integrity_check")
        except sqlite3.DatabaseError as error:
            found = [(error,)]
        yield from (f"I1: integrity_check: {row}" for (row,) in found if row != "ok")
        done = _edge("audit", "verify", "--state", self.state, *(("--expect", known.head) if known.head else ()))
        if done.returncode:
            yield f"I1: audit verify: {done.stderr.strip()}"

    def _has_tables(self) -> bool:
        try:
            return bool(self._rows("SELECT 1 FROM sqlite_schema"))
        except sqlite3.OperationalError:
            return False  # there is no file, or one that was never written

    def _states(self, known: Known) -> Iterator[str]:
        """I1: each distinct content has one state, which is final if it is still in the inbox, and one file."""
        yield from self._ledger(known)
        kinds: dict[str, Counter[str]] = {}
        for event in self._events():
            kinds.setdefault(event.scan, Counter())[event.kind] += 1
        present = {hashlib.sha256(data).hexdigest() for path in self.inbox.glob("[!.]*") if (data := path.read_bytes())}
        for digest in sorted(kinds.keys() | present):
            counted = kinds.get(digest, Counter())
            final = sum(counted[kind] for kind in FINAL)
            if counted["pending"] > 1 or final > 1 or (digest in present and not final):
                yield f"I1: content {digest[:16]} has the states {dict(counted)}"
        answered = {digest[:16] for digest, counted in kinds.items() if any(counted[kind] for kind in FINAL)}
        shown = Counter(path.name.split(".")[-2] for path in self._files())
        if shown != Counter(answered):
            yield f"I1: {len(answered)} contents are answered, {shown.total()} files say so"
        left = [path.name for path in self.results.iterdir() if path.name.endswith(PARTIAL)]
        yield from (f"I3: {name} is left over" for name in left)

    def _files(self) -> list[Path]:
        return sorted(self.results.glob("[!.]*"))

    def _events(self) -> list[Event]:
        """Everything in the ledger; nothing if there is none or it is damaged."""
        try:
            return [Event(*row) for row in self._rows("SELECT scan, kind, body, hash FROM events ORDER BY seq")]
        except sqlite3.DatabaseError:
            return []

    def _rows(self, query: str) -> list[tuple[Any, ...]]:
        with closing(sqlite3.connect(f"file:{self.state / LEDGER}?mode=ro", uri=True)) as connection:
            return connection.execute(query).fetchall()


def name_in(line: str) -> str:
    """What the scan of a result was called."""
    return str(json.loads(line)["source"]["name"])


def _edge(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "oct_edge.cli", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=_PATIENCE)


def _read(path: Path) -> bytes | None:
    return path.read_bytes() if path.is_file() else None
