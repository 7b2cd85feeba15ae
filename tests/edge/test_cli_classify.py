"""The forms in which `classify` answers, what it writes, and what may be set of its decisions."""

import csv
import json
import os
import pty
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import jsonschema
import pytest
from PIL import Image
from typer.testing import CliRunner

from oct_edge.cli import app
from oct_edge.exports.columns import COLUMNS
from oct_edge.result import json_schema

COMMAND = str(Path(sys.executable).parent / "oct-edge")
Run = Callable[..., subprocess.CompletedProcess[str]]


def answers(*arguments: object) -> list[dict]:
    done = CliRunner().invoke(app, ["classify", *map(str, arguments), "--json"])
    assert done.exit_code in (0, 1), done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def on_a_terminal(*arguments: object, stdout: bool = True, **environment: str) -> str:
    """What a person sees: stderr is a terminal, and so is stdout unless it goes into a file."""
    own, theirs = pty.openpty()
    process = subprocess.Popen(
        [COMMAND, "classify", *map(str, arguments)],
        stdout=theirs if stdout else subprocess.DEVNULL,
        stderr=theirs,
        env={**os.environ, "TERM": "xterm", **environment},
    )
    os.close(theirs)
    seen = b""
    while True:
        try:
            seen += os.read(own, 65536)
        except OSError:
            break
    os.close(own)
    assert process.wait(60) in (0, 1)
    return seen.decode()


def test_csv_has_a_header_and_a_row_for_each_scan_that_say_what_json_says(samples: list[Path], tmp_path: Path) -> None:
    paths = [*samples[:2], tmp_path / "gone.jpeg"]
    done = CliRunner().invoke(app, ["classify", *map(str, paths), "--csv"])
    rows = list(csv.DictReader(done.stdout.splitlines()))
    assert done.exit_code == 1
    assert tuple(rows[0]) == COLUMNS
    for row, answer in zip(rows, answers(*paths), strict=True):
        assert (row["name"], row["status"]) == (answer["source"]["name"], answer["status"])
        assert row["label"] == (answer["label"] or "")
        assert row["p_CNV"] == (str(answer["probabilities"]["CNV"]) if answer["probabilities"] else "")


def test_two_forms_at_once_are_a_usage_error(samples: list[Path]) -> None:
    done = CliRunner().invoke(app, ["classify", str(samples[0]), "--csv", "--json"])
    assert done.exit_code == 2
    assert "choose one" in done.stderr


def test_a_folder_of_results_gets_one_valid_file_a_scan_and_nothing_half_written(
    samples: list[Path], tmp_path: Path
) -> None:
    paths, out = [*samples, tmp_path / "gone.jpeg"], tmp_path / "deep" / "results"
    printed = answers(*paths, "--output", out)
    files = sorted(out.iterdir())
    assert len(files) == len(paths)
    assert all(path.suffix == ".json" and not path.name.startswith(".") for path in files)
    stored = [json.loads(path.read_text()) for path in files]
    for result in stored:
        jsonschema.validate(result, json_schema())
    assert sorted(stored, key=repr) == sorted(printed, key=repr)
    assert len(answers(*paths, "--output", out)) == len(paths)
    assert sorted(out.iterdir()) == files


def test_a_folder_that_cannot_be_one_is_refused_before_anything_is_graded(samples: list[Path], tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    done = CliRunner().invoke(app, ["classify", str(samples[0]), "--output", str(tmp_path / "file" / "x")])
    assert done.stdout == ""
    assert done.exception is not None


def test_what_is_set_decides_and_is_said(samples: list[Path]) -> None:
    (plain,) = answers(samples[-1])
    assert plain["overrides"] == {}
    (urgent,) = answers(samples[-1], "--threshold", "0.00001")
    assert urgent["referral"]["group"] == "urgent"
    assert urgent["overrides"] == {"threshold": 0.00001}
    assert urgent["label"] == plain["label"]
    (strict,) = answers(samples[1], "--strict", "--threshold", "0.99")
    assert strict["referral"]["group"] == "human_review"
    assert strict["overrides"] == {"threshold": 0.99, "min_confidence": 0.9}
    (other,) = answers(samples[1], "--prior", "cnv=0.001, dme=0.001,DRUSEN=0.99,NORMAL=0.008")
    assert other["label"] == "DRUSEN"
    assert other["overrides"]["prior_DRUSEN"] == 0.99
    for answer in (urgent, strict, other):
        jsonschema.validate(answer, json_schema())


@pytest.mark.parametrize(
    "option",
    [
        ("--threshold", "0"),
        ("--threshold", "1"),
        ("--threshold", "nan"),
        ("--prior", "0.5"),
        ("--prior", "CNV=a"),
        ("--prior", "CNV=0.5,CNV=0.5"),
        ("--prior", ""),
    ],
    ids=" ".join,
)
def test_settings_that_mean_nothing_are_usage_errors(samples: list[Path], option: tuple[str, str]) -> None:
    assert CliRunner().invoke(app, ["classify", str(samples[0]), *option]).exit_code == 2


def test_a_prior_that_does_not_sum_to_one_is_a_configuration_error(run_command: Run, samples: list[Path]) -> None:
    done = run_command("oct-edge", "classify", samples[0], "--prior", "CNV=0.5,DME=0.5,DRUSEN=0.5,NORMAL=0.5")
    assert (done.returncode, done.stdout) == (78, "")
    assert "sum to 1" in done.stderr


def test_a_terminal_has_colours_and_nothing_else_has(samples: list[Path]) -> None:
    assert "\x1b[31m" in on_a_terminal(samples[0])
    assert "\x1b[32m" in on_a_terminal(samples[-1])
    assert "\x1b" not in on_a_terminal(samples[0], NO_COLOR="1")
    assert "\x1b" not in on_a_terminal(samples[0], TERM="dumb")
    assert "\x1b" not in CliRunner().invoke(app, ["classify", str(samples[0])]).stdout


def test_a_person_who_waits_sees_how_far_it_is(samples: list[Path]) -> None:
    seen = on_a_terminal(*samples * 60, "--json", "--threads", 1, stdout=False)
    assert re.search(r"\d+ of 480 scans, [\d.]+ a second, \d+:\d\d left", seen)
    assert seen.endswith("\r\x1b[K")


def test_a_volume_counts_once(samples: list[Path], tmp_path: Path) -> None:
    first, *others = [Image.open(path) for path in samples[:4]]
    volume = tmp_path / "volume.tiff"
    first.save(volume, save_all=True, append_images=others)
    seen = on_a_terminal(*[volume] * 40, "--json", "--threads", 1, stdout=False)
    counted = [int(number) for number in re.findall(r"(\d+) of 40 scans", seen)]
    assert counted
    assert max(counted) <= 40


def test_where_the_table_is_seen_no_line_is_written_over_it(samples: list[Path]) -> None:
    assert "left" not in on_a_terminal(*samples * 60, "--threads", 1)


def test_the_summary_counts_what_has_no_class(samples: list[Path], tmp_path: Path) -> None:
    blank = tmp_path / "blank.png"
    Image.new("L", (512, 496), 40).save(blank)
    done = CliRunner().invoke(app, ["classify", str(samples[0]), str(blank), str(tmp_path / "gone.jpeg")])
    assert "3 scans, 1 ungradable, 1 rejected" in done.stderr
    row = next(line for line in done.stdout.splitlines() if line.startswith("blank.png"))
    assert row.split()[1:4] == ["ungradable", "-", "human_review"]
