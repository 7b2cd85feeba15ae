"""Many scans, one after the other: the interpreter is kept busy while others are read, decoded and told about.

One thread reads and decodes, one runs the interpreter, which needs no Python meanwhile; the caller writes answers. So
many scans are in memory as the caller lets be ahead, and results come in the order that was asked for.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import TypeVar

from oct_edge.classifier import Classifier, Prepared
from oct_edge.result import Result

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


def classify_files(classifier: Classifier, paths: Iterable[Path]) -> Iterator[Result]:
    """The results for the files, in their order; the first as soon as it is known. Raises as `Classifier.answer`."""
    ahead: deque[Future[Result]] = deque()
    with Pipeline(classifier) as pipeline:
        for path in paths:
            ahead.append(pipeline.submit(partial(classifier.prepare_file, path)))
            if len(ahead) >= AHEAD:
                yield ahead.popleft().result()
        while ahead:
            yield ahead.popleft().result()
