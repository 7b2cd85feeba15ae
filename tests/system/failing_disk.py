"""A folder seen through a disk that is slow or fails: `python failing_disk.py FOLDER MOUNTPOINT MOOD`.

MOOD is a file that is looked at for each read: a JSON object with, for each name of a file, the seconds that a read of
it takes, or the error that it ends with ("EIO"). Each read that begins is told on stdout with the name of the file.
"""

import errno
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

from mfusepy import FUSE, FuseOSError, Operations

_TOLD = ("st_mode", "st_size", "st_mtime", "st_ctime", "st_nlink", "st_uid", "st_gid")


class Disk(Operations):
    use_ns = False

    def __init__(self, folder: Path, mood: Path) -> None:
        self._folder, self._mood = folder, mood

    def getattr(self, path: str, fh: int | None = None) -> dict[str, Any]:
        status = os.lstat(self._behind(path))
        return {name: getattr(status, name) for name in _TOLD}

    def readdir(self, path: str, fh: int) -> list[str]:
        return [".", "..", *(entry.name for entry in self._behind(path).iterdir())]

    def open(self, path: str, flags: int) -> int:
        return os.open(self._behind(path), flags)

    def read(self, path: str, size: int, offset: int, fh: int) -> bytes:
        print(path[1:], flush=True)
        mood = json.loads(self._mood.read_text()).get(path[1:], 0)
        if isinstance(mood, str):
            raise FuseOSError(getattr(errno, mood))
        time.sleep(mood)
        return os.pread(fh, size, offset)

    def release(self, path: str, fh: int) -> int:
        os.close(fh)
        return 0

    def _behind(self, path: str) -> Path:
        return self._folder / path[1:]


if __name__ == "__main__":
    folder, mountpoint, mood = sys.argv[1:]
    FUSE(Disk(Path(folder), Path(mood)), mountpoint, foreground=True, direct_io=True)
