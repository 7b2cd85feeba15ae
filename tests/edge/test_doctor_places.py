"""Settings, folders and disks, real ones."""

import shlex
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from oct_edge.config.load import Sources
from oct_edge.config.loaded import Loaded
from oct_edge.doctor.finding import Finding
from oct_edge.doctor.places import disks, settings

Put = Callable[..., Loaded]


@pytest.fixture
def put(tmp_path: Path) -> Put:
    """Settings of a file with these folders, and what else it says."""

    def put(inbox: Path, output: Path, rest: str = "") -> Loaded:
        file = tmp_path / "oct-edge.toml"
        file.write_text(f'[source]\ninbox = "{inbox}"\n[output]\nfolder = "{output}"\n{rest}')
        return Sources({}, file, {}).load()

    return put


def states(found: list[Finding]) -> list[tuple[str, str]]:
    return [(finding.what, finding.state) for finding in found]


def test_where_nothing_is_set_nothing_is_wrong(tmp_path: Path) -> None:
    found = list(settings(Sources({}, None, {}, tmp_path / "none.toml").load()))
    assert states(found) == [("settings", "ok")]


def test_a_folder_that_is_missing_is_told_with_a_command_that_makes_it(put: Put, tmp_path: Path) -> None:
    loaded = put(tmp_path / "a inbox", tmp_path / "results")
    found = list(settings(loaded))
    assert states(found) == [("settings", "ok"), ("permissions", "fail")]
    assert "source.inbox" in found[1].text
    subprocess.run(shlex.split(found[1].cure.removeprefix("sudo ")), check=True)
    assert states(list(settings(loaded)))[1][1] != "fail"


def test_every_mistake_of_the_settings_is_told(put: Put, tmp_path: Path) -> None:
    loaded = put(tmp_path, tmp_path / "results", "[log]\nlevl = 1\n[decision]\nthreshold = 7\n")
    found = list(settings(loaded))
    assert states(found) == [("settings", "fail")] * 2
    assert {finding.cure for finding in found} == {"oct-edge config check"}
    assert "oct-edge.toml:6: log.levl is no setting" in found[0].text


@pytest.mark.parametrize(
    ("rest", "cure"),
    [
        ('[model]\nname = "/nowhere.tflite"\n', "oct-edge models"),
        ('[metrics]\ntextfile = "/tmp/x.txt"\n', "oct-edge config check"),
    ],
)
def test_what_is_no_folder_is_not_made_into_one(put: Put, tmp_path: Path, rest: str, cure: str) -> None:
    (found,) = [finding for finding in settings(put(tmp_path, tmp_path / "results", rest)) if finding.state == "fail"]
    assert (found.what, found.cure) == ("permissions", cure)


def test_a_disk_is_told_once_and_fails_when_it_is_full(
    put: Put, tmp_path: Path, small_disk: Callable, fill_up: Callable
) -> None:
    disk = small_disk("2m")
    loaded = put(tmp_path, disk / "deep" / "results")
    assert states(list(disks(loaded))) == [("disk", "ok")]
    fill_up(disk)
    (found,) = disks(loaded)
    assert (found.state, str(disk) in found.text) == ("fail", True)
    assert found.cure


def test_a_disk_that_takes_no_more_files_fails(put: Put, tmp_path: Path, small_disk: Callable) -> None:
    disk = small_disk("4m,nr_inodes=3")
    number = 0
    while True:
        try:
            (disk / str(number)).touch()
        except OSError:
            break
        number += 1
    (found,) = disks(put(tmp_path, disk))
    assert (found.state, "no file can be added" in found.text) == ("fail", True)


def test_without_settings_the_disk_of_the_working_directory_is_told(tmp_path: Path) -> None:
    (found,) = disks(Sources({}, None, {}, tmp_path / "none.toml").load())
    assert str(Path.cwd()) in found.text
