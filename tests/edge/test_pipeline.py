"""Results in the order of the files, few scans in memory, and nothing begun that nobody asks for."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from oct_edge.classifier import Classifier, Prepared
from oct_edge.errors import InferenceFailed
from oct_edge.pipeline import AHEAD, Pipeline, answers
from oct_edge.result import Result


def said(result: Result) -> tuple:
    return result.source, result.status, result.label, result.probabilities, result.reasons


def test_the_answers_are_those_of_one_scan_at_a_time_in_their_order(
    classifier: Classifier, samples: list[Path], tmp_path: Path
) -> None:
    paths = [*samples, tmp_path / "gone.jpeg", *samples[::-1], tmp_path]
    found = [said(result) for result in answers(classifier, paths)]
    assert found == [said(classifier.classify_file(path)) for path in paths]


def test_no_files_have_no_answers(classifier: Classifier) -> None:
    assert list(answers(classifier, [])) == []


def test_so_few_files_are_read_ahead(classifier: Classifier, samples: list[Path]) -> None:
    asked: list[Path] = []

    def paths() -> Iterator[Path]:
        for path in samples * 4:
            asked.append(path)
            yield path

    results = answers(classifier, paths())
    for count, _ in enumerate(results, start=1):
        assert len(asked) <= count + AHEAD - 1


def test_who_stops_asking_ends_the_threads(classifier: Classifier, samples: list[Path]) -> None:
    before = threading.active_count()
    results = answers(classifier, samples * 10)
    next(results)
    assert threading.active_count() == before + 2
    results.close()  # type: ignore[attr-defined]
    assert threading.active_count() == before


def test_while_the_interpreter_is_busy_the_next_is_decoded(classifier: Classifier, samples: list[Path]) -> None:
    data, decoded, release = samples[0].read_bytes(), threading.Event(), threading.Event()

    def second() -> Prepared | Result:
        decoded.set()
        return classifier.prepare(data, "second")

    with Pipeline(classifier) as pipeline:
        blocker = pipeline._interpreter.submit(release.wait, 30)
        results = [pipeline.submit(lambda: classifier.prepare(data, "first")), pipeline.submit(second)]
        assert decoded.wait(30)
        assert not any(result.done() for result in results)
        release.set()
        assert blocker.result()
        assert [result.result().source.name for result in results] == ["first", "second"]


def test_what_fails_in_the_interpreter_is_raised_where_the_result_is_asked_for(
    classifier: Classifier, samples: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(tensor: object) -> None:
        raise InferenceFailed("no.")

    monkeypatch.setattr(classifier.runtime, "invoke", fail)
    with pytest.raises(InferenceFailed):
        list(answers(classifier, samples))
