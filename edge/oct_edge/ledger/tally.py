"""How many answers were given, of each state and class: counted once, and from then on only what is new.

A count carries the event that it goes up to, by number and digest. So it can be kept anywhere, also where it may get
lost or be exchanged with that of another ledger: what does not fit is counted anew.
"""

import sqlite3
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from oct_edge.ledger.chain import GENESIS
from oct_edge.ledger.schema import FINAL

_NO_CLASS = ""
_SINCE = f"""
SELECT kind, coalesce(json_extract(body, '$.label'), '{_NO_CLASS}'), count(*), max(seq), time FROM events
WHERE seq > ? AND kind IN {FINAL} GROUP BY 1, 2
"""


@dataclass(frozen=True)
class Tally:
    """Answers by state and class (empty where there is none) up to the event `seq`, the latest of them at `last`."""

    seq: int = 0
    hash: str = GENESIS
    answers: Mapping[tuple[str, str], int] = field(default_factory=dict)
    last: str | None = None

    def to_json(self) -> dict[str, Any]:
        counts = [[state, label, count] for (state, label), count in sorted(self.answers.items())]
        return {"seq": self.seq, "hash": self.hash, "answers": counts, "last": self.last}

    @classmethod
    def from_json(cls, found: Any) -> "Tally":
        """What `to_json` gave; a count from nothing for anything else."""
        with suppress(LookupError, TypeError, ValueError, AttributeError):
            counts = {(str(state), str(label)): int(count) for state, label, count in found["answers"]}
            return cls(int(found["seq"]), str(found["hash"]), counts, found["last"])
        return cls()

    def brought_up(self, connection: sqlite3.Connection) -> "Tally":
        """The same with what was added to the ledger since; to be asked within one transaction."""
        known = self if self._is_of(connection) else Tally()
        head = connection.execute("SELECT seq, hash FROM events ORDER BY seq DESC LIMIT 1").fetchone()
        if not head or head[0] == known.seq:
            return known
        rows = connection.execute(_SINCE, (known.seq,)).fetchall()
        answers = Counter(known.answers)
        answers.update({(state, label): count for state, label, count, _, _ in rows})
        last = max(rows, key=lambda row: row[3])[4] if rows else known.last
        return Tally(head[0], head[1], dict(answers), last)

    def _is_of(self, connection: sqlite3.Connection) -> bool:
        """Whether the ledger has the event; it may also have been removed together with all before it."""
        found = connection.execute("SELECT hash FROM events WHERE seq = ?", (self.seq,)).fetchone()
        first = connection.execute("SELECT min(seq) FROM events").fetchone()[0]
        return found == (self.hash,) or (not found and first is not None and 0 < self.seq < first)
