"""Questions to the ledger, also while a daemon writes it: nothing here can change it or hold the writer up."""

import json
import os
import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from oct_edge.errors import ChainBroken, LedgerNotFound
from oct_edge.ledger.chain import COLUMNS, Head, verify
from oct_edge.ledger.connection import connect_to_read, explained, version
from oct_edge.ledger.schema import FINAL
from oct_edge.ledger.store import LEDGER, LOCK
from oct_edge.ledger.tally import Tally

SIGHTINGS = """
SELECT seen.time, seen.name, seen.scan, last.state, last.body,
    (SELECT scan FROM events WHERE kind = 'sighting' AND name = seen.name ORDER BY seq DESC LIMIT 1) AS shows
FROM events AS seen LEFT JOIN scans AS last ON last.scan = seen.scan
WHERE seen.kind = 'sighting'
"""
COUNTS = """
SELECT state, json_extract(body, '$.label'), json_extract(body, '$.referral.group'), count(*)
FROM scans GROUP BY 1, 2, 3
"""
LAST_ANSWER = f"SELECT time FROM events WHERE kind IN {FINAL} ORDER BY seq DESC LIMIT 1"
LATEST = "SELECT model, body FROM events WHERE kind = 'classified' ORDER BY seq DESC LIMIT ?"


@dataclass(frozen=True)
class Query:
    """What to look for; everything that is given has to fit. Times are beginnings of `2026-11-23T10:11:12Z`, in UTC."""

    since: str | None = None
    until: str | None = None
    state: str | None = None
    label: str | None = None
    referral: str | None = None
    name: str | None = None

    def conditions(self) -> dict[str, str]:
        """SQL conditions with one place for a value each, and their values."""
        given = {
            "seen.time >= ?": self.since,
            "seen.time < ? || '~'": self.until,  # a character behind every other: the whole day, hour or minute
            "last.state = ?": self.state,
            "json_extract(last.body, '$.label') = ?": self.label,
            "json_extract(last.body, '$.referral.group') = ?": self.referral,
            "seen.name GLOB ?": self.name,
        }
        return {condition: value for condition, value in given.items() if value is not None}


@dataclass(frozen=True)
class Sighting:
    """A content that was met under a name. `superseded_by` is the content that the name showed last, if another."""

    seen: str
    name: str
    sha256: str
    state: str
    superseded_by: str | None
    result: dict[str, Any] | None


@dataclass(frozen=True)
class Answer:
    """What the model with this digest answered, and how sure it was."""

    model: str
    label: str
    confidence: float


class Reader:
    """The ledger in `folder`, read-only."""

    def __init__(self, connection: sqlite3.Connection, folder: Path) -> None:
        self._connection = connection
        self._folder = folder

    def events(self, after: int = 0, count: int = -1) -> Iterator[tuple]:
        """Rows behind the event `after`, at most `count` if that is given, in the order of `COLUMNS`."""
        query = f"SELECT {', '.join(COLUMNS)} FROM events WHERE seq > ? ORDER BY seq LIMIT ?"
        return self._connection.execute(query, (after, count))

    def verify(self, expect: str | None = None) -> Head:
        """The end of the chain, all of whose links hold.

        Raises:
            ChainBroken: one does not, or no event has the digest `expect`.
        """
        try:
            return verify(self.events(), expect=expect)
        except ChainBroken as error:
            raise ChainBroken(f"{self._folder / LEDGER}: {error.message}") from error

    def sightings(self, query: Query) -> Iterator[Sighting]:
        """Every sighting that fits, in the order they were written down."""
        conditions = query.conditions()
        where = "".join(f" AND {condition}" for condition in conditions)
        rows = self._connection.execute(f"{SIGHTINGS}{where} ORDER BY seen.seq", tuple(conditions.values()))
        for seen, name, scan, state, body, shows in rows:
            yield Sighting(seen, name, scan, state, shows if shows != scan else None, body and json.loads(body))

    def status(self) -> dict[str, Any]:
        """Counts by state, class and referral, the last answer, and who watches."""
        states, classes, referrals = Counter[str](), Counter[str](), Counter[str]()
        for state, label, group, count in self._connection.execute(COUNTS):
            states[state] += count
            if state == "classified":
                classes[label] += count
                referrals[group] += count
        last = self._connection.execute(LAST_ANSWER).fetchone()
        head = self._connection.execute("SELECT seq, hash FROM events ORDER BY seq DESC LIMIT 1").fetchone()
        return {
            "ledger": str(self._folder / LEDGER),
            "watched_by": holder(self._folder / LOCK),
            "last_answer": last and last[0],
            "states": dict(sorted(states.items())),
            "classes": dict(sorted(classes.items())),
            "referrals": dict(sorted(referrals.items())),
            "events": head[0] if head else Head().seq,
            "head": head[1] if head else Head().hash,
        }

    def latest(self, limit: int) -> list[Answer]:
        """The latest classified answers, the last one first."""
        rows = self._connection.execute(LATEST, (limit,)).fetchall()
        results = ((model, json.loads(body)) for model, body in rows)
        return [Answer(model, found["label"], found["probabilities"][found["label"]]) for model, found in results]

    def tally(self, known: Tally) -> Tally:
        """The count of answers, `known` up to some event, brought up to the last one."""
        return known.brought_up(self._connection)


@contextmanager
def reading(folder: Path) -> Iterator[Reader]:
    """The ledger in `folder`, as it is now.

    Raises:
        LedgerNotFound: there is none.
        LedgerError: it is damaged, or of a later release.
        OutputUnavailable: it cannot be read.
    """
    path = folder / LEDGER
    if not path.exists():
        raise LedgerNotFound(f"{path}: there is no ledger.")
    with explained(path), closing(connect_to_read(path)) as connection:
        version(connection, path)
        connection.execute("BEGIN")  # one state for all questions
        yield Reader(connection, folder)


def holder(lock: Path) -> int | None:
    """The process that holds a lock file, without trying to take it."""
    try:
        status = lock.stat()
        locks = Path("/proc/locks").read_text()
    except OSError:
        return None
    place = f"{os.major(status.st_dev):02x}:{os.minor(status.st_dev):02x}:{status.st_ino}"
    held = (line.split() for line in locks.splitlines())
    return next((int(words[4]) for words in held if "FLOCK" in words and place in words), None)
