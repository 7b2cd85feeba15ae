"""The watched folder: every scan that comes to rest in it is answered once.

Each pass lists the folder; nothing else is believed. A file is taken when its size and modification time have been
the same for the stability delay on our own clock, also at start, because a copy may have been under way when the power
failed, and only if they are still the same once its bytes are read. What was answered the ledger knows by content, so
a restart or a second copy costs a hash and no second answer. Where the delay is short, what was answered is read once
more, since a file system may date a change like the one before.

What cannot be read stays pending and is tried again, ever more rarely. What never comes to rest, or stays empty, is
rejected when it was waited for long enough.
"""

import logging
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from time import monotonic
from typing import Protocol

from oct_edge.errors import (
    ConfigurationError,
    InboxUnavailable,
    ScanEmpty,
    ScanError,
    ScanIsLink,
    ScanNotAtRest,
    ScanNotFound,
    ScanTooLarge,
)
from oct_edge.inbox import Signature, candidates, is_still
from oct_edge.intake import Intake, job_of
from oct_edge.patience import Attempts, SecondReadings, StabilityTracker
from oct_edge.reading import digest_of, read_bytes
from oct_edge.result import Result, readable
from oct_edge.worker.supervisor import Job

log = logging.getLogger("oct_edge.watch")

GIVE_UP = 3600.0  # seconds that a file may be empty or go on growing
_LOOKING = 0.05  # of the time of a pass, at most, goes into looking what else has come


class Stop(Protocol):
    """What ends the watch: a `threading.Event`, or what a signal handler may set (`signals.Signals`)."""

    def is_set(self) -> bool: ...

    def wait(self, timeout: float) -> object: ...


class Watcher:
    """Passes over one folder.

    `follow` takes what symbolic links point to; otherwise they are refused. `naming` is what a file is called from here
    on, in results, notes and ledger. `progress` is called for each look at the folder and for each file that was read.
    """

    def __init__(
        self,
        inbox: Path,
        *,
        delay: float = 2.0,
        give_up: float = GIVE_UP,
        follow: bool = False,
        naming: Callable[[str], str] = str,
        clock: Callable[[], float] = monotonic,
        progress: Callable[[], object] = lambda: None,
    ) -> None:
        self.inbox, self.give_up = inbox, give_up
        self._follow, self._naming, self._progress = follow, naming, progress
        self._clock = clock
        self.tracker = StabilityTracker(delay, clock)
        self.attempts = Attempts(clock)
        self._again = SecondReadings(clock)
        self.waiting = 0  # scans without an answer when the folder was last looked at
        self._listed = False
        self._next_look = 0.0
        self._done: dict[str, Signature] = {}

    def pending(self) -> dict[str, Signature]:
        """Scans in the folder that have no answer yet, stable or not, by name.

        Raises:
            ConfigurationError: the folder is missing or unreadable.
            InboxUnavailable: it was neither when it was looked at before.
        """
        try:
            found = dict(candidates(self.inbox, follow=self._follow))
        except OSError as error:
            message = f"{self.inbox}: cannot be watched ({error.strerror})."
            if self._listed:
                raise InboxUnavailable(message) from error
            hint = "Create the folder, or mount the disk or share it is on."
            raise ConfigurationError(message, hint=hint) from error
        self._listed = True
        self.tracker.keep_only(found.keys())
        self.attempts.keep_only(found.keys())
        self._again.keep_only(found.keys())
        self._done = {name: signature for name, signature in self._done.items() if name in found}
        return {name: found[name] for name in sorted(found) if self._done.get(name) != found[name]}

    def unreadable(self) -> set[str]:
        """Pending scans that came to rest without being readable; they are tried again."""
        return {name for name, signature in self.pending().items() if self.attempts.failed_as_it_is(name, signature)}

    def take(self, intake: Intake, stop: Stop) -> Iterator[Result]:
        """One pass: the results, durable by then, of what came to rest and had none.

        After `stop` is set nothing more is begun, and what is under way is finished.
        """
        self._read_again(intake.regrading.take_up())
        pending = self.pending()
        self.waiting = len(pending)
        ready = [item for item in pending.items() if self._is_ready(*item)]
        ready += [item for item in self._again.due() if self.attempts.is_due(*item)]
        self._progress()
        self._next_look = self._clock() + self.tracker.delay
        read: list[tuple[str, Signature, str]] = []
        for result in intake.answer(self._jobs(ready, stop, read), lambda: not stop.is_set()):
            self.waiting = max(0, self.waiting - 1)
            yield result
        for name, signature, digest in read:
            if intake.is_answered(digest):
                self._done[name] = signature
                self.tracker.answered(name)
                self.attempts.answered(name)
                self._again.answered(name, signature, self.tracker.delay)
        if all(self._is_settled(*item) for item in pending.items()):
            intake.regrading.looked()

    def _is_settled(self, name: str, signature: Signature) -> bool:
        """Whether it was answered, or came to rest and cannot be read."""
        return self._done.get(name) == signature or self.attempts.failed_as_it_is(name, signature)

    def _read_again(self, names: set[str]) -> None:
        """Files of these names are pending once more."""
        if names:
            self._done = {
                name: known for name, known in self._done.items() if readable(self._naming(name)) not in names
            }

    def _is_ready(self, name: str, signature: Signature) -> bool:
        at_rest = self.tracker.is_stable(name, signature)
        return (at_rest or self._is_overdue(name)) and self.attempts.is_due(name, signature)

    def _is_overdue(self, name: str) -> bool:
        return self.tracker.waited(name) >= self.give_up

    def _jobs(
        self, files: Iterable[tuple[str, Signature]], stop: Stop, read: list[tuple[str, Signature, str]]
    ) -> Iterator[Job]:
        """What could be read and did not change meanwhile; noted in `read`."""
        for name, signature in files:
            if stop.is_set():
                return
            if self._clock() >= self._next_look:
                self._look_for_more()
            try:
                job = self._read(name, signature)
            except ScanNotFound:
                continue
            except ScanError as error:
                if self.attempts.failed(name, signature, error.code):
                    said = "a file cannot be read and stays pending (%s): %s"
                    log.warning(said, error.code, error.hint, extra={"kind": error.code})
                continue
            self._progress()
            if job.refusal or is_still(self.inbox / name, signature, follow=self._follow):
                read.append((name, signature, job.sha256))
                yield job

    def _look_for_more(self) -> None:
        """Let what has come during a long pass begin to rest: the next pass then need not wait for it."""
        begun = self._clock()
        with suppress(InboxUnavailable):  # the next pass says so
            for item in self.pending().items():
                self.tracker.is_stable(*item)
        now = self._clock()
        self._next_look = now + max(self.tracker.delay, (now - begun) / _LOOKING)

    def _read(self, name: str, signature: Signature) -> Job:
        """What the file holds, or what speaks against grading it ever.

        Raises:
            ScanError: it cannot be taken now, and may be later.
        """
        path, called = self.inbox / name, self._naming(name)
        if signature.link:
            raise ScanIsLink(f"{called}: a symbolic link.")
        try:
            data = read_bytes(path)
        except ScanTooLarge:
            return Job(b"", digest_of(path), called, ScanTooLarge(f"{called}: larger than any B-scan."))
        if not data:
            empty = ScanEmpty(f"{called}: the file is empty.")
            if self._is_overdue(name):
                return job_of(data, called, empty)
            raise empty
        if self._is_overdue(name) and not self.tracker.is_stable(name, signature):
            return job_of(data, called, ScanNotAtRest(f"{called}: still changing after {self.give_up:.0f} s."))
        return job_of(data, called)


def watch_once(watcher: Watcher, intake: Intake, stop: Stop, report: Callable[[Result], None], interval: float) -> None:
    """Pass over the folder until every scan in it is answered or came to rest unreadable, or `stop` is set."""
    while not stop.is_set():
        for result in watcher.take(intake, stop):
            report(result)
        if not stop.is_set() and watcher.pending().keys() == watcher.unreadable():
            return
        stop.wait(interval)
