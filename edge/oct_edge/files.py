"""Files are written whole or not at all, and are still there after a power cut."""

import errno
import os
from collections.abc import Iterable, Mapping
from contextlib import ExitStack, suppress
from pathlib import Path
from tempfile import TemporaryFile

from oct_edge.errors import DiskFull, OutputMissing, OutputUnavailable

PARTIAL = ".partial"
_KINDS = {errno.ENOSPC: DiskFull, errno.EDQUOT: DiskFull, errno.ENOENT: OutputMissing}


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


def require_free(paths: Iterable[Path], force: bool) -> None:
    """Raise `OutputUnavailable` if one of them exists, unless it may be replaced."""
    taken = [] if force else [path for path in paths if path.exists()]
    if taken:
        raise OutputUnavailable(
            f"{taken[0]}: is there already.", hint="Name another --out, or replace it with --force."
        )


def write_atomically(path: Path, data: bytes) -> None:
    """Write `data` under a temporary name, sync it, rename it to `path`, sync the folder.

    Raises:
        OutputUnavailable: any of the steps failed. `path` is whole, old or new; no temporary file is left. The message
            names the folder only: it goes to the log, and the file's name may be a patient's.
    """
    write_together({path: data})


def write_together(files: Mapping[Path, bytes]) -> None:
    """As `write_atomically`, and no file gets its name before all have been written and synced.

    A crash between two renames leaves the first files new and the last ones old, each whole.
    """
    partials = {path.with_name(f".{path.name}{PARTIAL}"): path for path in files}
    try:
        with ExitStack() as written:
            opened = []
            for partial, path in partials.items():
                opened.append(written.enter_context(partial.open("wb")))
                opened[-1].write(files[path])
                opened[-1].flush()
                begin_to_sync(opened[-1].fileno())
            for file in opened:
                os.fsync(file.fileno())
        for partial, path in partials.items():
            partial.replace(path)
        for folder in dict.fromkeys(path.parent for path in files):
            sync_folder(folder)
    except BaseException as error:  # Ctrl-C too leaves nothing behind
        for partial in partials:
            with suppress(OSError):
                partial.unlink()
        if not isinstance(error, OSError):
            raise
        folder = next(iter(files)).parent
        raise unwritable(f"{folder}: a file cannot be written", error) from error


def remove_together(files: Iterable[Path]) -> None:
    """Remove those of the files that are there, and sync their folders.

    Raises:
        OutputUnavailable: one cannot be removed, or its folder is gone. The message names the folder only, as in
            `write_atomically`.
    """
    folders = set()
    for path in files:
        try:
            path.unlink()
            folders.add(path.parent)
        except OSError as error:
            if not isinstance(error, FileNotFoundError) or not path.parent.is_dir():
                raise unwritable(f"{path.parent}: a file cannot be removed", error) from error
    try:
        for folder in folders:
            sync_folder(folder)
    except OSError as error:
        raise unwritable("a file cannot be removed for good", error) from error


def unwritable(message: str, error: OSError) -> OutputUnavailable:
    """What an error of the system means for what was to be written."""
    return _KINDS.get(error.errno or 0, OutputUnavailable)(f"{message} ({error.strerror}).")


def begin_to_sync(fd: int, start: int = 0) -> None:
    """Let the system begin to write what a file holds from `start` on, and wait for nothing.

    The syncs of several files then find their places on the disk settled, and the first one writes them down for all:
    on ext4 a third of the bytes and of the time that it takes them one by one.
    """
    with suppress(OSError):
        os.posix_fadvise(fd, start, 0, os.POSIX_FADV_DONTNEED)


def sync_folder(folder: Path) -> None:
    """Make names that were given or taken in the folder durable. Raises OSError."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
