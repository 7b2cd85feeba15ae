"""The watched folder: every scan that comes to rest in it is answered once.

Each pass lists the folder; nothing else is believed. A file is taken when its size and modification time have been
the same for the stability delay on our own clock, also at start, because a copy may have been under way when the power
failed, and only if they are still the same once its bytes are read. What was answered the ledger knows by content, so
a restart or a second copy costs a hash and no second answer.
"""

import logging
import os
import stat
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Protocol

from oct_edge.errors import ConfigurationError, InboxUnavailable, ScanEmpty, ScanError, ScanNotFound
from oct_edge.intake import Intake, job_of
from oct_edge.reading import SUFFIXES, read_bytes
from oct_edge.result import Result, readable
from oct_edge.worker.supervisor import Job

log = logging.getLogger("oct_edge.watch")


@dataclass(frozen=True)
class Signature:
    """What changes when a file changes."""

    size: int
    mtime_ns: int
    inode: int


class Stop(Protocol):
    """What ends the watch: a `threading.Event`, or what a signal handler may set (`service.Signals`)."""

    def is_set(self) -> bool: ...

    def wait(self, timeout: float) -> object: ...


class StabilityTracker:
    """Says since when a file has been the same. The clock is a parameter: seconds, never going back."""

    def __init__(self, delay: float, clock: Callable[[], float] = monotonic) -> None:
        self.delay = delay
        self._clock = clock
        self._since: dict[Path, tuple[Signature, float]] = {}

    def is_stable(self, path: Path, signature: Signature) -> bool:
        """Whether `path` has had this signature for the whole delay."""
        known, since = self._since.get(path, (None, 0.0))
        if known != signature:
            self._since[path] = (signature, self._clock())
            return self.delay <= 0
        return self._clock() - since >= self.delay

    def keep_only(self, paths: set[Path]) -> None:
        self._since = {path: entry for path, entry in self._since.items() if path in paths}


class Watcher:
    """Passes over one folder; what comes to rest in it goes through `intake`.

    `progress` is called for each look at the folder and for each file that was read.
    """

    def __init__(
        self,
        inbox: Path,
        intake: Intake,
        *,
        delay: float = 2.0,
        clock: Callable[[], float] = monotonic,
        progress: Callable[[], object] = lambda: None,
    ) -> None:
        self.inbox = inbox
        self._progress = progress
        self._intake = intake
        self._tracker = StabilityTracker(delay, clock)
        self._listed = False
        self._done: dict[Path, Signature] = {}
        self._complained: dict[Path, Signature] = {}

    def pending(self) -> dict[Path, Signature]:
        """Scans in the folder that have no answer yet, stable or not, by name.

        Raises:
            ConfigurationError: the folder is missing or unreadable.
            InboxUnavailable: it was neither when it was looked at before.
        """
        try:
            found = dict(_candidates(self.inbox))
        except OSError as error:
            message = f"{self.inbox}: cannot be watched ({error.strerror})."
            if self._listed:
                raise InboxUnavailable(message) from error
            hint = "Create the folder, or mount the disk or share it is on."
            raise ConfigurationError(message, hint=hint) from error
        self._listed = True
        self._tracker.keep_only(set(found))
        self._done = {path: signature for path, signature in self._done.items() if path in found}
        self._complained = {path: signature for path, signature in self._complained.items() if path in found}
        return {path: found[path] for path in sorted(found) if self._done.get(path) != found[path]}

    def unreadable(self) -> set[Path]:
        """Pending scans that came to rest without being readable; they are tried again in every pass."""
        return {path for path, signature in self.pending().items() if self._complained.get(path) == signature}

    def take(self, stop: Stop) -> Iterator[Result]:
        """One pass: the results, durable by then, of what came to rest and had none.

        After `stop` is set nothing more is begun, and what is under way is finished.
        """
        self._read_again(self._intake.regrading.take_up())
        pending = self.pending()
        at_rest = [item for item in pending.items() if self._tracker.is_stable(*item)]
        self._progress()
        read: list[tuple[Path, Signature, str]] = []
        yield from self._intake.answer(self._jobs(at_rest, stop, read), lambda: not stop.is_set())
        for path, signature, digest in read:
            if self._intake.is_answered(digest):
                self._done[path] = signature
        if all(signature in (self._done.get(path), self._complained.get(path)) for path, signature in pending.items()):
            self._intake.regrading.looked()

    def _read_again(self, names: set[str]) -> None:
        """Files of these names are pending once more."""
        if names:
            self._done = {path: known for path, known in self._done.items() if readable(path.name) not in names}

    def _jobs(
        self, files: Iterable[tuple[Path, Signature]], stop: Stop, read: list[tuple[Path, Signature, str]]
    ) -> Iterator[Job]:
        """What could be read and did not change meanwhile; noted in `read`."""
        for path, signature in files:
            if stop.is_set():
                return
            try:
                data = read_bytes(path)
                if not data:
                    raise ScanEmpty(f"{path}: the file is empty.")
            except ScanNotFound:
                continue
            except ScanError as error:
                self._complain(path, signature, error)
                continue
            self._progress()
            if _is_still(path, signature):
                job = job_of(data, path.name)
                read.append((path, signature, job.sha256))
                yield job

    def _complain(self, path: Path, signature: Signature, error: ScanError) -> None:
        """Say once for each state of a file why it cannot be read; it stays pending."""
        if self._complained.get(path) != signature:
            self._complained[path] = signature
            log.warning("a file cannot be read and stays pending (%s): %s", error.code, error.hint)


def watch(
    watcher: Watcher,
    stop: Stop,
    report: Callable[[Result], None],
    *,
    interval: float = 1.0,
    once: bool = False,
) -> None:
    """Pass over the folder every `interval` seconds until `stop` is set.

    With `once` it ends when every scan in the folder is answered or came to rest unreadable. A result that is under
    way when `stop` is set is finished and reported.
    """
    while not stop.is_set():
        for result in watcher.take(stop):
            report(result)
        if once and not stop.is_set() and watcher.pending().keys() == watcher.unreadable():
            return
        stop.wait(interval)


def _candidates(inbox: Path) -> Iterator[tuple[Path, Signature]]:
    """Regular files with a scan's suffix; no links, hidden or temporary names, folders, pipes or devices."""
    with os.scandir(inbox) as entries:
        for entry in entries:
            if entry.name.startswith(".") or not entry.name.lower().endswith(SUFFIXES):
                continue
            try:
                status = entry.stat(follow_symlinks=False)
            except PermissionError:
                raise  # the folder may not be entered, and no file in it
            except OSError:
                continue  # gone, or not to be had in this pass; the others are
            if stat.S_ISREG(status.st_mode):
                yield Path(entry.path), _signature(status)


def _signature(status: os.stat_result) -> Signature:
    return Signature(status.st_size, status.st_mtime_ns, status.st_ino)


def _is_still(path: Path, signature: Signature) -> bool:
    """Whether nothing wrote to the file since it was listed, which may be many scans ago."""
    try:
        return _signature(path.lstat()) == signature
    except OSError:
        return False
