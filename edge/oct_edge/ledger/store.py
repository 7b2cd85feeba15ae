"""The one writer of the ledger.

Events are written in batches, each one transaction: what a batch has written is acknowledged when the batch has ended
without an error, and not before. After a failed commit nothing more is written: whether the disk holds it is unknown,
and only a new start, which reads what is there, may tell.

"""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from oct_edge.errors import LedgerDamaged, LedgerError, OutputUnavailable
from oct_edge.ledger.batch import EXPORTED, HELD, LOOKED, MARK, Batch
from oct_edge.ledger.connection import explained
from oct_edge.ledger.opening import hold, opened
from oct_edge.ledger.query import WAITING
from oct_edge.ledger.recovery import suspect
from oct_edge.ledger.schema import FINAL, State
from oct_edge.result import ModelIdentity, Result

LEDGER = "ledger.sqlite3"
LOCK = "ledger.lock"
_SPARE = 256  # free pages that are worth nobody's while
_RESTART = "Start again: the file is moved aside, and a new ledger begins with the results that are files."


class Ledger:
    """The ledger in `folder`, held against every other writer until `close`; one that is damaged is replaced.

    Raises:
        ConfigurationError: another process keeps its ledger there, or the folder cannot be used.
        LedgerError: what is there is altered, of a later release, or of another program.
        OutputUnavailable: the disk is full or fails.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / LEDGER
        self._lock = hold(folder / LOCK)
        self._connection: sqlite3.Connection | None = None
        self._trusted = True
        try:
            self._connection, self.head = opened(self.path)
        except BaseException:
            os.close(self._lock)
            raise

    @property
    def folder(self) -> Path:
        return self.path.parent

    def close(self) -> None:
        """Let others write. Closing twice is no error."""
        if self._connection is not None:
            with suppress(sqlite3.Error):
                self._connection.close()
            self._connection = None
            os.close(self._lock)

    @contextmanager
    def batch(self) -> Iterator[Batch]:
        """A transaction: everything in it is durable when the block has ended, or none of it is.

        Raises:
            OutputUnavailable: it is not durable, and must not be reported.
        """
        connection = self._open()
        batch = Batch(connection, self.head)
        try:
            with self._in_use():
                connection.execute("BEGIN IMMEDIATE")
                yield batch
                connection.execute("COMMIT")
        except BaseException as error:
            self._trusted = not isinstance(error, OutputUnavailable | LedgerError)
            with suppress(sqlite3.Error):
                connection.execute("ROLLBACK")
            raise
        self.head = batch.head

    @property
    def is_new(self) -> bool:
        """Whether no content was ever written down here."""
        first = self._rows("SELECT seq, kind FROM events ORDER BY seq LIMIT 1")
        return first in ([], [(1, "checkpoint")]) and self.head.seq <= 1

    def state(self, scan: str) -> State | None:
        """The last state of a content, None if it was never taken."""
        with self._in_use():
            return Batch(self._open(), self.head).state(scan)

    def is_due(self, scan: str) -> bool:
        """Whether the content is to be graded."""
        with self._in_use():
            return Batch(self._open(), self.head).is_due(scan)

    def unexported(self) -> list[Result]:
        """Results that are durable here and may have no file yet, oldest first."""
        query = f"SELECT body FROM events WHERE kind IN {FINAL} AND seq > ? ORDER BY seq"
        return [Result.from_json(body) for (body,) in self._rows(query, self._mark(EXPORTED))]

    def serve(self, model: ModelIdentity) -> None:
        """Write down which model answers from now on, for those who ask while nobody runs."""
        if self._rows("SELECT model, name FROM serving") != [(model.sha256, model.name)]:
            with self.batch() as batch:
                batch.served_by(model)

    def waiting(self) -> tuple[int, int]:
        """How many contents wait for another answer, and how many of them were not yet looked for."""
        asked, looked = [seq for _, seq in self._rows(WAITING)], self._mark(LOOKED)
        return len(asked), sum(seq > looked for seq in asked)

    def names_of_waiting(self) -> set[str]:
        """Every name under which a content that waits for another answer was met."""
        return {name for (name,) in self._rows(f"SELECT name FROM events WHERE scan IN (SELECT scan FROM ({WAITING}))")}

    def over(self, before: str | None, answers: int | None, most: int) -> int:
        """Up to which event retention may remove, 0 for none and `most` at a time.

        That is what is older than a time, and what goes with all but the newest so many answers. Events older than the
        time behind one that is not are left: a clock that jumped stays harmless.
        """
        first = self._first("SELECT seq FROM events ORDER BY seq LIMIT 1") or 1
        bound = min(self._mark(EXPORTED), first + most - 1)
        until = 0
        if before is not None:
            young = self._first(
                "SELECT seq FROM events WHERE time >= ? AND seq <= ? ORDER BY seq LIMIT 1", before, bound
            )
            until = bound if young is None else young - 1
        if answers is not None and (excess := self._mark(HELD) - answers) > 0:
            held = f"SELECT seq FROM scans WHERE state IN {FINAL} AND seq <= ? ORDER BY seq LIMIT 1 OFFSET ?"
            last = self._first(held, bound, excess - 1)
            until = bound if last is None else max(until, last)
        worth = self._first("SELECT seq FROM events WHERE seq <= ? AND kind <> 'checkpoint' LIMIT 1", until)
        return until if worth else 0

    def leaving(self, until: int) -> list[tuple[str, str]]:
        """Name and content of the answers that go with the events up to this one."""
        return self._rows(f"SELECT name, scan FROM scans WHERE state IN {FINAL} AND seq <= ?", until)

    def give_back(self, pages: int) -> bool:
        """Make the file smaller, by so many pages, if much of it is free; whether that was done.

        What little is free is used again by the next events.
        """
        free, size = (self._rows(f"PRAGMA {pragma}")[0][0] for pragma in ("freelist_count", "page_count"))
        if free <= max(_SPARE, size // 4):
            return False
        with self._in_use():  # as a script: each step of the statement gives back one page
            self._open().executescript(f"PRAGMA incremental_vacuum({pages})")
        return bool(self._rows("PRAGMA freelist_count")[0][0] < free)

    def _mark(self, name: str) -> int:
        return self._first(MARK, name) or 0

    def _first(self, query: str, *values: object) -> int | None:
        return next((value for (value,) in self._rows(query, *values)), None)

    def _rows(self, query: str, *values: object) -> list[tuple]:
        with self._in_use():
            return self._open().execute(query, values).fetchall()

    @contextmanager
    def _in_use(self) -> Iterator[None]:
        """Damage that is met now is dealt with by the next start."""
        try:
            with explained(self.path):
                yield
        except LedgerDamaged as error:
            self._trusted = False
            suspect(self.path)
            raise OutputUnavailable(error.message, hint=_RESTART) from error

    def _open(self) -> sqlite3.Connection:
        if self._connection is None or not self._trusted:
            raise OutputUnavailable(f"{self.path}: closed, or a commit failed; what the disk holds is not known.")
        return self._connection
