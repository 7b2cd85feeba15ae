"""Folders that we write to, and names in them."""

import errno
import fcntl
import os
import re
from contextlib import suppress
from pathlib import Path

from oct_edge.errors import ConfigurationError
from oct_edge.files import PARTIAL
from oct_edge.result import readable

_DIGEST = 16  # hex digits of the SHA-256 in a file name
_STEM = 80


def prepare(folder: Path, option: str) -> None:
    """Make the folder if there is none.

    Raises:
        ConfigurationError: it cannot be used.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
            raise PermissionError(errno.EACCES, "no permission to read and write, or a read-only disk")
    except OSError as error:
        raise ConfigurationError(
            f"{folder}: cannot be used for results ({error.strerror}).",
            hint=f"Name a folder that this user may write to with {option}.",
        ) from error


def hold(path: Path, flags: int) -> int:
    """Open a file or folder, and hold it against every other process for as long as the descriptor is open.

    Raises:
        BlockingIOError: another process has it.
        OSError: it cannot be opened.
    """
    fd = os.open(path, flags | os.O_CLOEXEC, 0o666)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(fd)
        raise
    return fd


def remove_left_overs(folder: Path) -> None:
    """What a crash left of files that were being written."""
    for path in folder.iterdir():
        if path.name.startswith(".") and path.name.endswith(PARTIAL):
            with suppress(OSError):
                path.unlink()


def name_for(name: str, sha256: str) -> str:
    """What files about a content are called, without a suffix: after the scan, and its digest.

    The scan's name comes in letters that every file system and shell takes; no option starts like it.
    """
    stem = re.sub(r"^-|[^\w-]+", "_", Path(readable(name)).stem, flags=re.ASCII)[:_STEM] or "_"
    return f"{stem}.{sha256[:_DIGEST]}"
