"""Many scans, one after the other: the interpreter is kept busy while others are decoded and told about.

One thread decodes, one runs the interpreter, which needs no Python meanwhile; the caller writes answers. So
many scans are in memory as the caller lets be ahead, and results come in the order that was asked for.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import TypeVar

from oct_edge.classifier import Classifier, Prepared
from oct_edge.result import Result
from oct_edge.scan import Frames
from oct_edge.volume import Volume, opened, prepare, summary

AHEAD = 3  # scans in memory: one is decoded, one is in the interpreter, one waits between them

Prepare = Callable[[], Prepared | Result]
T = TypeVar("T")


class Pipeline:
    """The two threads, which are there from the start: later there may be no memory for one."""

    def __init__(self, classifier: Classifier) -> None:
        self._classifier = classifier
        self._decoder, self._interpreter = ThreadPoolExecutor(1), ThreadPoolExecutor(1)
        for pool in (self._decoder, self._interpreter):
            pool.submit(int).result()

    def __enter__(self) -> "Pipeline":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        """Wait for what is under way, and drop what is not begun."""
        for pool in (self._decoder, self._interpreter):
            pool.shutdown(cancel_futures=True)

    def submit(self, prepare: Prepare) -> Future[Result]:
        """The result of what `prepare` makes of a scan, in its turn. Raises as `Classifier.answer`."""
        return self._interpreter.submit(self._answer, self._decoder.submit(prepare))

    def run(self, work: Callable[[Classifier], T]) -> T:
        """Work that needs the interpreter, between two scans."""
        return self._interpreter.submit(work, self._classifier).result()

    def _answer(self, decoded: Future[Prepared | Result]) -> Result:
        prepared = decoded.result()
        return prepared if isinstance(prepared, Result) else self._classifier.answer(prepared)


def answers(classifier: Classifier, paths: Iterable[Path]) -> Iterator[Result | Volume]:
    """As `volume.answers`, for many files: in their order, each as soon as it is known."""
    ahead: deque[_Asked] = deque()
    with Pipeline(classifier) as pipeline:
        for asked in _asked(classifier, pipeline, paths):
            ahead.append(asked)
            if len(ahead) >= AHEAD:
                yield from _answered(classifier, ahead.popleft())
        while ahead:
            yield from _answered(classifier, ahead.popleft())


@dataclass(frozen=True)
class _Asked:
    """A result that is on its way, of which file, and the results of that file so far."""

    result: Future[Result]
    frames: Frames | None
    results: list[Result]


def _asked(classifier: Classifier, pipeline: Pipeline, paths: Iterable[Path]) -> Iterator[_Asked]:
    for path in paths:
        frames = opened(classifier, path)
        if isinstance(frames, Result):
            yield _Asked(pipeline.submit(partial(_same, frames)), None, [])
            continue
        results: list[Result] = []
        for number in frames.numbers:
            yield _Asked(pipeline.submit(partial(prepare, classifier, frames, number)), frames, results)


def _answered(classifier: Classifier, asked: _Asked) -> Iterator[Result | Volume]:
    result = asked.result.result()
    asked.results.append(result)
    yield result
    if asked.frames and asked.frames.is_volume and len(asked.results) == len(asked.frames):
        yield summary(asked.frames, asked.results, classifier.identity)


def _same(result: Result) -> Result:
    return result
