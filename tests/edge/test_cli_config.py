"""`oct-edge config check | show`, and where the other commands find the ledger."""

import json
import os
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oct_edge.cli_ledger import STATE
from oct_edge.config.file import USUAL
from oct_edge.config.keys import KEYS, PREFIX
from oct_edge.config.show import toml_value
from oct_edge.ledger.store import Ledger

# Root without the right to read and write everything; anyone else has not got it anyway.
PLAIN_USER = () if os.geteuid() else ("setpriv", "--bounding-set", "-dac_override,-dac_read_search")

ALL = """\
[model]
name = "compact-int8"
runtime = "litert"
threads = 2
[decision]
threshold = 0.3
strict = true
prior = "CNV=0.1,DME=0.1,DRUSEN=0.1,NORMAL=0.7"
[source]
kind = "folder"
inbox = '/in "box" \\ é'
stable = 1e20
interval = 3
events = "poll"
symlinks = "follow"
give_up = 1e21
[output]
folder = "/results"
jsonl = "/all.jsonl"
csv = "/all.csv"
[state]
folder = "/kept"
[quarantine]
mode = "link"
[retention]
days = 30
results = 10_000
[privacy]
names = "hashed"
[metrics]
textfile = "/metrics.prom"
[log]
format = "json"
level = "error"
"""


class Place:
    """Folders, a file that names them, and a command that gets no other settings than ours."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.path = folder, folder / "oct-edge.toml"
        self.inbox, self.output = folder / "inbox", folder / "results"
        self.inbox.mkdir()
        self.text = f'[source]\ninbox = "{self.inbox}"\n[output]\nfolder = "{self.output}"\n'

    def run(
        self, *arguments: object, text: str = "", under: tuple[str, ...] = (), **variables: str
    ) -> subprocess.CompletedProcess[str]:
        self.path.write_text(self.text + text)
        clean = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
        command = [*under, Path(sys.executable).parent / "oct-edge", *arguments]
        environ = {**clean, "OCT_EDGE_CONFIG": str(self.path), **variables}
        return subprocess.run(list(map(str, command)), capture_output=True, text=True, env=environ, timeout=60)

    def refused(self, *arguments: object, **options: Any) -> list[str]:
        """What is said by a command that exits with 78, line by line, without what is the same in all of them."""
        done = self.run(*arguments, **options)
        assert (done.returncode, done.stdout) == (78, "")
        *mistakes, hint = done.stderr.splitlines()
        assert hint.startswith("  hint: ")
        return [line.replace("error [settings_refused]: ", "").replace(str(self.path), "file") for line in mistakes]


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def test_settings_that_work_are_one_line_and_nothing_is_made(place: Place) -> None:
    done = place.run("config", "check", OCT_EDGE_LOG_LEVEL="debug")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"{place.path}: 3 settings are given, {len(KEYS) - 3} have their default\n"
    assert sorted(path.name for path in place.folder.iterdir()) == ["inbox", "oct-edge.toml"]


def test_every_mistake_is_told_with_its_line_and_78(place: Place) -> None:
    text = 'intervall = 1\n[log]\nlevel = "loud"\n'
    assert place.refused("config", "check", text=text, OCT_EDGE_MODEL_THREADS="many") == [
        "file:5: output.intervall is no setting; the nearest is source.interval.",
        'file:7: log.level has to be debug, info, warning or error, not "loud".',
        'OCT_EDGE_MODEL_THREADS: model.threads has to be a whole number, not "many".',
    ]


def test_a_file_that_is_named_on_the_command_line_wins(place: Place) -> None:
    other = place.folder / "other.toml"
    other.write_text("[source]\ninbox = \n")
    assert place.refused("config", "check", "--config", other)[0] == f"{other}:2: is not TOML (invalid value)."


def test_what_cannot_be_used_here_is_told_with_its_line(place: Place) -> None:
    place.output.touch()
    (place.folder / "csv").mkdir()
    text = f'jsonl = "{place.output}/all.jsonl"\ncsv = "{place.folder}/csv"\n[state]\nfolder = "{place.path}/kept"\n'
    text += '[model]\nname = "big"\n'
    assert place.refused("config", "check", text=text, OCT_EDGE_SOURCE_INBOX="gone") == [
        "file:10: model.name: big is neither a bundled model nor a readable file.",
        "OCT_EDGE_SOURCE_INBOX: source.inbox: gone is not there.",
        f"file:4: output.folder: {place.output} is no folder.",
        f"file:5: output.jsonl: {place.output} is no folder.",
        f"file:6: output.csv: {place.folder}/csv is a folder.",
        "file:8: state.folder: file is no folder.",
    ]


def test_what_this_user_may_not_use_is_told_with_its_line(place: Place) -> None:
    place.inbox.chmod(0o300)
    locked, csv = place.folder / "locked", place.folder / "all.csv"
    locked.mkdir(mode=0o500)
    csv.touch(mode=0o400)
    text = f'csv = "{csv}"\njsonl = "{locked}/all.jsonl"\n[state]\nfolder = "{locked}/a/b"\n'
    assert place.refused("config", "check", text=text, under=PLAIN_USER) == [
        f"file:2: source.inbox: {place.inbox} may not be read by this user.",
        f"file:6: output.jsonl: {locked} may not be written to by this user.",
        f"file:5: output.csv: {csv} may not be written to by this user.",
        f"file:8: state.folder: {locked} may not be written to by this user.",
    ]


def test_a_textfile_that_no_collector_reads_is_told(place: Place) -> None:
    text = f'[metrics]\ntextfile = "{place.folder}/metrics.txt"\n'
    assert place.refused("config", "check", text=text) == [
        f"file:6: metrics.textfile: {place.folder}/metrics.txt is read by no collector: its name has to end in .prom."
    ]


def test_a_disk_that_is_read_only_is_told_to_root_too(place: Place, small_disk: Callable[[str], Path]) -> None:
    disk = small_disk("16k")
    subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
    text = f'[state]\nfolder = "{disk}/state"\n'
    assert place.refused("config", "check", text=text) == [
        f"file:6: state.folder: {disk} may not be written to by this user."
    ]


def test_a_file_that_this_user_may_not_read_is_told(place: Place) -> None:
    place.run("config", "check")
    place.path.chmod(0o200)
    assert place.refused("config", "check", under=PLAIN_USER) == ["file: cannot be read (Permission denied)."]


def test_what_is_shown_says_the_same_when_it_is_read(place: Place, tmp_path: Path) -> None:
    place.text = ALL
    shown = place.run("config", "show").stdout
    assert tomllib.loads(shown) == tomllib.loads(ALL)
    assert json.loads(place.run("config", "show", "--json").stdout) == tomllib.loads(ALL)
    place.text = shown
    assert place.run("config", "show").stdout == shown


def test_what_is_not_set_is_shown_as_such(place: Place) -> None:
    place.text = ""
    shown = place.run("config", "show").stdout
    assert "# inbox is missing\n" in shown
    assert "# threads is not set\n" in shown
    assert "\nstable = 2.0\n" in shown
    assert json.loads(place.run("config", "show", "--json").stdout)["source"]["inbox"] is None


def test_each_value_is_shown_with_where_it_comes_from(place: Place) -> None:
    options = {"OCT_EDGE_SOURCE_STABLE": "3", "OCT_EDGE_STATE": "/kept"}
    lines = place.run("config", "show", "--origin", **options).stdout.splitlines()
    assert {
        f'inbox = "{place.inbox}"  # {place.path}:2',
        f'folder = "{place.output}"  # {place.path}:4',
        "stable = 3.0  # OCT_EDGE_SOURCE_STABLE",
        'folder = "/kept"  # OCT_EDGE_STATE',
        "interval = 1.0  # default",
        "# threads is not set  # default",
    } <= set(lines)
    assert tomllib.loads("\n".join(lines))["source"]["stable"] == 3.0
    shown = json.loads(place.run("config", "show", "--origin", "--json", **options).stdout)
    assert shown["source"]["inbox"] == {"value": str(place.inbox), "origin": f"{place.path}:2"}
    assert shown["retention"]["days"] == {"value": None, "origin": "default"}


def test_nothing_is_shown_of_settings_that_are_wrong(place: Place) -> None:
    assert place.refused("config", "show", text="[log\n") == [
        "file:5: is not TOML (expected ']' at the end of a table declaration)."
    ]


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_any_text_is_spelled_as_toml_spells_it(text: str) -> None:
    assert tomllib.loads(f"x = {toml_value(text)}") == {"x": text}


def test_the_ledger_is_found_where_the_file_puts_it(place: Place) -> None:
    Ledger(Path(f"{place.output}.state")).close()
    Ledger(place.folder / "kept").close()
    for text, options, folder in (
        ("", [], f"{place.output}.state"),
        (f'[state]\nfolder = "{place.folder}/kept"\n', [], f"{place.folder}/kept"),
        ("[log]\nlevel = 1\n", [], f"{place.output}.state"),
        ("[log\n", ["--state", place.folder / "kept"], f"{place.folder}/kept"),
    ):
        done = place.run("status", "--json", *options, text=text)
        assert Path(json.loads(done.stdout)["ledger"]).parent == Path(folder)


def test_the_variable_of_the_ledger_wins_over_the_file_for_all_who_ask_it(place: Place) -> None:
    Ledger(place.folder / "kept").close()
    for command in (["status"], ["results"], ["audit", "verify"], ["audit", "export"]):
        done = place.run(*command, OCT_EDGE_STATE=f"{place.folder}/kept")
        assert done.returncode == 0, done.stderr


@pytest.mark.skipif(USUAL.exists(), reason="this machine runs the service")
def test_without_a_file_the_ledger_is_that_of_the_service(place: Place) -> None:
    done = place.run("status", OCT_EDGE_CONFIG="")
    assert (done.returncode, f"{STATE}/ledger.sqlite3: there is no ledger" in done.stderr) == (78, True)


def test_a_file_that_may_hide_the_ledger_is_told(place: Place) -> None:
    assert place.refused("status", text="[state\n")[0].startswith("file:5: is not TOML")
