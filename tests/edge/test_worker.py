"""The worker as a real process that really crashes, hangs and is killed; only its pauses are counted, not waited for.

The program under test is the child of the service with one thing added: a scan can tell it what to do.
"""

import hashlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from oct_edge.errors import ModelNotFound, RuntimeUnavailable, WorkerUnavailable
from oct_edge.result import Result
from oct_edge.worker.supervisor import Job, Limits, Worker
from oct_models import DEFAULT, bundled_models

TROUBLE = """
import os, resource, signal, sys
from oct_edge.classifier import Classifier
from oct_edge.worker import child

prepare = Classifier.prepare

def obey(self, data, name):
    if data.startswith(b"abort"):
        os.abort()
    if data.startswith(b"hang"):
        signal.pause()
    if data.startswith(b"memory"):
        resource.setrlimit(resource.RLIMIT_AS, (2**20, 2**20))
        bytearray(2**28)
    if data.startswith(b"once") and not os.path.exists(name):
        open(name, "w").close()
        os.kill(os.getpid(), signal.SIGKILL)
    return prepare(self, data, name)

Classifier.prepare = obey
sys.exit(child.main(*sys.argv[1:]))
"""


def job(data: bytes, name: str = "x.jpeg") -> Job:
    return Job(data, hashlib.sha256(data).hexdigest(), name)


def outcome(result: Result) -> str:
    return result.label or result.reasons[0].code


class Paused:
    """A worker and the pauses that it asked for."""

    def __init__(self, *program: str, limits: Limits) -> None:
        self.pauses: list[float] = []
        command = program or (sys.executable, "-c", TROUBLE)
        self.worker = Worker(DEFAULT, "auto", 1, limits=limits, program=command, pause=self.pauses.append)

    def results(self, jobs: Iterable[Job]) -> list[Result]:
        return [result for result in self.worker.grade(jobs) if result]

    def outcomes(self, *contents: bytes) -> list[str]:
        return [outcome(result) for result in self.results(job(content) for content in contents)]


@pytest.fixture
def paused() -> Iterator[Paused]:
    paused = Paused(limits=Limits(decoding=2.0))
    yield paused
    paused.worker.close()


@pytest.fixture
def scan(samples: list[Path]) -> bytes:
    """A phantom that is CNV."""
    return samples[0].read_bytes()


def test_results_come_in_order_and_are_those_of_the_classifier(samples: list[Path], paused: Paused, classifier) -> None:
    jobs = [job(path.read_bytes(), path.name) for path in samples]
    for path, result in zip(samples, paused.results(jobs), strict=True):
        alone = classifier.classify_file(path)
        assert (result.source, result.label, result.model) == (alone.source, alone.label, alone.model)


@pytest.mark.parametrize(("poison", "code"), [(b"abort", "worker_crashed"), (b"hang", "deadline_exceeded")])
def test_a_scan_that_takes_the_process_down_costs_itself_and_no_other(
    paused: Paused, scan: bytes, poison: bytes, code: str
) -> None:
    assert paused.outcomes(scan, poison, scan) == ["CNV", code, "CNV"]
    assert paused.outcomes(scan) == ["CNV"]


def test_an_error_that_nobody_foresaw_costs_one_scan_and_its_text_is_not_logged(
    paused: Paused, scan: bytes, capfd: pytest.CaptureFixture
) -> None:
    assert paused.outcomes(b"memory", scan) == ["worker_crashed", "CNV"]
    assert "the worker failed with MemoryError in <string>" in capfd.readouterr().err


def test_a_scan_on_which_the_process_died_by_chance_is_graded_by_the_next(
    paused: Paused, scan: bytes, tmp_path: Path
) -> None:
    marker = str(tmp_path / "died")
    results = paused.results([job(b"once", marker), job(scan)])
    assert [outcome(result) for result in results] == ["unsupported_format", "CNV"]
    assert paused.pauses == [0.25]


def test_a_scan_larger_than_any_pipe_does_not_hold_up_the_parent_when_the_process_hangs(paused: Paused) -> None:
    assert paused.outcomes(b"hang", b"x" * 2**24) == ["deadline_exceeded", "unsupported_format"]


def test_pauses_double_until_a_scan_is_answered(paused: Paused, scan: bytes) -> None:
    paused.outcomes(b"abort", b"abort", scan, b"abort")
    # A fifth is the scan's, where the one behind it was decoded before it was graded.
    assert paused.pauses in ([0.25, 0.5, 1.0, 2.0, *fifth, 0.25, 0.5] for fifth in ([], [4.0]))


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV, signal.SIGSTOP])
def test_a_process_that_was_killed_or_stopped_from_outside_is_replaced(
    paused: Paused, scan: bytes, number: int
) -> None:
    before = paused.worker.pid
    os.kill(before, number)
    assert paused.outcomes(scan) == ["CNV"]
    assert paused.worker.pid != before


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_signals_for_the_end_are_left_to_the_parent(paused: Paused, scan: bytes, number: int) -> None:
    before = paused.worker.pid
    os.kill(before, number)
    assert paused.outcomes(scan) == ["CNV"]
    assert paused.worker.pid == before


def test_a_model_or_runtime_that_cannot_be_had_is_the_same_error_as_without_a_process() -> None:
    with pytest.raises(ModelNotFound, match="neither a bundled model") as caught:
        Worker("nothing", "auto", 1)
    assert caught.value.hint == ModelNotFound.hint
    with pytest.raises(RuntimeUnavailable, match="no runtime 'x'"):
        Worker(DEFAULT, "x", 1)


def test_what_is_out_is_answered_before_something_that_takes_a_while(paused: Paused, scan: bytes) -> None:
    seen: list[str] = []

    def jobs() -> Iterator[Job | None]:
        yield job(scan)
        yield None
        seen.append("next")

    for result in paused.worker.grade(jobs()):
        seen += [result.label] if result else []
    assert seen == ["CNV", "next"]


def test_an_answer_that_nobody_waited_for_is_never_taken_for_another(paused: Paused, samples: list[Path]) -> None:
    contents = [path.read_bytes() for path in samples]
    abandoned = paused.worker.grade(job(content) for content in contents[:4])
    assert next(result for result in abandoned if result).label == "CNV"
    abandoned.close()
    assert paused.outcomes(*contents[4:]) == ["DRUSEN", "DRUSEN", "NORMAL", "NORMAL"]


def test_a_fresh_process_that_refuses_to_serve_ends_the_service_and_not_only_the_scan(tmp_path: Path) -> None:
    model = tmp_path / "model.tflite"
    shutil.copy(bundled_models()[DEFAULT], model)
    worker = Worker(str(model), "auto", 1, program=(sys.executable, "-c", TROUBLE), pause=lambda _: model.unlink())
    with pytest.raises(ModelNotFound):
        list(worker.grade([job(b"abort")]))
    worker.close()


@pytest.mark.parametrize("program", [("/bin/false",), ("/nonexistent",)])
def test_a_process_that_ends_without_a_word_is_given_up(program: tuple[str]) -> None:
    with pytest.raises(WorkerUnavailable, match="the process that grades"):
        Paused(*program, limits=Limits())


def test_the_process_ends_with_its_parent_also_in_the_middle_of_a_hang() -> None:
    parent = f"""if True:
        import os, signal, sys
        from oct_edge.worker.supervisor import Job, Worker
        worker = Worker({DEFAULT!r}, "auto", 1, program=(sys.executable, "-c", {TROUBLE!r}))
        worker._channel.send({{"name": "x"}}, b"hang")
        print(worker.pid, flush=True)
        os.kill(os.getpid(), signal.SIGKILL)
    """
    done = subprocess.run([sys.executable, "-c", parent], stdout=subprocess.PIPE, text=True)
    stat = Path(f"/proc/{int(done.stdout)}/stat")
    deadline = time.monotonic() + 20
    while stat.exists() and " Z " not in stat.read_text():
        assert time.monotonic() < deadline
        time.sleep(0.01)
