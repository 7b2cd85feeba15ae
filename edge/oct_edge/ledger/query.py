"""Which sightings and contents are asked for, as SQL: for those who look, and for those who want another answer."""

import sqlite3
from dataclasses import dataclass

from oct_edge.ledger.schema import FINAL

SEEN = "FROM events AS seen LEFT JOIN scans AS last ON last.scan = seen.scan WHERE seen.kind = 'sighting'"
# Retention may remove a sighting whose content was answered again since: the answer then stands in for it.
UNSEEN = """FROM events AS seen JOIN scans AS last ON last.seq = seen.seq
    WHERE seen.scan NOT IN (SELECT scan FROM events WHERE kind = 'sighting')"""
SIGHTINGS = """
SELECT seen.time, seen.name, seen.scan,
    coalesce(last.state, (SELECT state FROM known WHERE scan = seen.scan)), last.body,
    (SELECT scan FROM events WHERE kind = 'sighting' AND name = seen.name ORDER BY seq DESC LIMIT 1) AS shows
{}
"""
WAITING = """
SELECT scan, seq FROM events AS asked WHERE kind = 'regrade' AND NOT EXISTS (
    SELECT 1 FROM events AS later WHERE later.kind <> 'sighting' AND later.scan = asked.scan AND later.seq > asked.seq
)
"""
_LEFT_TO_ASK = f"""last.state IN {FINAL} AND (? OR last.model IS NOT ?) AND NOT EXISTS (
    SELECT 1 FROM events AS later WHERE later.kind <> 'sighting' AND later.scan = last.scan AND later.seq > last.seq)"""


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


def matching(connection: sqlite3.Connection, query: Query, model: str, also_same: bool) -> list[tuple[str, str, str]]:
    """Contents with an answer of another model (or of this one too), with its name and that model.

    Those that wait for another answer already are left out.
    """
    conditions = query.conditions()
    given = " AND ".join([_LEFT_TO_ASK, *conditions])
    parts = (f"SELECT last.seq, last.scan, last.name, last.model {source} AND {given}" for source in (SEEN, UNSEEN))
    values = (also_same, model, *conditions.values())
    rows = connection.execute(f"{' UNION '.join(parts)} ORDER BY 1", values * 2)
    return [tuple(row[1:]) for row in rows]
