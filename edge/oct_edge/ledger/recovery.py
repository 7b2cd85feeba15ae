"""A ledger whose file is damaged is moved aside with its date, and a new one begins with the results that are files.

Reading all of a ledger takes as long as it is old, so it is done only where there is a reason: the process before did
not close it (its write-ahead log is still full), or somebody met damage in use and left a marker. A ledger whose
events were altered while its file is whole is no damage: it is evidence, and stays where it is.
"""

import logging
import sqlite3
from contextlib import closing, suppress
from datetime import UTC, datetime
from pathlib import Path

from oct_edge.errors import ChainBroken, LedgerDamaged, OutputUnavailable
from oct_edge.files import sync_folder
from oct_edge.ledger.checkpoint import verified_known
from oct_edge.ledger.connection import connect_to_read

log = logging.getLogger("oct_edge.ledger")

SUSPECT = "ledger.suspect"
ASIDE = ".damaged-"
_WAL, _SHM = "-wal", "-shm"


def suspect(path: Path) -> None:
    """Have the file looked through at the next start; where that cannot be noted, it is noticed again."""
    with suppress(OSError):
        (path.parent / SUSPECT).touch()


def look_through(connection: sqlite3.Connection, path: Path) -> None:
    """Read every page.

    Raises:
        LedgerDamaged: they contradict each other.
    """
    found = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
    if found != "ok":
        raise LedgerDamaged(f"{path}: the ledger is damaged ({' '.join(found.split())}).")


def has_reason(path: Path) -> bool:
    """Whether the file should be looked through before it is used. Ask before it is opened.

    A log without content is what somebody leaves who only read.
    """
    try:
        return (path.parent / SUSPECT).exists() or _beside(path, _WAL).stat().st_size > 0
    except FileNotFoundError:
        return False


def cleared(path: Path) -> None:
    """It was looked through, or is a new one."""
    with suppress(OSError):
        (path.parent / SUSPECT).unlink()


def set_aside(path: Path, why: str) -> Path:
    """Rename the closed file and its log; SQLite discards a log without its database, so the order does no harm.

    Raises:
        OutputUnavailable: the folder cannot be written.
    """
    aside = path.with_name(f"{path.name}{ASIDE}{datetime.now(UTC):%Y%m%dT%H%M%S.%fZ}")
    try:
        path.replace(aside)
        with suppress(FileNotFoundError):
            _beside(path, _WAL).replace(_beside(aside, _WAL))
        with suppress(FileNotFoundError):
            _beside(path, _SHM).unlink()
        sync_folder(path.parent)
    except OSError as error:
        raise OutputUnavailable(f"{path}: is damaged and cannot be moved aside ({error.strerror}).") from error
    log.warning("%s It is kept as %s, and a new one begins with the results that are files.", why, aside.name)
    return aside


def known_in(aside: Path) -> dict[str, str]:
    """What a damaged ledger knew of contents whose events retention removed, if that is still what it should be."""
    try:
        with closing(connect_to_read(aside)) as connection:
            return verified_known(connection)
    except (sqlite3.Error, ChainBroken):
        return {}
    finally:
        with suppress(OSError):
            _beside(aside, _SHM).unlink()
            if not _beside(aside, _WAL).stat().st_size:
                _beside(aside, _WAL).unlink()


def kept_aside(folder: Path) -> list[str]:
    """What was moved aside and still lies there."""
    return sorted(path.name for path in folder.glob(f"*{ASIDE}*") if not path.name.endswith((_WAL, _SHM)))


def _beside(path: Path, suffix: str) -> Path:
    return path.with_name(f"{path.name}{suffix}")
