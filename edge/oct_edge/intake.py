"""From a file at rest to a durable answer: written down as pending, graded, written down, exported, and only then told.

Each step can be cut off by a power failure and is found again by the next start: a content that is pending and still
in the folder is graded, a result without a file gets one. Files are taken in small batches, and so are commits: a burst
costs a few syncs a scan less, and a single scan waits for nobody.
"""

import hashlib
import logging
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from time import monotonic
from typing import Protocol

from oct_edge.errors import ScanError
from oct_edge.exports import Exports
from oct_edge.ledger.regrade import Regrading
from oct_edge.ledger.store import Ledger
from oct_edge.result import ModelIdentity, Result, Source, rejected
from oct_edge.worker.supervisor import Job

log = logging.getLogger("oct_edge.intake")

_KNOWN = "content %s is known, and was met under another name"
_BATCH, _BATCH_BYTES = 16, 32 * 2**20  # scans that are read and written down together
_GROUP = 16  # results in one commit
_GROUP_SECONDS = 0.25  # that a result waits for others


class Grader(Protocol):
    """What turns jobs into results, and says None while it waits for one: the worker."""

    @property
    def identity(self) -> ModelIdentity: ...

    def grade(self, jobs: Iterable[Job | None]) -> Iterator[Result | None]: ...


class Intake:
    """Contents are answered once, whatever they are called; the ledger remembers, the exports show."""

    def __init__(
        self, ledger: Ledger, grader: Grader, exports: Exports, clock: Callable[[], float] = monotonic
    ) -> None:
        self._ledger, self._grader, self._exports = ledger, grader, exports
        self._clock = clock
        self._refused: list[Result] = []
        self.regrading = Regrading(ledger, grader.identity)

    def catch_up(self) -> None:
        """Make ledger and files agree after the process before; nothing of it is reported again.

        A ledger without an event takes over the results that are files: those of a release that had no ledger, or of a
        ledger that was lost. Results without a file get one.
        """
        if self._ledger.is_new:
            self._adopt()
        self._ledger.serve(self._grader.identity)
        results = self._ledger.unexported()
        if results:
            self._exports.write(results)
            self._mark_exported()

    def answer(self, jobs: Iterable[Job], go_on: Callable[[], bool]) -> Iterator[Result]:
        """New results for these contents, durable as events and as files.

        Where `go_on` says no, what is under way is finished and the rest stays pending.

        Raises:
            OutputUnavailable: a result is not durable, and was not given out.
            InferenceFailed: as `Worker.grade`.
        """
        unmarked = False
        for group in self._grouped(self._grader.grade(self._unanswered(jobs, go_on))):
            with self._ledger.batch() as batch:
                batch.exported()  # those before
                for result in group:
                    batch.answered(result)
            self._exports.write(group)
            unmarked = True
            for result in group:
                answer = result.label or result.reasons[0].code
                log.info("content %s: %s", str(result.source.sha256)[:16], answer, extra={"kind": answer})
                yield result
        if unmarked:
            self._mark_exported()

    def is_answered(self, sha256: str) -> bool:
        return not self._ledger.is_due(sha256)

    def _adopt(self) -> None:
        adopted = 0
        with self._ledger.batch() as batch:
            for result in self._exports.found():
                batch.sighted(str(result.source.sha256), result.source.name)
                batch.answered(result)
                adopted += 1
        if adopted:
            self._mark_exported()
            log.warning("a new ledger begins with %d results that are files", adopted)

    def _unanswered(self, jobs: Iterable[Job], go_on: Callable[[], bool]) -> Iterator[Job | None]:
        """One job for each content without an answer, after it was written down; None where all of a batch have one.

        A thousand known files are read before the next new one: nobody's answer is to wait for that. What is refused is
        answered here.
        """
        asked: set[str] = set()
        for batch in _batches(jobs):
            unanswered = self._take(batch)
            if not unanswered:
                yield None
            for job in unanswered:
                if job.sha256 in asked:
                    log.info(_KNOWN, job.sha256[:16])
                elif go_on():
                    asked.add(job.sha256)
                    if job.refusal:
                        source = Source(job.name, job.sha256)
                        self._refused.append(rejected(job.refusal, source, self._grader.identity))
                    yield None if job.refusal else job

    def _take(self, jobs: list[Job]) -> list[Job]:
        """Write them down in one commit; returns those that are due, under the name of an answer before."""
        unanswered = []
        with self._ledger.batch() as batch:
            for job in jobs:
                new = batch.sighted(job.sha256, job.name)
                batch.taken(job.sha256, self._grader.identity.sha256, job.name)
                if batch.is_due(job.sha256):
                    unanswered.append(replace(job, name=batch.answered_as(job.sha256) or job.name))
                elif new:
                    log.info(_KNOWN, job.sha256[:16])
        return unanswered

    def _grouped(self, results: Iterable[Result | None]) -> Iterator[list[Result]]:
        group: list[Result] = []
        since = 0.0
        for result in results:
            since = since if group else self._clock()
            group += [*self._refusals(), *([result] if result else [])]
            if group and (len(group) >= _GROUP or self._clock() - since >= _GROUP_SECONDS):
                yield group
                group = []
        group += self._refusals()
        if group:
            yield group

    def _refusals(self) -> list[Result]:
        refused, self._refused = self._refused, []
        return refused

    def _mark_exported(self) -> None:
        with self._ledger.batch() as batch:
            batch.exported()


def job_of(data: bytes, name: str, refusal: ScanError | None = None) -> Job:
    return Job(data, hashlib.sha256(data).hexdigest(), name, refusal)


def _batches(jobs: Iterable[Job]) -> Iterator[list[Job]]:
    """So few at a time that they fit into the memory of a small board and a stop is obeyed soon."""
    batch: list[Job] = []
    for job in jobs:
        batch.append(job)
        if len(batch) >= _BATCH or sum(len(job.data) for job in batch) >= _BATCH_BYTES:
            yield batch
            batch = []
    if batch:
        yield batch
