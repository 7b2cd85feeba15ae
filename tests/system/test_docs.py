"""What README and docs say is what the commands do."""

import json
import re
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from itertools import takewhile
from pathlib import Path

import pytest
from PIL import Image

from oct_edge import reading
from oct_edge.bundle import open_bundle
from oct_edge.clock import UNSYNCED
from oct_edge.errors import MissingExtra, ScanError
from oct_edge.health import HINTS
from oct_edge.ledger.store import Ledger
from oct_edge.ledger.tally import Tally
from oct_edge.metrics import PREFIX, Histogram, Sight, render
from oct_edge.result import ModelIdentity
from oct_edge.scan import identity, png, tiff
from oct_edge.scan.dicom import header
from oct_edge.scan.identity import BURNED_IN, SUFFIX_MISMATCH, WINDOW_CLIPPED
from oct_edge.status import lines, status
from oct_models import bundled_models

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
SIGHT = Sight(ModelIdentity("m", "", ""), 0.0, True, Tally(last="2026-11-23T10:11:12Z"), 0, frozenset(), Histogram(), 0)
GROUPS = ("audit", "config", "service")  # commands that are made of commands
Command = Callable[..., subprocess.CompletedProcess[str]]


def blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text(), re.DOTALL | re.MULTILINE)


def documented_commands() -> list[str]:
    lines = [line for page in PAGES for block in blocks(page, "sh") for line in block.splitlines()]
    commands = [line.split("#")[0].strip() for line in lines]
    return sorted({re.sub(r"^\S*/bin/", "", c) for c in commands if re.match(r"(\S*/bin/)?oct-", c)})


@cache
def help_of(run_command: Command, *command: str) -> str:
    done = run_command(*command, "--help", env={"COLUMNS": "200", "PATH": "/usr/bin"})
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("line", documented_commands())
def test_documented_commands_and_options_exist(line: str, run_command: Command) -> None:
    name, *words = line.split()
    depth = 2 if words[0] in GROUPS else 1
    subcommand = list(takewhile(lambda word: not word.startswith("-"), words[:depth]))
    known = help_of(run_command, name, *subcommand)
    for option in (word for word in words if word.startswith("-")):
        assert re.search(rf"(^|\s|,){option}\b", known), f"{option} is not an option of {name} {subcommand}"


def test_the_readme_shows_what_the_first_command_prints(run_command: Command) -> None:
    done = run_command("oct-edge", "classify", ROOT / "models/oct_models/samples")
    assert done.returncode == 0, done.stderr
    shown = blocks(ROOT / "README.md", "text")[0]
    assert [line.split()[:2] for line in shown.splitlines()] == [line.split()[:2] for line in done.stdout.splitlines()]


def test_the_page_on_classify_shows_what_strict_prints(run_command: Command) -> None:
    done = run_command("oct-edge", "classify", ROOT / "models/oct_models/samples", "--strict")
    assert done.returncode == 0, done.stderr
    shown = blocks(ROOT / "docs/classify.md", "text")[-1]
    assert [line.split()[:2] for line in shown.splitlines()] == [line.split()[:2] for line in done.stdout.splitlines()]


def test_the_page_on_classify_shows_what_each_form_of_output_is(run_command: Command, tmp_path: Path) -> None:
    page, samples = ROOT / "docs" / "classify.md", ROOT / "models/oct_models/samples"
    table = run_command("oct-edge", "classify", samples, "--output", tmp_path)
    files = "".join(f"{name}\n" for name in sorted(path.name for path in tmp_path.iterdir()))
    assert files in blocks(page, "text")
    assert table.stderr in blocks(page, "text")
    (shown,), (csv,) = blocks(page, "json"), blocks(page, "csv")
    done = run_command("oct-edge", "classify", samples / "phantom-NORMAL-1.jpeg", "--json", "--threshold", 0.2)
    assert lasting(json.loads(shown)) == lasting(json.loads(done.stdout))
    header, row = csv.splitlines()
    done = run_command("oct-edge", "classify", samples / "phantom-CNV-1.jpeg", "--csv")
    assert done.stdout.splitlines()[0] == header
    assert row.split(",")[1:7] == done.stdout.splitlines()[1].split(",")[1:7]


def lasting(result: dict) -> dict:
    """What another day, machine or step of the logits does not change."""
    kept = ("schema", "source", "status", "reasons", "notes", "label", "model", "overrides", "disclaimer")
    return {key: result[key] for key in kept} | {"keys": [*result], "group": result["referral"]["group"]}


def test_the_readme_gives_the_figures_of_the_cards() -> None:
    readme = (ROOT / "README.md").read_text()
    for name in bundled_models():
        for kind, splits in open_bundle(name).card["metrics"].items():
            row = next(line for line in readme.splitlines() if line.startswith(f"| `{name}` | {kind} |"))
            for split in ("val", "test"):
                for figure in ("accuracy", "balanced_accuracy"):
                    value, low, high = (splits[split][figure][key] for key in ("value", "low", "high"))
                    assert f"{value:.3f} ({low:.3f}-{high:.3f})" in row, f"{name} {kind} {split} {figure}"


def test_every_page_and_help_says_what_it_is_not(run_command: Command) -> None:
    for page in PAGES:
        assert re.search(r"research use only", page.read_text(), re.IGNORECASE), page.name
    for name in ("oct-edge", "oct-train", "oct-convert"):
        assert "not a medical device" in " ".join(help_of(run_command, name).split())


def test_the_result_page_lists_every_code_of_an_input_and_every_note() -> None:
    listed = re.findall(r"^\| `(\w+)` \|", (ROOT / "docs" / "result.md").read_text(), re.MULTILINE)
    assert {kind.code for kind in (*ScanError.__subclasses__(), MissingExtra)} <= set(listed)
    assert {SUFFIX_MISMATCH, WINDOW_CLIPPED, BURNED_IN, UNSYNCED} <= set(listed)


def test_the_classify_page_gives_the_limits_and_endings_of_the_reader() -> None:
    page = (ROOT / "docs" / "classify.md").read_text()
    limits = [f"{identity.MAX_PIXELS:,} pixels, {identity.MAX_SIDE:,} on a side", f"{identity.MAX_FRAMES:,} frames"]
    limits += [f"| {reading.MAX_BYTES >> 20} MiB; a TIFF or DICOM file {reading.MAX_VOLUME_BYTES >> 20} MiB"]
    limits += [f"| {header.MAX_INFLATED >> 20} MiB |", f"| {png.MAX_TEXT >> 20} MiB unpacked |"]
    limits += [f"| {tiff.MAX_TAGS}, of {tiff.MAX_TAG_BYTES >> 20} MiB |"]
    limits += [f"{header.MAX_READS:,} reads, and {header.MAX_READS_A_FRAME} more a frame"]
    limits += [" ".join(f"`{suffix}`" for suffix in reading.SUFFIXES)]
    assert [limit for limit in limits if limit not in page] == []


def test_the_classify_page_shows_a_volume_as_it_is(run_command: Command, samples: list[Path], tmp_path: Path) -> None:
    first, *others = [Image.open(path) for path in samples[1::2]]
    first.save(tmp_path / "eye.tif", save_all=True, append_images=others, compression="tiff_lzw")
    done = run_command("oct-edge", "classify", tmp_path / "eye.tif")
    assert done.stdout in blocks(ROOT / "docs" / "classify.md", "text")


def test_the_monitoring_page_lists_every_reason_and_every_metric() -> None:
    page = (ROOT / "docs" / "monitor.md").read_text()
    listed = re.findall(r"^\| `(\w+)[`{]", page, re.MULTILINE)
    assert [code for code in listed if code in HINTS] == list(HINTS)
    names = re.findall(r"^# TYPE (\w+)", render(SIGHT), re.MULTILINE)
    assert [name for name in listed if name.startswith(PREFIX)] == names


def test_the_monitoring_page_shows_a_status_as_it_is(tmp_path: Path) -> None:
    Ledger(tmp_path).close()
    (shown,) = (block for block in blocks(ROOT / "docs" / "monitor.md", "text") if block.startswith("ledger"))
    titles = [line[:13].strip() for line in shown.splitlines()]
    told = [line[:13].strip() for line in lines(status(tmp_path))]
    assert [title for title in titles if title not in ("", "degraded")] == told


def test_the_page_on_devices_shows_what_doctor_and_bench_print(run_command: Command) -> None:
    pages = blocks(ROOT / "docs" / "devices.md", "text")
    for command, sign, width in (("doctor", "ok ", 21), ("bench", "model ", 12)):
        (shown,) = (block for block in pages if block.startswith(sign))
        done = run_command("oct-edge", command, *(("--rounds", 10) if command == "bench" else ()))
        assert done.returncode == 0, done.stdout
        told, titles = ([line[:width].split()[-1:] for line in text.splitlines()] for text in (done.stdout, shown))
        assert [title for title in told if title] == [title for title in titles if title]


def test_links_between_pages_lead_somewhere() -> None:
    for page in PAGES:
        for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_the_device_environment_works_without_tensorflow(samples: list[Path]) -> None:
    """`make classify` made it, with its own numpy."""
    python = ROOT / ".venv" / "bin" / "python"
    if not python.exists():
        pytest.skip("needs the environment of `make classify`")
    probe = "import importlib.util as u; print([n for n in ('tensorflow', 'keras', 'sklearn') if u.find_spec(n)])"
    found = subprocess.run([python, "-c", probe], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
    done = subprocess.run([python.parent / "oct-edge", "classify", "--json", *samples], capture_output=True, text=True)
    assert (done.returncode, len(done.stdout.splitlines())) == (0, len(samples))
    for command in ("oct-train all --data x --out y", "oct-convert --int8 --runs x --data y --out z"):
        name, *options = command.split()
        refused = subprocess.run([python.parent / name, *options], capture_output=True, text=True)
        assert refused.returncode == 69
        assert refused.stderr.splitlines() == [
            f"error [missing_extra]: `{name}` needs TensorFlow, which is not installed.",
            "  hint: pip install 'oct-edge[train]'",
        ]


def test_the_training_page_shows_how_dme_is_found_by_picture_size(oct2017: Path, tmp_path: Path) -> None:
    command = [
        sys.executable,
        ROOT / "benchmarks" / "robustness.py",
        "--data",
        oct2017,
        "--sizes",
        ROOT / "docs/crossval",
    ]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    of_dme = [line for line in done.stdout.splitlines() if line.startswith("DME") or "," not in line]
    shown = "\n".join(line for line in of_dme if not line.startswith("sensitivity"))
    assert shown in (ROOT / "docs" / "training.md").read_text()


def test_the_training_page_shows_the_cross_validations_that_are_kept(run_command: Command) -> None:
    done = run_command("oct-train", "crossval", "--out", ROOT / "docs" / "crossval")
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() in (ROOT / "docs" / "training.md").read_text()
