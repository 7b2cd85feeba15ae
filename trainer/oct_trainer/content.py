"""Files by their bytes: the digest of one, and those of a set that are the same picture to the last bit.

Nothing is decoded, and nothing is wrong here with a file that cannot be read: reading the pictures will say what it is.
"""

import hashlib
import stat
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable
from pathlib import Path
from typing import Protocol, TypeVar


class OnDisk(Protocol):
    """Whatever has a file: a `Listed` scan, a `Sample`."""

    @property
    def path(self) -> Path: ...


_Item = TypeVar("_Item")
_Key = TypeVar("_Key", bound=Hashable)
_Scan = TypeVar("_Scan", bound=OnDisk)


def digest_of(path: Path) -> str | None:
    """The SHA-256 of the file; None where it cannot be read, or is a pipe, say, that would have to be waited for."""
    try:
        if not path.is_file():
            return None
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return None


def same_bytes(scans: Iterable[_Scan], apart: Callable[[_Scan], Hashable]) -> list[list[_Scan]]:
    """The scans by their content, all that could be the same on two sides of what keeps scans `apart`.

    Read are those alone whose size occurs on two sides, of a thousand scans a few.
    """
    sizes = grouped(scans, lambda scan: _size(scan.path)).values()
    suspects = [scan for group in sizes if len({apart(one) for one in group}) > 1 for scan in group]
    return list(grouped(suspects, lambda scan: digest_of(scan.path)).values())


def grouped(items: Iterable[_Item], key: Callable[[_Item], _Key | None]) -> dict[_Key, list[_Item]]:
    """The items of each key, both in order of appearance; an item without a key is left out."""
    groups: dict[_Key, list[_Item]] = defaultdict(list)
    for item in items:
        if (found := key(item)) is not None:
            groups[found].append(item)
    return dict(groups)


def _size(path: Path) -> int | None:
    """None for what is no file with content."""
    try:
        status = path.stat()
    except (OSError, ValueError):
        return None
    return status.st_size or None if stat.S_ISREG(status.st_mode) else None
