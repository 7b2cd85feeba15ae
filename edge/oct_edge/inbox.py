"""What lies in the watched folder: which entries are meant as scans, and whether one has changed since."""

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from oct_edge.reading import SUFFIXES


@dataclass(frozen=True, slots=True)
class Signature:
    """What changes when a file changes; `link` is a symbolic link that is not followed."""

    size: int
    mtime_ns: int
    inode: int
    link: bool = False


def candidates(inbox: Path, *, follow: bool = False) -> Iterator[tuple[str, Signature]]:
    """Names of regular files with a scan's suffix, and of links; nothing hidden or temporary, no folder or device.

    With `follow` a link stands for what it points to, wherever that is.

    Raises:
        OSError: the folder cannot be listed or entered.
    """
    with os.scandir(inbox) as entries:
        for entry in entries:
            if entry.name.startswith(".") or not entry.name.lower().endswith(SUFFIXES):
                continue
            try:
                status = entry.stat(follow_symlinks=follow)
            except PermissionError:
                if entry.is_symlink():
                    continue  # where it points to may not be entered; the folder may
                raise
            except OSError:
                continue  # gone, or not to be had in this pass; the others are
            if stat.S_ISREG(status.st_mode) or stat.S_ISLNK(status.st_mode):
                yield entry.name, _signature(status)


def is_still(path: Path, signature: Signature, *, follow: bool = False) -> bool:
    """Whether nothing wrote to the file since it was listed, which may be many scans ago."""
    try:
        return _signature(path.stat(follow_symlinks=follow)) == signature
    except OSError:
        return False


def _signature(status: os.stat_result) -> Signature:
    return Signature(status.st_size, status.st_mtime_ns, status.st_ino, stat.S_ISLNK(status.st_mode))
