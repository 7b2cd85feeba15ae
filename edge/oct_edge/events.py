"""What wakes the watch before its interval is over: the kernel's word (inotify) that something came into the folder.

It is a reason to look and nothing else. The loop in `watch` lists the folder and believes only that, so an event that
is lost, or all of them, costs no more than the interval. The kernel's queue is one more descriptor to sleep on: there
is no thread that could die, and nothing runs while nothing happens. Where events cannot be had, the interval is what
there is, and the reason is told: the kernel has no watch left, or others write to the file system behind its back.
"""

import errno
import os
import re
from collections.abc import Callable
from pathlib import Path
from time import monotonic, process_time
from typing import Any, Protocol, Self

from oct_edge.watch import Stop

try:
    import inotify_simple
except ImportError:  # the extra `events` is not installed
    inotify_simple = None

_PAUSE, _LONGEST_PAUSE = 0.25, 2.0  # seconds for what comes together, before it is looked at
_SHARE = 3  # such a pause is so many times what the look before cost, in processor time: a full folder is listed slowly
_LIMITS = {errno.ENOSPC: "fs.inotify.max_user_watches", errno.EMFILE: "fs.inotify.max_user_instances"}
_FOLDERS_OWN = {errno.ENOENT, errno.ENOTDIR, errno.EACCES}  # the loop says that it cannot be listed
_REMOTE = {"9p", "afs", "ceph", "cifs", "coda", "gfs2", "lustre", "ncpfs", "nfs", "nfs4", "ocfs2", "orangefs", "smb3"}
_REMOTE |= {"smbfs", "vboxsf", "virtiofs"}


class Sleeper(Stop, Protocol):
    """A `Stop` that also wakes up when there is something to read from a descriptor (`signals.Signals`)."""

    def wait(self, timeout: float, *descriptors: int) -> object: ...


class Events:
    """`stop` for the watch of `inbox`, with a sleep that also ends when something was written there.

    `delay` tells that of stability: what was new to a look is looked at again when it may have come to rest. `notice`
    gets the reason why events cannot be had, and None when they can, each when it changes. Without the package
    `inotify_simple` there are none, and nothing is said.
    """

    def __init__(
        self, stop: Sleeper, inbox: Path, *, delay: Callable[[], float], notice: Callable[[str | None], object]
    ) -> None:
        self._stop, self._inbox, self._delay, self._notice = stop, inbox, delay, notice
        self._told: str | None = ""  # nothing yet
        self._queue: Any = None
        self._watch = 0  # the number that the kernel gave to the folder
        self._given_up = inotify_simple is None
        self._news = False  # for the look that comes before the next sleep
        self._woken = process_time()
        self._listens()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._close()

    def is_set(self) -> bool:
        return self._stop.is_set()

    def wait(self, timeout: float) -> None:
        """Sleep for `timeout` seconds, or less where there is a reason to look; a signal ends it at once."""
        end = monotonic() + timeout
        pause = min(_LONGEST_PAUSE, max(_PAUSE, _SHARE * (process_time() - self._woken)))
        if self._listens():
            self._stop.wait(min(timeout, self._delay()) if self._news else timeout, self._queue.fileno())
            self._news = self._hears()
            if self._news and not self.is_set():
                self._stop.wait(max(0.0, min(pause, end - monotonic())))
                self._hears()
        else:
            self._stop.wait(timeout)
        self._woken = process_time()

    def _listens(self) -> bool:
        """Whether the kernel tells of the folder that has the name now."""
        if self._given_up:
            return False
        try:
            if self._queue and self._add_watch() == self._watch:
                return True
            reason = self._open()
        except OSError as error:
            self._close()
            if error.errno in _FOLDERS_OWN:
                return False
            limit = _LIMITS.get(error.errno or 0)
            reason = f"the kernel refuses ({error.strerror}{f', see {limit}' if limit else ''})."
        self._tell(reason)
        return not reason

    def _open(self) -> str | None:
        """Listen to the folder anew; returns why that is no use."""
        self._close()
        self._queue = inotify_simple.INotify(nonblocking=True)
        self._watch = self._add_watch()
        kind = file_system(self._inbox)
        if is_remote(kind):
            self._close()
            return f"{self._inbox} is on a file system ({kind}) to which others write as well."
        self._news = True
        return None

    def _add_watch(self) -> int:
        """The number of the folder, the same as before if it is the same folder.

        Not asked for: writes to a file that stays open, of which a slow copy makes thousands, and what we do ourselves.
        """
        of = inotify_simple.flags
        mask = of.CREATE | of.CLOSE_WRITE | of.MOVED_TO | of.ATTRIB | of.MOVE_SELF | of.DELETE_SELF | of.ONLYDIR
        return self._queue.add_watch(self._inbox, mask)

    def _hears(self) -> bool:
        """Whether the kernel told of something since it was asked last, if only that it has to leave something out."""
        try:
            return bool(self._queue.read(timeout=0))
        except OSError as error:
            self._close()
            self._given_up = True
            self._tell(f"the kernel's events cannot be read any more ({error.strerror}).")
            return False

    def _close(self) -> None:
        if self._queue:
            self._queue.close()
        self._queue = None

    def _tell(self, reason: str | None) -> None:
        if reason != self._told:
            self._told = reason
            self._notice(reason)


def file_system(folder: Path) -> str:
    """What the kernel calls the file system that a folder is on: ext4, cifs, fuse.sshfs; empty where it says nothing.

    Raises:
        OSError: there is no such folder, or no /proc.
    """
    descriptor = os.open(folder, os.O_PATH)
    try:
        opened = Path(f"/proc/self/fdinfo/{descriptor}").read_bytes()
    finally:
        os.close(descriptor)
    mount = re.search(rb"^mnt_id:\s*(\d+)$", opened, re.MULTILINE)
    for line in Path("/proc/self/mountinfo").read_bytes().splitlines():
        if mount and line.split(b" ", 1)[0] == mount[1]:
            return line.split(b" - ")[1].split(b" ")[0].decode()
    return ""


def is_remote(kind: str) -> bool:
    """Whether files may come into such a file system without this kernel's doing.

    `fuseblk` is a disk in this device (NTFS, say), which nobody else writes to.
    """
    return kind in _REMOTE or kind == "fuse" or kind.startswith("fuse.")
