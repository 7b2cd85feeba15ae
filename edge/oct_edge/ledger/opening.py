"""How the file is opened by its one writer: checked, brought up to date, or replaced where it is damaged.

Only the first and the last links of the chain are verified, which takes as long for a hundred thousand events as for
one. All of the file is read where there is a reason to (`recovery`).
"""

import errno
import fcntl
import os
import sqlite3
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from oct_edge.errors import ChainBroken, ConfigurationError, LedgerDamaged
from oct_edge.files import unwritable
from oct_edge.ledger.batch import Batch
from oct_edge.ledger.chain import COLUMNS, Head, verify
from oct_edge.ledger.checkpoint import last_checkpoint
from oct_edge.ledger.connection import connect, explained, version
from oct_edge.ledger.migrate import migrate
from oct_edge.ledger.recovery import cleared, has_reason, known_in, look_through, set_aside
from oct_edge.ledger.schema import DEFINITION, VERSION

LINKS = 100  # that are verified
_FAILING_DISK = {errno.ENOSPC, errno.EDQUOT, errno.EIO}
_LOG = 4 << 20  # bytes that the write-ahead log keeps after something large


def opened(path: Path) -> tuple[sqlite3.Connection, Head]:
    """The ledger and the end of its chain; where the file is damaged, those of a new one.

    Raises:
        LedgerError: it was altered, is of a later release, or of another program.
        OutputUnavailable: the disk is full or fails.
    """
    try:
        found = _opened(path)
    except LedgerDamaged as error:
        aside = set_aside(path, error.message)
        connection, head = _opened(path)
        with explained(path):
            found = connection, _taken_over(connection, head, known_in(aside))
    cleared(path)
    return found


def _taken_over(connection: sqlite3.Connection, head: Head, known: Mapping[str, str]) -> Head:
    """What the damaged ledger knew is known here too, so that it is not answered a second time."""
    if not known:
        return head
    batch = Batch(connection, head)
    connection.execute("BEGIN IMMEDIATE")
    batch.took_over(known)
    connection.execute("COMMIT")
    return batch.head


def _opened(path: Path) -> tuple[sqlite3.Connection, Head]:
    doubtful = has_reason(path)
    with explained(path):
        connection = connect(path)
        try:
            found = version(connection, path)
            if doubtful:
                look_through(connection, path)
            _prepare(connection, new=not found)
            head = _checked_head(connection, path)
            migrate(connection, found or VERSION)
            return connection, head
        except BaseException:
            with suppress(sqlite3.Error):
                connection.close()
            raise


def _prepare(connection: sqlite3.Connection, *, new: bool) -> None:
    if new:
        connection.execute("PRAGMA auto_vacuum = INCREMENTAL")  # which only an empty file takes
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute(f"PRAGMA journal_size_limit = {_LOG}")
    if new:
        connection.executescript(f"BEGIN IMMEDIATE; {DEFINITION} COMMIT;")


def _checked_head(connection: sqlite3.Connection, path: Path) -> Head:
    try:
        return _end_of_chain(connection)
    except ChainBroken as error:
        look_through(connection, path)  # a page that was overwritten breaks the chain too
        raise ChainBroken(f"{path}: {error.message}") from error


def _end_of_chain(connection: sqlite3.Connection) -> Head:
    """The end of the chain, whose first and last links hold."""
    start = last_checkpoint(connection).head
    first = connection.execute("SELECT seq, previous FROM events ORDER BY seq LIMIT 1").fetchone()
    if first is not None and first != (start.seq + 1, start.hash):
        raise ChainBroken(f"event {start.seq + 1} is missing.")
    query = f"SELECT {', '.join(COLUMNS)} FROM events ORDER BY seq DESC LIMIT {LINKS + 1}"
    rows = connection.execute(query).fetchall()[::-1]
    if len(rows) > LINKS:
        return verify(rows[1:], Head(rows[0][0], rows[0][-1]))
    return verify(rows, start)


def hold(lock: Path) -> int:
    """Hold the lock file of a folder for as long as the descriptor is open.

    Not a lock on the database: SQLite has its own on that file, and closing any descriptor of it would drop them.
    """
    folder = lock.parent
    try:
        folder.mkdir(parents=True, exist_ok=True)
        fd = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o660)
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
