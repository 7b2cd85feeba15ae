"""The one writer of the ledger.

Events are written in batches, each one transaction: what a batch has written is acknowledged when the batch has ended
without an error, and not before. After a failed commit nothing more is written: whether the disk holds it is unknown,
and only a new start, which reads what is there, may tell.

Opening verifies the last links of the chain only and takes as long for a hundred thousand events as for one.
"""

import errno
import fcntl
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from oct_edge.errors import ChainBroken, ConfigurationError, LedgerError, OutputUnavailable
from oct_edge.files import unwritable
from oct_edge.ledger.batch import EXPORTED, Batch
from oct_edge.ledger.chain import COLUMNS, Head, verify
from oct_edge.ledger.connection import connect, explained, version
from oct_edge.ledger.schema import DEFINITION, FINAL, State
from oct_edge.result import Result

LEDGER = "ledger.sqlite3"
LINKS = 100  # that are verified when it is opened
LOCK = "ledger.lock"
_FAILING_DISK = {errno.ENOSPC, errno.EDQUOT, errno.EIO}


class Ledger:
    """The ledger in `folder`, held against every other writer until `close`.

    Raises:
        ConfigurationError: another process keeps its ledger there, or the folder cannot be used.
        LedgerError: what is there is damaged, altered, or of a later release.
        OutputUnavailable: the disk is full or fails.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / LEDGER
        self._lock = _hold(folder)
        self._connection: sqlite3.Connection | None = None
        self._trusted = True
        try:
            with explained(self.path):
                self._connection = connect(self.path)
                _prepare(self._connection, self.path)
                self.head = _checked_head(self._connection, self.path)
        except BaseException:
            self.close()
            raise

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
            with explained(self.path):
                connection.execute("BEGIN IMMEDIATE")
                yield batch
                connection.execute("COMMIT")
        except BaseException as error:
            self._trusted = not isinstance(error, OutputUnavailable | LedgerError)
            with suppress(sqlite3.Error):
                connection.execute("ROLLBACK")
            raise
        self.head = batch.head

    def state(self, scan: str) -> State | None:
        """The last state of a content, None if it was never taken."""
        with explained(self.path):
            return Batch(self._open(), self.head).state(scan)

    def unexported(self) -> list[Result]:
        """Results that are durable here and may have no file yet, oldest first."""
        query = f"""SELECT body FROM events WHERE kind IN {FINAL}
            AND seq > coalesce((SELECT seq FROM marks WHERE name = '{EXPORTED}'), 0) ORDER BY seq"""
        with explained(self.path):
            return [Result.from_json(body) for (body,) in self._open().execute(query)]

    def _open(self) -> sqlite3.Connection:
        if self._connection is None or not self._trusted:
            raise OutputUnavailable(f"{self.path}: closed, or a commit failed; what the disk holds is not known.")
        return self._connection


def _prepare(connection: sqlite3.Connection, path: Path) -> None:
    found = version(connection, path)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    if not found:
        connection.executescript(f"BEGIN IMMEDIATE; {DEFINITION} COMMIT;")


def _checked_head(connection: sqlite3.Connection, path: Path) -> Head:
    columns = ", ".join(COLUMNS)
    query = f"SELECT {columns} FROM events ORDER BY seq DESC LIMIT {LINKS + 1}"
    rows = connection.execute(query).fetchall()[::-1]
    try:
        if len(rows) > LINKS:
            return verify(rows[1:], Head(rows[0][0], rows[0][-1]))
        return verify(rows)
    except ChainBroken as error:
        raise ChainBroken(f"{path}: {error.message}") from error


def _hold(folder: Path) -> int:
    """Hold the folder's lock file for as long as the descriptor is open.

    Not a lock on the database: SQLite has its own on that file, and closing any descriptor of it would drop them.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        fd = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o660)
    except OSError as error:
        if error.errno in _FAILING_DISK:
            raise unwritable(f"{folder}: the ledger cannot be written", error) from error
        raise ConfigurationError(
            f"{folder}: cannot be used for the ledger ({error.strerror}).",
            hint="Name a folder that this user may write to with --state.",
        ) from error
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(fd)
        raise ConfigurationError(
            f"{folder}: another process keeps its ledger there.",
            hint="Let one process watch, or give each its own --state.",
        ) from error
    return fd
