"""Where the chain begins once retention has removed its first events.

A checkpoint is an event. Its body keeps number and digest of the last event that was removed, so that the chain still
verifies, and the SHA-256 of what is known of removed contents: one line `<scan> <state>` each, sorted. Contents are
known for ever, since one that is not in the inbox today may be on a share that is away, or be copied there again, and
must not be answered a second time.
"""

import hashlib
import json
import sqlite3
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from heapq import merge

from oct_edge.errors import ChainBroken
from oct_edge.ledger.chain import GENESIS, Head

_LAST = "SELECT body FROM events WHERE kind = 'checkpoint' ORDER BY seq DESC LIMIT 1"
_KNOWN = "SELECT scan, state FROM known ORDER BY scan"


@dataclass(frozen=True)
class Checkpoint:
    """The last event that was removed, and how many contents are `known` with which `digest`."""

    seq: int = 0
    hash: str = GENESIS
    known: int = 0
    digest: str = hashlib.sha256().hexdigest()

    @property
    def head(self) -> Head:
        return Head(self.seq, self.hash)

    def to_json(self) -> str:
        return json.dumps(asdict(self))


def last_checkpoint(connection: sqlite3.Connection) -> Checkpoint:
    """The last one, or the one that every chain begins with.

    Raises:
        ChainBroken: it does not say what a checkpoint says.
    """
    row = connection.execute(_LAST).fetchone()
    try:
        return Checkpoint(**json.loads(row[0])) if row else Checkpoint()
    except (TypeError, ValueError) as error:
        raise ChainBroken("the last checkpoint was altered.") from error


def checkpoint_at(connection: sqlite3.Connection, until: int, leaving: Mapping[str, str]) -> Checkpoint:
    """The checkpoint that the events up to `until` leave behind, with the states of contents that `leaving` adds."""
    (digest,) = connection.execute("SELECT hash FROM events WHERE seq = ?", (until,)).fetchone()
    kept = (row for row in connection.execute(_KNOWN) if row[0] not in leaving)
    return Checkpoint(until, digest, *_counted(merge(kept, sorted(leaving.items()))))


def first_checkpoint(known: Mapping[str, str]) -> Checkpoint:
    """The checkpoint that a ledger begins with which takes over what another one knew."""
    known_count, digest = _counted(sorted(known.items()))
    return Checkpoint(known=known_count, digest=digest)


def verified_known(connection: sqlite3.Connection) -> dict[str, str]:
    """What is known of removed contents.

    Raises:
        ChainBroken: it was altered.
    """
    verify_known(connection)
    return dict(connection.execute(_KNOWN))


def verify_known(connection: sqlite3.Connection) -> None:
    """Hold what is known of removed contents against the last checkpoint.

    Raises:
        ChainBroken: it was altered.
    """
    last = last_checkpoint(connection)
    if _counted(connection.execute(_KNOWN)) != (last.known, last.digest):
        raise ChainBroken(f"what is known of the contents of events up to {last.seq} was altered.")


def _counted(rows: Iterable[tuple[str, str]]) -> tuple[int, str]:
    digest, count = hashlib.sha256(), 0
    for scan, state in rows:
        digest.update(f"{scan} {state}\n".encode())
        count += 1
    return count, digest.hexdigest()
