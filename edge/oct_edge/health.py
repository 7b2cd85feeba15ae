"""How the daemon is: why it does less than it should, since when, and how much it did, in `health.json`.

A reason has a stable code and holds from `degrade` to `recover`. Those that there are:

    inbox_missing       the watched folder cannot be listed: a share is not mounted, a stick was pulled out
    output_missing      the folder of results cannot be written to
    disk_full           a disk has no room for the ledger or for results; no scan is taken until it has
    events_unavailable  the kernel tells of no new files; the folder is listed in intervals, which always works
    worker_failing      the process that grades died or hung several times without an answer in between
    clock_unsynced      the time of day is not to be relied on: never set since the start, or it jumped
    undervoltage        the power supply of the board gives too little
    throttled           the board runs slower, to stay cool or for want of power
    metrics_unwritable  the file for monitoring cannot be written

The file is for whoever asks (`oct-edge status`), not for the daemon: it begins anew with each start. It is renamed into
place and not synced; on a full disk, which takes no new file, the old one is overwritten. That it cannot be written is
nobody's failure. It is written when a reason comes or goes and otherwise seldom, since the card it lies on wears out.
"""

import json
import logging
import math
import os
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from time import monotonic
from types import MappingProxyType
from typing import Any

from oct_edge.files import PARTIAL
from oct_edge.result import utc_now

log = logging.getLogger("oct_edge.health")

SCHEMA = "oct-edge/health@1"
HEALTH = "health.json"
HINTS: Mapping[str, str] = {
    "inbox_missing": "Mount the disk or share again; what was answered is known by content and not answered twice.",
    "output_missing": "Create the folder of results again, or let the service write to it.",
    "disk_full": "Free some space; it goes on by itself, and nothing is lost meanwhile.",
    "events_unavailable": "Nothing has to be done; new scans are found a little later.",
    "worker_failing": "Run `oct-edge models --check`, and see whether the device has memory left.",
    "clock_unsynced": "Let the device reach a time server, or fit a clock module; order and contents stay right.",
    "undervoltage": "Use the power supply that was made for this board, with a short cable.",
    "throttled": "Cool the board, and use the power supply that was made for it; answers stay right, and come later.",
    "metrics_unwritable": "Create its folder, or let the service write there (a drop-in with `ReadWritePaths=`).",
}
_SELDOM = 30.0  # seconds between two writes where no reason came or went
_SOON = 1.0  # where one did: a reason that flickers does not wear the card out


@dataclass(frozen=True)
class Degradation:
    """Why the daemon does less than it should. `since` is a time of day, in UTC; `message` names no scan."""

    message: str
    since: str


class Health:
    """The reasons that hold, counters and facts of the process that watches; kept in `folder`.

    `facts` is what else is to be seen, JSON-ready. `clock` gives seconds that never go back, `now` the time of day.
    """

    def __init__(self, folder: Path, clock: Callable[[], float] = monotonic, now: Callable[[], str] = utc_now) -> None:
        self.counters: Counter[str] = Counter()
        self.facts: dict[str, Any] = {}
        self._path = folder / HEALTH
        self._clock, self._now = clock, now
        self._started = now()
        self._reasons: dict[str, Degradation] = {}
        self._changed = False  # by a reason, since it was written
        self._written = -math.inf
        self._content = ""

    @property
    def reasons(self) -> Mapping[str, Degradation]:
        """What holds now, by code."""
        return MappingProxyType(self._reasons)

    def degrade(self, code: str, message: str) -> None:
        """The reason holds, from now on or still. It is logged when it comes."""
        known = self._reasons.get(code)
        self._reasons[code] = Degradation(message, known.since if known else self._now())
        if known is None:
            log.warning("degraded (%s): %s", code, message, extra={"kind": code})
            self._changed = True
            self.keep()

    def recover(self, code: str) -> None:
        """The reason holds no longer, if it did."""
        if self._reasons.pop(code, None):
            log.info("recovered (%s)", code, extra={"kind": code})
            self._changed = True
            self.keep()

    def keep(self) -> None:
        """Write what is new if it is time to; to be called as often as one likes."""
        if self._clock() - self._written >= (_SOON if self._changed else _SELDOM):
            self.close()

    def close(self) -> None:
        """Write what is new, whatever the time."""
        self._written = self._clock()
        self._changed = False
        content = json.dumps(self._document())
        if content != self._content:
            with suppress(OSError):
                _replace(self._path, content.encode())
                self._content = content

    def _document(self) -> dict[str, Any]:
        return {
            "schema": SCHEMA,
            "pid": os.getpid(),
            "started": self._started,
            "reasons": {code: asdict(degradation) for code, degradation in self._reasons.items()},
            "counters": dict(self.counters),
            **self.facts,
        }


def read_health(folder: Path) -> dict[str, Any]:
    """What the daemon of this state folder wrote last; nothing where it wrote nothing that can be read."""
    with suppress(OSError, ValueError):
        found = json.loads((folder / HEALTH).read_bytes())
        if isinstance(found, dict) and found.get("schema") == SCHEMA:
            return found
    return {}


def _replace(path: Path, content: bytes) -> None:
    partial = path.with_name(f".{path.name}{PARTIAL}")
    try:
        partial.write_bytes(content)
        partial.replace(path)
    except OSError:
        with suppress(OSError):
            partial.unlink()
        with path.open("r+b") as file:
            file.write(content)
            file.truncate()
