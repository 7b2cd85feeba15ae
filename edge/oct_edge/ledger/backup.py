"""A copy of the ledger in one file, whole and synced, made while the daemon goes on writing.

The copy is what a reader saw at one moment. Put into a folder as `ledger.sqlite3` it can be asked and verified there.
"""

import os
from contextlib import closing, suppress
from pathlib import Path

from oct_edge.errors import LedgerNotFound, OutputUnavailable
from oct_edge.files import PARTIAL, sync_folder
from oct_edge.ledger.connection import connect_to_read, explained, version
from oct_edge.ledger.store import LEDGER

_HINT = "Name another FILE, on a disk with as much room as the ledger takes."


def back_up(folder: Path, file: Path) -> None:
    """Copy the ledger in `folder` to `file`, which must not be there yet.

    Raises:
        LedgerNotFound: there is no ledger.
        LedgerError: it is damaged, or none of ours.
        OutputUnavailable: the copy cannot be written.
    """
    path = folder / LEDGER
    if not path.exists():
        raise LedgerNotFound(f"{path}: there is no ledger.")
    if file.exists():
        raise OutputUnavailable(f"{file}: is there already.", hint=_HINT)
    partial = file.with_name(f".{file.name}{PARTIAL}")
    try:
        partial.unlink(missing_ok=True)
        with explained(path), closing(connect_to_read(path)) as connection:
            version(connection, path)
            connection.execute("VACUUM INTO ?", (str(partial),))
        _sync(partial)
        partial.replace(file)
        sync_folder(file.parent)
    except (OSError, OutputUnavailable) as error:
        raise OutputUnavailable(f"{file}: the ledger cannot be copied there ({error}).", hint=_HINT) from error
    finally:
        with suppress(OSError):
            partial.unlink(missing_ok=True)


def _sync(file: Path) -> None:
    fd = os.open(file, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
