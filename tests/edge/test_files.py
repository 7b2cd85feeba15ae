"""Results on real disks: whole or absent, found again after a restart, and never a file name in a message."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from oct_edge.errors import ConfigurationError, OutputUnavailable
from oct_edge.files import ResultFolder, write_atomically
from oct_edge.result import ModelIdentity, Result, Source

SHA = "0123456789abcdef" * 4
OTHER = "fedcba9876543210" * 4


def result(name: str = "scan.jpeg", sha256: str = SHA) -> Result:
    return Result("2026-11-23T10:11:12Z", Source(name, sha256), "classified", ModelIdentity("plain", "0", "none"))


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 16 KiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=16k", "tmpfs", str(folder)]
    if os.geteuid() or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("needs root and the right to mount a tmpfs")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def fill(disk: Path) -> None:
    with suppress(OSError), (disk / "filler").open("wb", buffering=0) as file:
        while True:
            file.write(bytes(4096))


def test_a_file_is_written_whole_and_alone(tmp_path: Path) -> None:
    for content in (b"first", b"second"):
        write_atomically(tmp_path / "x.json", content)
        assert (tmp_path / "x.json").read_bytes() == content
    assert names(tmp_path) == ["x.json"]


def test_a_removed_folder_is_an_unavailable_output(tmp_path: Path) -> None:
    folder = ResultFolder(tmp_path / "results")
    shutil.rmtree(folder.folder)
    with pytest.raises(OutputUnavailable) as caught:
        folder.add(result("Meier_Anna.jpeg"))
    assert "Meier" not in caught.value.message + caught.value.hint
    assert SHA not in folder


def test_a_failing_rename_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "x.json").mkdir()
    with pytest.raises(OutputUnavailable):
        write_atomically(tmp_path / "x.json", b"data")
    assert names(tmp_path) == ["x.json"]


def test_a_full_disk_leaves_the_old_file_whole_and_no_temporary_one(disk: Path) -> None:
    write_atomically(disk / "x.json", b"old")
    fill(disk)
    with pytest.raises(OutputUnavailable, match="No space left"):
        write_atomically(disk / "x.json", b"new")
    assert (disk / "x.json").read_bytes() == b"old"
    assert names(disk) == ["filler", "x.json"]


def test_a_full_disk_keeps_a_scan_unanswered_until_there_is_room(disk: Path) -> None:
    folder = ResultFolder(disk)
    fill(disk)
    with pytest.raises(OutputUnavailable):
        folder.add(result())
    assert SHA not in folder
    (disk / "filler").unlink()
    folder.add(result())
    assert SHA in folder
    del folder
    assert SHA in ResultFolder(disk)


def test_two_processes_never_write_to_one_folder(tmp_path: Path) -> None:
    held = ResultFolder(tmp_path)
    held.add(result())
    with pytest.raises(ConfigurationError, match="another process"):
        ResultFolder(tmp_path)
    del held
    assert SHA in ResultFolder(tmp_path)


def test_a_read_only_disk_is_refused_at_the_start(disk: Path) -> None:
    subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
    with pytest.raises(ConfigurationError, match="cannot be used for results"):
        ResultFolder(disk)


def test_a_file_in_the_place_of_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "results").touch()
    with pytest.raises(ConfigurationError) as caught:
        ResultFolder(tmp_path / "results")
    assert "--output" in caught.value.hint


def test_the_folder_is_made_with_its_parents(tmp_path: Path) -> None:
    ResultFolder(tmp_path / "a" / "b")
    assert (tmp_path / "a" / "b").is_dir()


def test_only_our_own_left_overs_are_removed_at_the_start(tmp_path: Path) -> None:
    kept = [".hidden", "a.partial", "notes.json", "x.jpeg"]
    for name in [*kept, ".scan.0123456789abcdef.json.partial"]:
        (tmp_path / name).write_text("{")
    assert SHA not in ResultFolder(tmp_path)
    assert names(tmp_path) == kept


def test_what_was_added_is_remembered_by_content_alone(tmp_path: Path) -> None:
    ResultFolder(tmp_path).add(result("one.name.jpeg"))
    assert SHA in ResultFolder(tmp_path)
    assert OTHER not in ResultFolder(tmp_path)


def test_the_same_result_written_again_by_a_crash_is_one_file(tmp_path: Path) -> None:
    for _ in range(2):
        ResultFolder(tmp_path).add(result())
    assert names(tmp_path) == [f"scan.{SHA[:16]}.json"]


def test_two_contents_of_one_name_are_two_files(tmp_path: Path) -> None:
    folder = ResultFolder(tmp_path)
    assert folder.add(result()) != folder.add(result(sha256=OTHER))
    assert len(names(tmp_path)) == 2


def test_the_file_holds_the_line_that_is_printed(tmp_path: Path) -> None:
    path = ResultFolder(tmp_path).add(result("é👁\n.jpeg"))
    assert path.read_text(encoding="utf-8") == result("é👁\n.jpeg").to_json() + "\n"


@pytest.mark.parametrize(
    ("name", "stem"),
    [
        ("scan-041.jpeg", "scan-041"),
        ("a.b.jpeg", "a_b"),
        ("-rf.jpeg", "_rf"),
        ("..jpeg", "_"),
        ("👁.jpeg", "_"),
        ("é.jpeg", "_"),
        ("\udcff.jpeg", "_"),
        ("../../etc/x.jpeg", "x"),
        ("new\nline $(x) ; *.jpeg", "new_line_x_"),
        ("a" * 250 + ".jpeg", "a" * 80),
        ("", "_"),
    ],
)
def test_any_name_becomes_a_plain_one_inside_the_folder(tmp_path: Path, name: str, stem: str) -> None:
    path = ResultFolder(tmp_path / "results").add(result(name))
    assert path == tmp_path / "results" / f"{stem}.{SHA[:16]}.json"
    assert names(tmp_path) == ["results"]
    assert SHA in ResultFolder(tmp_path / "results")
