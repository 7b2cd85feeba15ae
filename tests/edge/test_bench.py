"""What `oct-edge bench` measures, of real answers."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from time import sleep

import pytest

from oct_edge import bench
from oct_edge.classifier import Classifier
from oct_edge.errors import UnsupportedFormat

Run = Callable[..., subprocess.CompletedProcess[str]]


def test_figures_are_those_of_the_work_that_is_done(
    classifier: Classifier, samples: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With an interpreter that waits 20 ms longer, each of the three figures is at least that much worse."""
    invoke = classifier.runtime.invoke

    def slower(tensor: object) -> object:
        sleep(0.02)
        return invoke(tensor)

    monkeypatch.setattr(classifier.runtime, "invoke", slower)
    found = bench.bench(classifier, samples, 10)
    assert 20 <= found["invoke_ms"]["p50"] <= found["invoke_ms"]["p95"]
    assert found["invoke_ms"]["p50"] < found["whole_ms"]["p50"] <= found["whole_ms"]["p95"]
    assert 0 < found["scans_per_second"] <= 50
    assert (found["files"], found["rounds"]) == (8, 10)


def test_what_is_turned_away_is_not_measured(classifier: Classifier, samples: list[Path], tmp_path: Path) -> None:
    (tmp_path / "empty.jpeg").touch()
    found = bench.bench(classifier, [tmp_path / "empty.jpeg", tmp_path / "gone.jpeg", samples[0]], 10)
    assert found["files"] == 1
    with pytest.raises(UnsupportedFormat, match="none of the files"):
        bench.bench(classifier, [tmp_path / "empty.jpeg"], 10)


@pytest.mark.parametrize(
    ("before", "after", "since", "said"),
    [
        ((), (), (), "no"),
        (("throttled",), (), ("throttled",), "throttled"),
        ((), ("undervoltage",), ("undervoltage", "throttled"), "undervoltage; before, since the start: throttled"),
        (None, None, None, "nobody says"),
    ],
)
def test_a_board_that_was_held_back_is_said(before: tuple, after: tuple, since: tuple, said: str) -> None:
    found = {"before": {"now": before, "since_boot": since}, "after": {"now": after, "since_boot": since}}
    assert bench.throttled(found) == said


def test_the_command_says_the_same_to_people_and_machines(run_command: Run) -> None:
    done = run_command("oct-edge", "bench", "--rounds", 10, "--threads", 1, "--json")
    found = json.loads(done.stdout)
    assert (done.returncode, found["schema"], found["threads"], found["files"]) == (0, "oct-edge/bench@1", 1, 8)
    shown = run_command("oct-edge", "bench", "--rounds", 10, "--threads", 1)
    titles = [line[:12].strip() for line in shown.stdout.splitlines()]
    assert titles == [line[:12].strip() for line in bench.lines(found)]
    assert "not a medical device" in shown.stderr


def test_files_that_are_no_scans_are_an_error(run_command: Run) -> None:
    done = run_command("oct-edge", "bench", __file__)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("error [unsupported_format]")
