"""The one table of the ledger, and what may be derived from it.

An event is a `sighting` (a content was met under a name) or one of the four states of a content. Nothing is updated or
deleted, which triggers hold even against a shell: the state of a scan is the last of its events that is no sighting.
`marks` is bookkeeping and no evidence: how far results were exported.

Two partial indexes make intake independent of the ledger's age: one finds the last state of a content, the other
what a name showed last.
"""

from typing import Literal, get_args

APPLICATION = 0x4F435445  # "OCTE", in the header of the file
VERSION = 1

State = Literal["pending", "classified", "ungradable", "rejected"]
STATES: tuple[State, ...] = get_args(State)
FINAL: tuple[State, ...] = ("classified", "ungradable", "rejected")

DEFINITION = f"""
CREATE TABLE events (
    seq INTEGER PRIMARY KEY,
    time TEXT NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN {("sighting", *STATES)}),
    scan TEXT NOT NULL,
    model TEXT,
    name TEXT NOT NULL,
    body TEXT,
    previous TEXT NOT NULL,
    hash TEXT NOT NULL
) STRICT;

CREATE INDEX states_of_a_scan ON events (scan, seq) WHERE kind <> 'sighting';
CREATE INDEX sightings_of_a_name ON events (name, seq) WHERE kind = 'sighting';

CREATE TRIGGER events_have_no_gap BEFORE INSERT ON events
WHEN NEW.seq IS NOT (SELECT coalesce(max(seq), 0) + 1 FROM events)
BEGIN SELECT raise(ABORT, 'events are only added at the end'); END;
CREATE TRIGGER events_are_not_changed BEFORE UPDATE ON events
BEGIN SELECT raise(ABORT, 'events are never changed'); END;
CREATE TRIGGER events_are_not_deleted BEFORE DELETE ON events
BEGIN SELECT raise(ABORT, 'events are never deleted'); END;

CREATE VIEW scans AS
SELECT scan, kind AS state, time, model, name, body, seq FROM events AS last
WHERE kind <> 'sighting' AND NOT EXISTS (
    SELECT 1 FROM events AS later WHERE later.kind <> 'sighting' AND later.scan = last.scan AND later.seq > last.seq
);

CREATE TABLE marks (name TEXT PRIMARY KEY, seq INTEGER NOT NULL) STRICT;

PRAGMA application_id = {APPLICATION};
PRAGMA user_version = {VERSION};
"""
