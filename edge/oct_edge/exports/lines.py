"""Files that only grow: whole lines, each of them once, whatever happens in between.

Lines come in an order that never changes, the ledger's, and after a crash from the first on that the ledger does not
know to be written. So the end of the file tells how far it came: what stands there is not written again, and half a
line, which a crash or a full disk leaves, is cut off first. A reader that leaves the last line alone until it ends
never sees one half, nor one that vanishes again.

A file that was moved away, as logrotate does, is followed by a new one. Where a crash comes before that is known, the
lines are looked for in what was moved away too, as long as it lies beside and its name begins alike.
"""

import errno
import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from oct_edge.errors import ConfigurationError, OutputUnavailable
from oct_edge.exports.folders import hold
from oct_edge.files import begin_to_sync, sync_folder, unwritable

_TAIL = 1 << 16  # bytes at the end that are looked at
_PASSING = {errno.ENOENT, errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS}  # what a person does not repair for good


class LineFile:
    """One such file, held against every other process until `close`.

    Every one of ours starts with `begins`; a new one gets `header` first.

    Raises:
        ConfigurationError: it is another program's file, or none, or held by another process.
        OutputUnavailable: it cannot be opened now. No folder is made for it: a disk may be missing.
    """

    def __init__(self, path: Path, option: str, begins: bytes, header: bytes = b"") -> None:
        self.path = path
        self._option, self._begins, self._header = option, begins, header
        self._fd: int | None = None
        self._size = 0  # before lines were added last
        self._open()
        self._known = self._last_lines()

    def close(self) -> None:
        """Let others write. Closing twice is no error."""
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None

    def append(self, lines: Sequence[bytes]) -> None:
        """Add the lines, each with its end: those behind the last of them that is there already. Durable after `sync`.

        Raises:
            OutputUnavailable: they cannot be written.
        """
        with self._explained():
            if not self._is_in_place():
                self.close()
                self._open()
            there = max((i + 1 for i, line in enumerate(lines) if line in self._known), default=0)
            self._known = frozenset()
            fd = self._descriptor()
            self._size = os.fstat(fd).st_size
            view = memoryview(b"".join(lines[there:] if self._size else [self._header, *lines[there:]]))
            while view:
                view = view[os.write(fd, view) :]
            begin_to_sync(fd, self._size)

    def sync(self) -> None:
        """Make what was added durable, and what was there: the process before may have ended too early for that.

        Raises:
            OutputUnavailable: it is not, and must not be reported.
        """
        with self._explained():
            fd = self._descriptor()
            try:
                os.fdatasync(fd)
            except OSError:
                with suppress(OSError):
                    os.ftruncate(fd, self._size)  # memory would go on showing what the disk does not hold
                raise

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise unwritable(f"{self.path}: cannot be written", error) from error

    def _is_in_place(self) -> bool:
        """Whether the file that is open still has its name."""
        try:
            return os.path.samestat(self.path.stat(), os.fstat(self._descriptor()))
        except FileNotFoundError:
            return False

    def _open(self) -> None:
        flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NONBLOCK | os.O_NOCTTY
        try:
            self._fd = hold(self.path, flags)
            self._refuse_others()
            self._cut_half_a_line()
            sync_folder(self.path.parent)
        except OSError as error:
            self.close()
            if error.errno in _PASSING:
                raise unwritable(f"{self.path}: cannot be written", error) from error
            why = "another process writes there" if isinstance(error, BlockingIOError) else error.strerror
            raise ConfigurationError(
                f"{self.path}: cannot be used for results ({why}).",
                hint=f"Name another file with {self._option}, or move that one away; a new one is begun.",
            ) from error

    def _refuse_others(self) -> None:
        fd = self._descriptor()
        status = os.fstat(fd)
        if not stat.S_ISREG(status.st_mode):
            raise OSError(errno.EINVAL, "not a regular file")
        start = os.pread(fd, len(self._begins), 0).rstrip(b"\0")  # a power failure may leave zeros of the first lines
        if not self._begins.startswith(start) or (start != self._begins and status.st_size > _TAIL):
            raise OSError(errno.EINVAL, "it begins with something else")

    def _cut_half_a_line(self) -> None:
        """Leave nothing behind the last whole line: half of one, or zeros that a power failure left."""
        fd = self._descriptor()
        start = size = os.fstat(fd).st_size
        end = 0
        while start and not end:
            start = max(0, start - _TAIL)
            whole = os.pread(fd, _TAIL, start).split(b"\0", 1)[0].rfind(b"\n") + 1
            end = start + whole if whole else 0
        if end < size:
            os.ftruncate(fd, end)

    def _last_lines(self) -> frozenset[bytes]:
        """Those of the file, or where it has none, of the one that was moved away last."""
        lines = _tail(self.path) - {self._header}
        return lines or next((found for path in self._moved_away() if (found := self._ours(path))), lines)

    def _moved_away(self) -> list[Path]:
        """Files beside it whose name begins alike, the latest first."""
        with suppress(OSError), os.scandir(self.path.parent) as entries:
            alike = (entry for entry in entries if entry.name.startswith(self.path.stem))
            times = {Path(entry.path): entry.stat().st_mtime for entry in alike if entry.is_file()}
            return sorted(times.keys() - {self.path}, key=lambda path: times[path], reverse=True)
        return []

    def _ours(self, path: Path) -> frozenset[bytes]:
        with suppress(OSError), path.open("rb") as file:
            if file.read(len(self._begins)) == self._begins:
                return _tail(path) - {self._header}
        return frozenset()

    def _descriptor(self) -> int:
        if self._fd is None:
            raise OutputUnavailable(f"{self.path}: closed, or it could not be written before.")
        return self._fd


def _tail(path: Path) -> frozenset[bytes]:
    """The last whole lines of a file."""
    with suppress(OSError), path.open("rb") as file:
        file.seek(max(0, file.seek(0, os.SEEK_END) - _TAIL))
        return frozenset(line for line in file.read().splitlines(keepends=True) if line.endswith(b"\n"))
    return frozenset()
