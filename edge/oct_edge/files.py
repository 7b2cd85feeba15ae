"""Results become files: whole or not at all, and still there after a power cut."""

import errno
import fcntl
import os
import re
import weakref
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryFile

from oct_edge.errors import ConfigurationError, OutputUnavailable
from oct_edge.result import Result

_PARTIAL = ".partial"
_DIGEST = 16  # hex digits of the SHA-256 in a file name
_STEM = 80


def make_folder(folder: Path) -> None:
    """Make sure that `folder` can be written to, before hours are spent on what belongs there.

    Raises:
        OutputUnavailable: it cannot be made or written to.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise OutputUnavailable(
            f"{folder}: cannot be written to ({error.strerror}).", hint="Name another folder with --out."
        ) from error


def write_atomically(path: Path, data: bytes) -> None:
    """Write `data` under a temporary name, sync it, rename it to `path`, sync the folder.

    Raises:
        OutputUnavailable: any of the steps failed. `path` is whole, old or new; no temporary file is left. The message
            names the folder only: it goes to the log, and the file's name may be a patient's.
    """
    partial = path.with_name(f".{path.name}{_PARTIAL}")
    try:
        with partial.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
        _sync_folder(path.parent)
    except OSError as error:
        with suppress(OSError):
            partial.unlink()
        raise OutputUnavailable(f"{path.parent}: a file cannot be written ({error.strerror}).") from error


class ResultFolder:
    """One JSON file a content, named after the scan and the digest of its bytes.

    The names are the memory: after a restart they tell which contents are answered, and an answer written twice by a
    crash lands under the same name.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        try:
            folder.mkdir(parents=True, exist_ok=True)
            if not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
                raise PermissionError(errno.EACCES, "no permission to read and write, or a read-only disk")
            weakref.finalize(self, os.close, _lock(folder))
            names = {path.name for path in folder.iterdir()}
            for left_over in (name for name in names if name.startswith(".") and name.endswith(_PARTIAL)):
                (folder / left_over).unlink()
            self._answered = {name.split(".")[-2] for name in names if name.endswith(".json") and name.count(".") > 1}
        except BlockingIOError as error:
            raise ConfigurationError(
                f"{folder}: another process writes its results there.",
                hint="Let one process watch, or give each its own --output.",
            ) from error
        except OSError as error:
            raise ConfigurationError(
                f"{folder}: cannot be used for results ({error.strerror}).",
                hint="Name a folder that this user may write to with --output.",
            ) from error

    def __contains__(self, sha256: str) -> bool:
        return sha256[:_DIGEST] in self._answered

    def add(self, result: Result) -> Path:
        """Make the result durable; returns its file.

        Raises:
            OutputUnavailable: it is not durable, and must not be reported.
        """
        digest = (result.source.sha256 or "")[:_DIGEST]
        path = self.folder / f"{_safe(result.source.name)}.{digest}.json"
        write_atomically(path, (result.to_json() + "\n").encode())
        self._answered.add(digest)
        return path


def _lock(folder: Path) -> int:
    """Hold the folder against every other process for as long as the descriptor is open.

    Raises:
        BlockingIOError: another process has it.
    """
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(fd)
        raise
    return fd


def _safe(name: str) -> str:
    """The stem of a file name in letters that every file system and shell takes; no option starts like it."""
    return re.sub(r"^-|[^\w-]+", "_", Path(name).stem, flags=re.ASCII)[:_STEM] or "_"


def _sync_folder(folder: Path) -> None:
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
