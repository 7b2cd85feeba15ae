"""The parent's side of the worker: scans go out, results come back in order, and a child that fails is replaced.

A scan has a deadline that follows the speed which the child measured on itself. Where the child dies or the deadline
passes, a fresh child, which has to give the golden answers again, gets the scan a second time; then the scan is
rejected and the others go on. The pause before each fresh child doubles until a scan is answered, so that a device that
is sick does not spin. The next scans are in the pipe while one is under way.
"""

import json
import logging
import os
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from time import monotonic, sleep
from typing import Any

from oct_edge.errors import (
    DeadlineExceeded,
    OctEdgeError,
    ScanError,
    WorkerCrashed,
    WorkerUnavailable,
    error_of,
)
from oct_edge.result import ModelIdentity, Result, Source, rejected
from oct_edge.worker.channel import Channel, Frame

log = logging.getLogger("oct_edge.worker")

TRIES = 2  # that a scan has
_STARTS = 5  # in a row without a word, before the device is given up
_AHEAD, _AHEAD_BYTES = 32, 4 * 2**20  # that are out at a time: the child has work while results are made durable
_TICK = 0.25  # seconds
_START_TIMEOUT = 300.0  # seconds; an emulated board takes two for one answer
PROGRAM = (sys.executable, "-P", "-m", "oct_edge.worker.child")
STDERR = 2  # also for what native code prints to stdout: that is for results


@dataclass(frozen=True)
class Job:
    """A scan to grade: its bytes, their SHA-256, what it is called, and what speaks against grading it."""

    data: bytes
    sha256: str
    name: str
    refusal: ScanError | None = None


@dataclass(frozen=True)
class Limits:
    """Seconds a scan may take: `decoding` and so many `invokes`; pauses double from `pause` to `longest`."""

    decoding: float = 5.0
    invokes: float = 20.0
    pause: float = 0.25
    longest: float = 30.0


DEFAULT_LIMITS = Limits()


class Worker:
    """A child process that grades. `program` is what to run, `pause` how to wait before a fresh one.

    `decision` is what `decision_of` is to be told, in values that JSON knows.

    Raises:
        ModelError, RuntimeUnavailable, ConfigurationError: what `Classifier.open` and `self_test` raise in the child.
        WorkerUnavailable: it ends again and again without a word.
    """

    def __init__(
        self,
        model: str,
        runtime: str,
        threads: int | None,
        *,
        decision: Mapping[str, Any] | None = None,
        limits: Limits = DEFAULT_LIMITS,
        program: Iterable[str] = PROGRAM,
        pause: Callable[[float], object] = sleep,
    ) -> None:
        self._command = [*program, model, runtime, str(threads or 0), json.dumps(decision or {}), str(os.getpid())]
        self._limits = limits
        self._pause = pause
        self._failures = 0  # since a scan was last answered
        self._start()

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def failures(self) -> int:
        """How often it had to be replaced since a scan was last answered."""
        return self._failures

    def grade(self, jobs: Iterable[Job | None]) -> Iterator[Result | None]:
        """The results of the jobs, in their order, and None whenever none came for a quarter of a second.

        A job is asked for when it can be sent. None among them says that the next may take a while: what is out is
        answered first.

        Raises:
            InferenceFailed: the interpreter failed on a scan, which says something about the device.
            OctEdgeError: a fresh child refused to serve, as at the start.
        """
        out: deque[Job] = deque()
        for job in jobs:
            if job is not None:
                out.append(job)
                self._send(job)
            while len(out) >= (1 if job is None or _bytes(out) >= _AHEAD_BYTES else _AHEAD):
                yield from self._answer(out)
            if job is None:
                yield None
        while out:
            yield from self._answer(out)

    def close(self) -> None:
        """End the child, whatever it is doing."""
        self._process.kill()
        self._process.wait()
        self._channel.close()

    def _answer(self, out: deque[Job]) -> Iterator[Result | None]:
        """The result of the first of the jobs that are out, and it is out no longer.

        After a failure it is out alone: the child may have died of decoding one of those behind it.
        """
        job = out[0]
        for attempt in range(TRIES):
            try:
                result = yield from self._result(job)
                self._failures = 0
                break
            except (EOFError, TimeoutError) as error:
                failure = self._failed(job, error)
                self._replace()
                if attempt + 1 < TRIES:
                    self._send(job)
        else:
            result = rejected(failure, Source(job.name, job.sha256), self.identity)
        out.popleft()
        if attempt:
            for other in out:
                self._send(other)
        yield result

    def _result(self, job: Job) -> Generator[None, None, Result]:
        """The answer to this job; those to jobs before, which nobody waited for, are passed over."""
        while True:
            frame = yield from self._reply()
            result = Result.from_json(_content(frame)["result"])
            if result.source.sha256 == job.sha256:
                return result

    def _reply(self) -> Generator[None, None, Frame]:
        since = monotonic()
        while True:
            try:
                return self._channel.receive(_TICK)
            except TimeoutError:
                if monotonic() - since >= self._deadline:
                    raise
                yield

    def _failed(self, job: Job, error: Exception) -> ScanError:
        self.close()
        if isinstance(error, TimeoutError):
            log.warning("no answer to content %s within %.1f s", job.sha256[:16], self._deadline)
            return DeadlineExceeded(f"{job.name}: not graded within {self._deadline:.1f} s.")
        how = _end(self._process.returncode)
        log.warning("the worker died at content %s (%s)", job.sha256[:16], how)
        return WorkerCrashed(f"{job.name}: the process that grades it dies ({how}).")

    def _replace(self) -> None:
        self._failures += 1
        self._wait()
        self._start()

    def _wait(self) -> None:
        self._pause(min(self._limits.longest, self._limits.pause * 2 ** (self._failures - 1)))

    def _send(self, job: Job) -> None:
        with suppress(EOFError):  # whoever waits for the answer will see it
            self._channel.send({"name": job.name}, job.data)

    def _start(self) -> None:
        for _ in range(_STARTS):
            self._launch()
            try:
                ready = _content(self._channel.receive(_START_TIMEOUT))
            except (EOFError, TimeoutError):
                self.close()
                log.warning("the worker did not start (%s)", _end(self._process.returncode))
                self._failures += 1
                self._wait()
            except OctEdgeError:
                self.close()
                raise
            else:
                self.identity = ModelIdentity(**ready["ready"])
                self._deadline = self._limits.decoding + self._limits.invokes * ready["seconds"]
                return
        raise WorkerUnavailable(f"the process that grades did not start ({_STARTS} tries).")

    def _launch(self) -> None:
        reader, replies = os.pipe()
        requests, writer = os.pipe()
        command = [*self._command, str(requests), str(replies)]
        try:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=STDERR,
                pass_fds=(requests, replies),
                process_group=0,  # an interrupt at the terminal is for the parent
            )
        except OSError as error:
            raise WorkerUnavailable(f"the process that grades cannot be started ({error.strerror}).") from error
        finally:
            os.close(requests)
            os.close(replies)
        self._channel = Channel(reader, writer)


def _bytes(jobs: Iterable[Job]) -> int:
    return sum(len(job.data) for job in jobs)


def _content(frame: Frame) -> Mapping[str, Any]:
    """The header, unless it says what went wrong."""
    if "error" in frame.header:
        raise error_of(frame.header["error"])(frame.header["message"], hint=frame.header["hint"])
    return frame.header


def _end(code: int) -> str:
    return f"signal {-code}" if code < 0 else f"exit code {code}"
