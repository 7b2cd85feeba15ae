"""`oct-edge watch` with settings from a file and from variables, which SIGHUP reads again, and what its log is then."""

import fcntl
import json
import os
import signal
import subprocess
import sys
import termios
import zipfile
from collections import Counter
from collections.abc import Callable, Iterable
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest

from oct_edge.bundle import CARD, LABELS_FILE, pack
from oct_edge.config.keys import PREFIX
from oct_edge.prior import EXAMPLE
from oct_models import DEFAULT, bundled_models

pytestmark = pytest.mark.system

COMMAND = Path(sys.executable).parent / "oct-edge"
Distinct = Callable[[int], list[bytes]]


class Configured:
    """A daemon that has no flags but the file."""

    def __init__(self, daemon: Any) -> None:
        self.daemon = daemon
        self.file = daemon.folder / "oct-edge.toml"

    def write(self, source: str = "", rest: str = "", *, inbox: Path | None = None) -> None:
        """The file, with these lines in its section for the source and after its last one."""
        places = f'[output]\nfolder = "{self.daemon.output}"\n[source]\ninbox = "{inbox or self.daemon.inbox}"\n'
        self.file.write_text(f"{places}interval = 0.05\n{source}\n[model]\nthreads = 1\n{rest}\n")

    def start(self, *options: object, wait_for: str = "watching", **variables: str) -> None:
        """Start it and wait until the log says so, or it has ended."""
        daemon = self.daemon
        clean = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
        command = [COMMAND, "watch", "--config", self.file, *options]
        with (daemon.folder / "stdout").open("wb") as out, (daemon.folder / "stderr").open("wb") as err:
            daemon.process = subprocess.Popen(
                list(map(str, command)), stdout=out, stderr=err, env={**clean, **variables}, start_new_session=True
            )
        daemon.until(lambda: wait_for in daemon.log() or daemon.process.poll() is not None)

    def reload(self, expected: str) -> None:
        """Send the signal and wait for what is said."""
        before = self.daemon.log().count(expected)
        self.daemon.process.send_signal(signal.SIGHUP)
        self.daemon.until(lambda: self.daemon.log().count(expected) > before)


@pytest.fixture
def configured(daemon: Any) -> Configured:
    return Configured(daemon)


def test_the_file_is_enough_and_a_variable_wins_over_it(configured: Configured, distinct: Distinct) -> None:
    daemon, scans = configured.daemon, distinct(2)
    daemon.put(scans[:1])
    configured.write("stable = 0", inbox=daemon.folder / "nowhere")
    configured.start("--once", OCT_EDGE_SOURCE_INBOX=str(daemon.inbox), OCT_EDGE_STATE=str(daemon.folder / "kept"))
    assert daemon.end() == 0
    assert daemon.answers(daemon.stored(), scans[:1])
    assert (daemon.folder / "kept" / "ledger.sqlite3").exists()
    assert not daemon.state.exists()


def test_a_flag_wins_over_a_variable(configured: Configured, distinct: Distinct) -> None:
    daemon = configured.daemon
    daemon.put(distinct(1))
    configured.write()
    nowhere = str(daemon.folder / "nowhere")
    configured.start("--once", "--stable", 0, daemon.inbox, OCT_EDGE_SOURCE_INBOX=nowhere, OCT_EDGE_SOURCE_STABLE="600")
    assert daemon.end() == 0
    assert daemon.answers(daemon.stored(), distinct(1))


def test_what_is_set_of_the_decision_is_what_classify_decides_and_stays_in_the_ledger(
    configured: Configured, samples: list[Path]
) -> None:
    daemon = configured.daemon
    daemon.put([path.read_bytes() for path in samples])
    configured.write("stable = 0", f'[decision]\nthreshold = 0.96\nstrict = true\nprior = "{EXAMPLE}"')
    configured.start("--once")
    assert daemon.end() == 0
    options = ("--threshold", "0.96", "--strict", "--prior", EXAMPLE, "--json")
    done = subprocess.run([COMMAND, "classify", *samples, *options], capture_output=True, text=True, check=True)
    asked = decided(map(json.loads, done.stdout.splitlines()))
    exported = subprocess.run([COMMAND, "results", "--state", daemon.state, "--json"], capture_output=True, text=True)
    assert len(asked) == len(samples)
    assert decided(daemon.stored()) == asked
    assert decided(line["result"] for line in map(json.loads, exported.stdout.splitlines())) == asked
    assert all(overrides["threshold"] == 0.96 for _, _, overrides in asked.values())


def decided(results: Iterable[dict]) -> dict[str, tuple]:
    """What follows for each content, and what was set."""
    return {r["source"]["sha256"]: (r["probabilities"], r["referral"], r["overrides"]) for r in results}


def test_a_prior_for_a_model_that_does_not_know_its_own_starts_nothing(
    configured: Configured, without_prior: Path
) -> None:
    configured.write("", f'name = "{without_prior}"\n[decision]\nprior = "{EXAMPLE}"')
    configured.start("--once")
    assert configured.daemon.end() == 78
    assert "does not say what mix of classes it was trained on" in configured.daemon.log()
    assert not configured.daemon.output.exists()


@pytest.fixture
def without_prior(tmp_path: Path) -> Path:
    """The default model with a card that names no mix of classes."""
    content = bundled_models()[DEFAULT].read_bytes()
    with zipfile.ZipFile(BytesIO(content)) as tail:
        card = json.loads(tail.read(CARD))
        files = {name: tail.read(name) for name in tail.namelist() if name not in (CARD, LABELS_FILE)}
    del card["training"]["class_prior"]
    path = tmp_path / "model.tflite"
    path.write_bytes(pack(content[: card["tflite"]["bytes"]], card, files))
    return path


def test_settings_that_are_wrong_start_nothing(configured: Configured) -> None:
    configured.write("intervall = 1")
    configured.start("--once")
    assert configured.daemon.end() == 78
    assert (
        f"{configured.file}:6: source.intervall is no setting; the nearest is source.interval."
        in configured.daemon.log()
    )
    assert not configured.daemon.output.exists()


def test_without_a_word_on_the_folders_it_says_what_is_missing(configured: Configured) -> None:
    configured.file.touch()
    configured.start()
    assert configured.daemon.end() == 78
    assert "source.inbox is missing" in configured.daemon.log()
    assert "output.folder is missing" in configured.daemon.log()


def test_what_may_change_is_taken_over_while_it_runs(configured: Configured, distinct: Distinct) -> None:
    daemon, scans = configured.daemon, distinct(2)
    configured.write("stable = 600")
    configured.start()
    worker = daemon.worker()
    daemon.put(scans)
    configured.write("stable = 0\ngive_up = 60")
    configured.reload("source.stable is 0.0 now, it was 600.0")
    daemon.until(lambda: len(daemon.printed()) == 2)
    assert "source.give_up is 60.0 now, it was 3600.0" in daemon.log()
    assert daemon.worker() == worker
    assert daemon.end(signal.SIGTERM) == 0
    assert daemon.answers(daemon.stored(), scans)


def test_an_interval_is_cut_short_and_changed_by_the_signal(configured: Configured, distinct: Distinct) -> None:
    daemon = configured.daemon
    configured.write("stable = 0")
    configured.start(OCT_EDGE_SOURCE_INTERVAL="600")
    configured.reload("the settings were read again and are the same")
    assert daemon.end(signal.SIGTERM) == 0
    configured.file.write_text(configured.file.read_text().replace("0.05", "600"))
    configured.start()
    configured.write("stable = 0")
    configured.reload("source.interval is 0.05 now, it was 600.0")
    daemon.put(distinct(1))
    daemon.until(daemon.printed)
    assert daemon.end(signal.SIGTERM) == 0


def test_settings_that_are_wrong_are_refused_and_the_old_ones_stay(configured: Configured, distinct: Distinct) -> None:
    daemon = configured.daemon
    configured.write("stable = 0")
    configured.start()
    configured.write("stable = 600\nintervall = 1", '[log]\nlevel = "loud"')
    configured.reload("log.level has to be debug, info, warning or error")
    refused = f"ERROR oct_edge.config: the new settings are refused, the old ones stay: {configured.file}:"
    assert f"{refused}7: source.intervall is no setting; the nearest is source.interval." in daemon.log()
    assert f"{refused}11: log.level has to be debug" in daemon.log()
    configured.file.unlink()
    configured.reload("there is no such file")
    daemon.put(distinct(1))
    daemon.until(daemon.printed)
    assert daemon.end(signal.SIGTERM) == 0


def test_what_needs_a_restart_is_said_and_stays(configured: Configured, distinct: Distinct) -> None:
    daemon, other = configured.daemon, configured.daemon.folder / "other"
    configured.write("stable = 0")
    configured.start()
    configured.write("stable = 0.01", inbox=other)
    configured.reload(f"WARNING oct_edge.config: source.inbox stays {daemon.inbox} until the next start")
    assert "source.stable is 0.01 now" in daemon.log()
    daemon.put(distinct(1))
    daemon.until(daemon.printed)
    assert daemon.end(signal.SIGTERM) == 0


def test_a_storm_of_signals_loses_no_scan_and_no_change(configured: Configured, distinct: Distinct) -> None:
    daemon, scans = configured.daemon, distinct(40)
    configured.write("stable = 0")
    configured.start()
    daemon.put(scans)
    for i in range(200):
        configured.write(f"stable = 0\ngive_up = {1000 + i}")
        daemon.process.send_signal(signal.SIGHUP)
    daemon.until(lambda: "source.give_up is 1199.0 now" in daemon.log() or daemon.process.poll() is not None)
    daemon.until(lambda: len(daemon.printed()) == len(scans))
    assert daemon.end(signal.SIGTERM) == 0
    assert daemon.answers(daemon.stored(), scans)


def test_the_settings_are_also_read_again_while_a_trouble_lasts(configured: Configured, distinct: Distinct) -> None:
    daemon = configured.daemon
    configured.write("stable = 600")
    configured.start()
    daemon.inbox.rename(daemon.folder / "unmounted")
    daemon.until(lambda: "degraded (inbox_missing)" in daemon.log())
    configured.write("stable = 0")
    configured.reload("source.stable is 0.0 now")
    (daemon.folder / "unmounted").rename(daemon.inbox)
    daemon.put(distinct(1))
    daemon.until(daemon.printed)
    assert daemon.end(signal.SIGTERM) == 0


def test_a_terminal_that_is_closed_ends_it_and_one_that_is_open_does_not(configured: Configured) -> None:
    daemon = configured.daemon
    configured.write()
    terminal, end = os.openpty()
    with (daemon.folder / "stdout").open("wb") as out, (daemon.folder / "stderr").open("wb") as err:
        daemon.process = subprocess.Popen(
            [COMMAND, "watch", "--config", configured.file],
            stdin=end,
            stdout=out,
            stderr=err,
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        )
    os.close(end)
    daemon.until(lambda: "watching" in daemon.log())
    configured.reload("the settings were read again and are the same")
    os.close(terminal)
    assert daemon.end() == 0


def lines(log: str) -> list[dict]:
    return [json.loads(line) for line in log.splitlines()]


def test_the_log_for_machines_has_nothing_but_objects_also_at_a_bad_end(
    configured: Configured, distinct: Distinct
) -> None:
    daemon = configured.daemon
    daemon.put([*distinct(1), b"no picture", b""])
    configured.write("stable = 0", '[log]\nformat = "json"')
    configured.start("--once")
    assert daemon.end() == 1
    said = lines(daemon.log())
    kinds = {line["kind"] for line in said if "kind" in line}
    assert kinds - {"clock_unsynced"} == {"unsupported_format", "empty_file", *_labels(daemon)}
    assert all({"time", "level", "logger", "message"} <= line.keys() for line in said)
    configured.start("--once", "--model", "nothing")
    assert daemon.end() == 78
    *_, last = lines(daemon.log())
    assert (last["level"], last["kind"]) == ("error", "model_not_found")
    assert last["hint"]


def _labels(daemon: Any) -> set[str]:
    return {result["label"] for result in daemon.printed() if result["label"]}


def test_the_log_changes_its_form_and_level_while_it_runs(configured: Configured, distinct: Distinct) -> None:
    daemon = configured.daemon
    configured.write("stable = 0")
    configured.start()
    configured.write("stable = 0", '[log]\nformat = "json"\nlevel = "warning"')
    daemon.process.send_signal(signal.SIGHUP)
    daemon.until(lambda: "log.level is warning now" in daemon.log())
    before = len(daemon.log())
    daemon.put([*distinct(1), b""])
    daemon.until(lambda: len(daemon.printed()) == 1 and "empty_file" in daemon.log())
    assert daemon.end(signal.SIGTERM) == 0
    assert [line["kind"] for line in lines(daemon.log()[before:])] == ["empty_file"]


def test_ten_thousand_bad_files_are_counted_exactly_and_written_in_few_lines(configured: Configured) -> None:
    daemon = configured.daemon
    for i in range(10_000):
        (daemon.inbox / f"Meier_{i}.jpeg").touch()
    for i in range(300):
        (daemon.inbox / f"Huber_{i}.png").write_bytes(b"no picture %d" % i)
    configured.write("stable = 0", '[log]\nformat = "json"')
    configured.start("--once", wait_for="never said")
    assert daemon.end() == 1
    said = lines(daemon.log())
    counted: Counter[str] = Counter()
    for line in said:
        counted[line.get("kind", "")] += line.get("held_back", 1)
    assert (counted["empty_file"], counted["unsupported_format"]) == (10_000, 300)
    assert len(said) < 100
    assert "Meier" not in daemon.log()
    assert "Huber" not in daemon.log()
