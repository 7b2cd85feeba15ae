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

from oct_edge.errors import ChainBroken, LedgerDamaged, LedgerNotFound
from oct_edge.ledger.batch import LOOKED
from oct_edge.ledger.chain import COLUMNS, Head, verify
from oct_edge.ledger.checkpoint import Checkpoint, last_checkpoint, verify_known
from oct_edge.ledger.connection import connect_to_read, explained, version
from oct_edge.ledger.query import SEEN, SIGHTINGS, UNSEEN, WAITING, Query, matching
from oct_edge.ledger.recovery import kept_aside, suspect
from oct_edge.ledger.schema import FINAL, VERSION
from oct_edge.ledger.store import LEDGER, LOCK
from oct_edge.ledger.tally import Tally

_FORGOTTEN = "SELECT count(*) FROM known WHERE scan NOT IN (SELECT scan FROM scans)"
# What schema 1 has not, so that a ledger can be asked before the service of this release has brought it up to date.
_STAND_INS = """
CREATE TEMP TABLE IF NOT EXISTS known (scan TEXT, state TEXT);
CREATE TEMP TABLE IF NOT EXISTS serving (model TEXT, name TEXT);
"""
COUNTS = """
SELECT state, json_extract(body, '$.label'), json_extract(body, '$.referral.group'), count(*)
FROM scans GROUP BY 1, 2, 3
"""
LAST_ANSWER = f"SELECT time FROM events WHERE kind IN {FINAL} ORDER BY seq DESC LIMIT 1"
LATEST = "SELECT model, body FROM events WHERE kind = 'classified' ORDER BY seq DESC LIMIT ?"


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
        """The end of the chain, all of whose links hold from the last checkpoint on.

        Raises:
            ChainBroken: one does not, no event has the digest `expect`, or what the checkpoint covers was altered.
        """
        try:
            head = verify(self.events(), self.checkpoint().head, expect)
            verify_known(self._connection)
        except ChainBroken as error:
            raise ChainBroken(f"{self._folder / LEDGER}: {error.message}") from error
        return head

    def checkpoint(self) -> Checkpoint:
        return last_checkpoint(self._connection)

    def sightings(self, query: Query) -> Iterator[Sighting]:
        """Every sighting that fits, in the order they were written down."""
        conditions = query.conditions()
        where = "".join(f" AND {condition}" for condition in conditions)
        for source in (UNSEEN, SEEN) if self.checkpoint().seq else (SEEN,):
            asked = f"{SIGHTINGS.format(source)}{where} ORDER BY seen.seq"
            for seen, name, scan, state, body, shows in self._connection.execute(asked, tuple(conditions.values())):
                superseded_by = shows if shows != scan else None
                yield Sighting(seen, name, scan, state, superseded_by, body and json.loads(body))

    def to_regrade(self, query: Query, also_same: bool) -> Counter[str]:
        """How many contents a request would find now, by the model that answered them."""
        found = matching(self._connection, query, (self.serving() or {}).get("sha256", ""), also_same)
        return Counter(model for _, _, model in found)

    def serving(self) -> dict[str, str] | None:
        """The model of the process that watches, or watched last."""
        row = self._connection.execute("SELECT name, model FROM serving").fetchone()
        return {"name": row[0], "sha256": row[1]} if row else None

    def watched_by(self) -> int | None:
        """The process that writes the ledger."""
        return holder(self._folder / LOCK)

    def status(self) -> dict[str, Any]:
        """Counts by state, class and referral, the last answer, what waits, what was removed, and who watches."""
        states, classes, referrals = Counter[str](), Counter[str](), Counter[str]()
        for state, label, group, count in self._connection.execute(COUNTS):
            states[state] += count
            if state == "classified":
                classes[label] += count
                referrals[group] += count
        head = self._connection.execute("SELECT seq, hash FROM events ORDER BY seq DESC LIMIT 1").fetchone()
        return {
            "ledger": str(self._folder / LEDGER),
            "watched_by": self.watched_by(),
            "model": self.serving(),
            "last_answer": self._one(LAST_ANSWER),
            "states": dict(sorted(states.items())),
            "classes": dict(sorted(classes.items())),
            "referrals": dict(sorted(referrals.items())),
            "to_regrade": self._waiting(),
            "forgotten": self._one(_FORGOTTEN),
            "removed": self.checkpoint().seq,
            "damaged": kept_aside(self._folder),
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

    def _waiting(self) -> dict[str, int]:
        """Contents that wait for another answer, those that are not in the inbox apart."""
        looked = self._one(f"SELECT seq FROM marks WHERE name = '{LOOKED}'") or 0
        asked = [seq for _, seq in self._connection.execute(WAITING)]
        return {"waiting": sum(seq > looked for seq in asked), "unavailable": sum(seq <= looked for seq in asked)}

    def _one(self, query: str) -> Any:
        row = self._connection.execute(query).fetchone()
        return row[0] if row else None


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
    try:
        with explained(path), closing(connect_to_read(path)) as connection:
            if version(connection, path) < VERSION:
                connection.executescript(_STAND_INS)
            connection.execute("BEGIN")  # one state for all questions
            yield Reader(connection, folder)
    except LedgerDamaged:
        suspect(path)
        raise


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
