"""SQLite as the ledger uses it: how it is opened, and what its errors mean here.

WAL with `synchronous=FULL`: a commit returns when it is on the disk, and readers never hold the writer up. A disk that
is full, read-only or failing is an `OutputUnavailable`, bytes that are no database are a `LedgerDamaged`.
"""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from oct_edge.errors import DiskFull, LedgerDamaged, LedgerForeign, LedgerTooNew, OutputUnavailable
from oct_edge.ledger.schema import APPLICATION, VERSION

PATIENCE = 30.0  # seconds to wait for another process that holds the file
_DAMAGE = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}


def connect(path: Path) -> sqlite3.Connection:
    """A connection in autocommit mode: transactions are begun and committed by name."""
    return _connect(path, "mode=rwc")


def connect_to_read(path: Path) -> sqlite3.Connection:
    """A connection that cannot write.

    A reader makes the files of the WAL where no writer has them open; one who may not write to the folder has to do
    without, which SQLite takes as the promise that nobody writes.
    """
    alone = not path.with_name(f"{path.name}-wal").exists() and not os.access(path.parent, os.W_OK)
    return _connect(path, "mode=ro&immutable=1" if alone else "mode=ro")


def _connect(path: Path, how: str) -> sqlite3.Connection:
    return sqlite3.connect(f"{path.absolute().as_uri()}?{how}", uri=True, timeout=PATIENCE, isolation_level=None)


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """Turn what SQLite raises about the file into our errors.

    Raises:
        LedgerDamaged: the file is no database, or its pages contradict each other.
        OutputUnavailable: it cannot be read or written; DiskFull where only room is missing.
    """
    try:
        yield
    except sqlite3.DatabaseError as error:
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        if code in _DAMAGE:
            raise LedgerDamaged(f"{path}: the ledger is damaged ({error}).") from error
        kind = DiskFull if code == sqlite3.SQLITE_FULL else OutputUnavailable
        raise kind(f"{path}: the ledger cannot be used ({error}).") from error


def version(connection: sqlite3.Connection, path: Path) -> int:
    """The schema version of the file, 0 for a new one.

    Raises:
        LedgerTooNew: a later release wrote it.
        LedgerForeign: a database, but not one of ours.
    """
    ours = _number(connection, "application_id") == APPLICATION
    found = _number(connection, "user_version")
    if ours and found > VERSION:
        raise LedgerTooNew(f"{path}: the ledger has schema {found}, this version knows {VERSION}.")
    if not ours and connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]:
        raise LedgerForeign(f"{path}: a database, but not a ledger of this project.")
    return found if ours else 0


def _number(connection: sqlite3.Connection, pragma: str) -> int:
    return int(connection.execute(f"PRAGMA {pragma}").fetchone()[0])
