"""What may be written into the ledger: the events of one transaction.

A crash may come between a commit and its acknowledgement, so everything here can be said twice: a content that has a
state is not made pending again, one that has a final state keeps it until another answer is asked for, and a name that
showed the same content last is no new sighting.
"""

import sqlite3
from collections.abc import Mapping
from typing import cast

from oct_edge.ledger.chain import Event, Head
from oct_edge.ledger.checkpoint import checkpoint_at, first_checkpoint, last_checkpoint
from oct_edge.ledger.query import matching
from oct_edge.ledger.request import Request
from oct_edge.ledger.schema import FINAL, State
from oct_edge.result import ModelIdentity, Result, readable, utc_now

EXPORTED, HELD, LOOKED = "exported", "held", "looked"  # marks
_OF_A_SCAN = "FROM events WHERE kind <> 'sighting' AND scan = ?"
LAST_KIND = f"SELECT kind, name {_OF_A_SCAN} ORDER BY seq DESC LIMIT 1"
LAST_STATE = f"SELECT kind, name {_OF_A_SCAN} AND kind <> 'regrade' ORDER BY seq DESC LIMIT 1"
LAST_SIGHTING = "SELECT scan FROM events WHERE kind = 'sighting' AND name = ? ORDER BY seq DESC LIMIT 1"
MARK = "SELECT seq FROM marks WHERE name = ?"
KNOWN = "SELECT state FROM known WHERE scan = ?"


class Batch:
    """Events after `head`, which moves with each of them."""

    def __init__(self, connection: sqlite3.Connection, head: Head) -> None:
        self.head = head
        self._connection = connection

    def state(self, scan: str) -> State | None:
        """The last state of a content, None if it was never taken."""
        row = self._one(LAST_STATE, scan) or self._one(KNOWN, scan)
        return cast("State", row[0]) if row else None

    def answered_as(self, scan: str) -> str | None:
        """What the content was called when it was answered: another answer takes the place of that one."""
        last = self._one(LAST_STATE, scan)
        return cast("str", last[1]) if last and last[0] in FINAL else None

    def is_due(self, scan: str) -> bool:
        """Whether the content is to be graded: it has no answer, or another one was asked for."""
        last = self._one(LAST_KIND, scan)
        return self.state(scan) not in FINAL or (last is not None and last[0] == "regrade")

    def sighted(self, scan: str, name: str) -> bool:
        """The content was met under this name; whether that is new."""
        last = self._one(LAST_SIGHTING, readable(name))
        new = last != (scan,) if last else not self._was_sighted(scan, name)
        if new:
            self._append("sighting", scan, None, name)
        return new

    def taken(self, scan: str, model: str, name: str) -> State:
        """The state of the content, `pending` from now on if it had none."""
        state = self.state(scan)
        if state is None:
            self._append("pending", scan, model, name)
        return state or "pending"

    def answered(self, result: Result) -> None:
        """The content has a result, unless it had one and nobody asked for another."""
        scan = str(result.source.sha256)
        if self.is_due(scan):
            held = self._one(LAST_STATE, scan)
            self._append(result.status, scan, result.model.sha256, result.source.name, result.to_json())
            if held is None or held[0] not in FINAL:
                self._count(1)

    def asked(self, request: Request, model: str) -> int:
        """Another answer is asked for to the contents of the request; to how many. Nothing if that was said before."""
        body = request.mark()
        if self._one("SELECT 1 FROM events WHERE kind = 'regrade' AND body = ?", body):
            return 0
        contents = matching(self._connection, request.query, model, request.also_same)
        for scan, name, _ in contents:
            self._append("regrade", scan, model, name, body)
        return len(contents)

    def exported(self) -> None:
        """Every result written so far is a file."""
        self._mark(EXPORTED, self.head.seq)

    def looked(self) -> None:
        """Every content that waits for another answer was looked for in the whole inbox."""
        self._mark(LOOKED, self.head.seq)

    def served_by(self, model: ModelIdentity) -> None:
        """This model answers from now on."""
        self._connection.execute("REPLACE INTO serving VALUES (1, ?, ?)", (model.sha256, model.name))

    def forgotten(self, until: int) -> None:
        """The events up to this one are removed; of contents without a later state, digest and state are kept."""
        if until <= last_checkpoint(self._connection).seq:
            return
        leaving = dict(self._connection.execute("SELECT scan, state FROM scans WHERE seq <= ?", (until,)))
        checkpoint = checkpoint_at(self._connection, until, leaving)
        self._append("checkpoint", "", None, "", checkpoint.to_json())
        self._connection.executemany("REPLACE INTO known VALUES (?, ?)", leaving.items())
        self._connection.execute("DELETE FROM events WHERE seq <= ?", (until,))
        self._count(-sum(state in FINAL for state in leaving.values()))

    def took_over(self, known: Mapping[str, str]) -> None:
        """This ledger, which has no events yet, replaces one that knew these states of contents."""
        self._connection.executemany("INSERT INTO known VALUES (?, ?)", known.items())
        self._append("checkpoint", "", None, "", first_checkpoint(known).to_json())

    def _was_sighted(self, scan: str, name: str) -> bool:
        """Whether a sighting would say what was said before retention removed it."""
        last = self._one(LAST_STATE, scan)
        return last[1] == readable(name) if last else self._one(KNOWN, scan) is not None

    def _one(self, query: str, value: str) -> tuple | None:
        return cast("tuple | None", self._connection.execute(query, (value,)).fetchone())

    def _mark(self, name: str, value: int) -> None:
        self._connection.execute("REPLACE INTO marks VALUES (?, ?)", (name, value))

    def _count(self, more: int) -> None:
        """So many more contents have an answer among the events."""
        held = self._one(MARK, HELD)
        self._mark(HELD, (held[0] if held else 0) + more)

    def _append(self, kind: str, scan: str, model: str | None, name: str, body: str | None = None) -> None:
        event = Event(self.head.seq + 1, utc_now(), kind, scan, model, readable(name), body, self.head.hash)
        row = event.row()
        self._connection.execute(f"INSERT INTO events VALUES ({', '.join('?' * len(row))})", row)
        self.head = Head(event.seq, event.hash)
