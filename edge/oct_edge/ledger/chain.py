"""Events as a chain: each carries the digest of itself and of the one before, so history cannot be altered unseen.

The digest is the SHA-256 of the event's fields, `hash` left out, as canonical JSON: ASCII, keys sorted, no spaces. The
first event follows `GENESIS`. A chain cannot show that its end was cut off, or that all of it was written anew: for
that, note the digest of the last event now and then, and have it looked for (`oct-edge audit verify --expect`).
"""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass, fields

from oct_edge.errors import ChainBroken

GENESIS = "0" * 64
_CANONICAL = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=True)


@dataclass(frozen=True)
class Event:
    """One row of the ledger. `body` is the result as printed, where there is one; `name` what the file was called."""

    seq: int
    time: str
    kind: str
    scan: str
    model: str | None
    name: str
    body: str | None
    previous: str

    @property
    def hash(self) -> str:
        return hashlib.sha256(_CANONICAL.encode(vars(self)).encode("ascii")).hexdigest()

    def row(self) -> tuple[object, ...]:
        return (*vars(self).values(), self.hash)


COLUMNS = (*(field.name for field in fields(Event)), "hash")


@dataclass(frozen=True)
class Head:
    """The end of a chain."""

    seq: int = 0
    hash: str = GENESIS


def verify(rows: Iterable[tuple], start: Head | None = None, expect: str | None = None) -> Head:
    """The end of a chain of rows in the order of `COLUMNS`; each must follow the one before, the first `start`.

    Raises:
        ChainBroken: naming the first event that does not fit, or saying that `expect` is the digest of none.
    """
    head = start or Head()
    begin = head.seq
    met = expect in (None, head.hash)
    for *values, digest in rows:
        event = Event(*values)
        if event.seq != head.seq + 1:
            raise ChainBroken(f"event {head.seq + 1} is missing.")
        if event.previous != head.hash:
            raise ChainBroken(f"event {event.seq} does not follow the event before it.")
        if event.hash != digest:
            raise ChainBroken(f"event {event.seq} was altered.")
        head = Head(event.seq, digest)
        met = met or digest == expect
    if not met:
        removed = f", or the event is one of the first {begin} that retention removed" if begin else ""
        raise ChainBroken(f"no event has the digest {expect}: the chain was cut or written anew{removed}.")
    return head
