"""The tables of the ledger, and what may be derived from them.

An event is a `sighting` (a content was met under a name), one of the four states of a content, a `regrade` (another
answer to it was asked for), or a `checkpoint` (retention removed the events up to a number). Nothing is updated, and
nothing deleted that the last checkpoint does not cover, which triggers hold even against a shell. A checkpoint and its
deletes are one transaction, so that no covered event is ever left to be deleted later. The state of a content is the
last of its events that is a state. Of contents whose events were removed, `known` keeps digest and state.

`marks` (how far results were exported, how many contents have one, what was looked for) and `serving` (the model) are
bookkeeping and no evidence.

Indexes make intake independent of the ledger's age: one finds the last state of a content and counts states, another
what a name showed last; two hold only the rare kinds.
"""

from typing import Literal, get_args

APPLICATION = 0x4F435445  # "OCTE", in the header of the file
VERSION = 2

State = Literal["pending", "classified", "ungradable", "rejected"]
STATES: tuple[State, ...] = get_args(State)
FINAL: tuple[State, ...] = ("classified", "ungradable", "rejected")
KINDS = ("sighting", *STATES, "regrade", "checkpoint")

EVENTS = """
CREATE TABLE events (
    seq INTEGER PRIMARY KEY,
    time TEXT NOT NULL,
    kind TEXT NOT NULL,
    scan TEXT NOT NULL,
    model TEXT,
    name TEXT NOT NULL,
    body TEXT,
    previous TEXT NOT NULL,
    hash TEXT NOT NULL
) STRICT;
"""

_COVERED = """coalesce(
    (SELECT json_extract(body, '$.seq') FROM events WHERE kind = 'checkpoint' ORDER BY seq DESC LIMIT 1), 0)"""

DERIVED = f"""
CREATE INDEX states_of_a_scan ON events (scan, seq, kind) WHERE kind <> 'sighting';
CREATE INDEX sightings_of_a_name ON events (name, seq) WHERE kind = 'sighting';
CREATE INDEX checkpoints ON events (kind) WHERE kind = 'checkpoint';
CREATE INDEX requests ON events (body) WHERE kind = 'regrade';

CREATE TABLE known (scan TEXT PRIMARY KEY, state TEXT NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE serving (one INTEGER PRIMARY KEY CHECK (one = 1), model TEXT NOT NULL, name TEXT NOT NULL) STRICT;

CREATE TRIGGER events_are_of_a_kind BEFORE INSERT ON events WHEN NEW.kind NOT IN {KINDS}
BEGIN SELECT raise(ABORT, 'events are of a known kind'); END;
CREATE TRIGGER events_have_no_gap BEFORE INSERT ON events
WHEN NEW.seq IS NOT (SELECT coalesce(max(seq), 0) + 1 FROM events)
BEGIN SELECT raise(ABORT, 'events are only added at the end'); END;
CREATE TRIGGER events_are_not_changed BEFORE UPDATE ON events
BEGIN SELECT raise(ABORT, 'events are never changed'); END;
CREATE TRIGGER events_are_not_deleted BEFORE DELETE ON events WHEN OLD.seq > {_COVERED}
BEGIN SELECT raise(ABORT, 'events are never deleted without a checkpoint'); END;

CREATE TRIGGER known_comes_with_a_checkpoint BEFORE INSERT ON known
WHEN (SELECT min(seq) FROM events) > {_COVERED}
BEGIN SELECT raise(ABORT, 'known contents come with a checkpoint'); END;
CREATE TRIGGER known_is_not_changed BEFORE UPDATE ON known
BEGIN SELECT raise(ABORT, 'known contents are never changed'); END;
CREATE TRIGGER known_is_not_deleted BEFORE DELETE ON known
BEGIN SELECT raise(ABORT, 'known contents are never deleted'); END;

CREATE VIEW scans AS
SELECT scan, kind AS state, time, model, name, body, seq FROM events AS last
WHERE kind <> 'sighting' AND kind IN {STATES} AND NOT EXISTS (
    SELECT 1 FROM events AS later
    WHERE later.kind <> 'sighting' AND later.kind IN {STATES} AND later.scan = last.scan AND later.seq > last.seq
);
"""

DEFINITION = f"""
{EVENTS}
{DERIVED}
CREATE TABLE marks (name TEXT PRIMARY KEY, seq INTEGER NOT NULL) STRICT;

PRAGMA application_id = {APPLICATION};
PRAGMA user_version = {VERSION};
"""
