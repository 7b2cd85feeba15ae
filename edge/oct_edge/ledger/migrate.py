"""From the schema of an earlier release to this one, in place and in one transaction: a crash leaves either of them.

The events are copied as they are, so the chain and every digest that was noted stay valid.
"""

import sqlite3
from contextlib import suppress

from oct_edge.ledger.batch import HELD
from oct_edge.ledger.schema import DERIVED, EVENTS, FINAL, VERSION

# Schema 1 checked the kinds in the table itself, so that a new kind needs a new table; now a trigger does.
_FROM_1 = f"""
BEGIN IMMEDIATE;
DROP VIEW scans;
DROP TRIGGER events_have_no_gap;
DROP TRIGGER events_are_not_changed;
DROP TRIGGER events_are_not_deleted;
DROP INDEX states_of_a_scan;
DROP INDEX sightings_of_a_name;
ALTER TABLE events RENAME TO events_1;
{EVENTS}
INSERT INTO events SELECT * FROM events_1 ORDER BY seq;
DROP TABLE events_1;
{DERIVED}
INSERT INTO marks SELECT '{HELD}', count(*) FROM scans WHERE state IN {FINAL};
PRAGMA user_version = {VERSION};
COMMIT;
"""


def migrate(connection: sqlite3.Connection, found: int) -> None:
    """Bring a ledger of schema `found` up to date, and let it give back room, if the disk has some to do so."""
    if found == VERSION:
        return
    connection.executescript(_FROM_1)
    with suppress(sqlite3.OperationalError):
        connection.executescript("PRAGMA auto_vacuum = INCREMENTAL; VACUUM;")
