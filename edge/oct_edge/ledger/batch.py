"""What may be written into the ledger: the events of one transaction.

A crash may come between a commit and its acknowledgement, so everything here can be said twice: a content that has a
state is not made pending again, one that has a final state keeps it, and a name that showed the same content last is no
new sighting.
"""

import sqlite3
from typing import cast

from oct_edge.ledger.chain import Event, Head
from oct_edge.ledger.schema import FINAL, State
from oct_edge.result import Result, readable, utc_now

EXPORTED = "exported"
LAST_STATE = "SELECT kind FROM events WHERE kind <> 'sighting' AND scan = ? ORDER BY seq DESC LIMIT 1"
LAST_SIGHTING = "SELECT scan FROM events WHERE kind = 'sighting' AND name = ? ORDER BY seq DESC LIMIT 1"


class Batch:
    """Events after `head`, which moves with each of them."""

    def __init__(self, connection: sqlite3.Connection, head: Head) -> None:
        self.head = head
        self._connection = connection

    def state(self, scan: str) -> State | None:
        """The last state of a content, None if it was never taken."""
        row = self._connection.execute(LAST_STATE, (scan,)).fetchone()
        return cast("State", row[0]) if row else None

    def sighted(self, scan: str, name: str) -> bool:
        """The content was met under this name; whether that is new."""
        last = self._connection.execute(LAST_SIGHTING, (readable(name),)).fetchone()
        new = last != (scan,)
        if new:
            self._append("sighting", scan, None, name)
        return bool(new)

    def taken(self, scan: str, model: str, name: str) -> State:
        """The state of the content, `pending` from now on if it had none."""
        state = self.state(scan)
        if state is None:
            self._append("pending", scan, model, name)
        return state or "pending"

    def answered(self, result: Result) -> None:
        """The content has a result."""
        scan = str(result.source.sha256)
        if self.state(scan) not in FINAL:
            self._append(result.status, scan, result.model.sha256, result.source.name, result.to_json())

    def exported(self) -> None:
        """Every result written so far is a file."""
        self._connection.execute("REPLACE INTO marks VALUES (?, ?)", (EXPORTED, self.head.seq))

    def _append(self, kind: str, scan: str, model: str | None, name: str, body: str | None = None) -> None:
        event = Event(self.head.seq + 1, utc_now(), kind, scan, model, readable(name), body, self.head.hash)
        row = event.row()
        self._connection.execute(f"INSERT INTO events VALUES ({', '.join('?' * len(row))})", row)
        self.head = Head(event.seq, event.hash)
