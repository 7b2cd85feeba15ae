"""Result files on real disks: whole or absent, written again without harm, and never a file name in a message."""

import json
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from oct_edge.errors import ConfigurationError, OutputUnavailable, ScanDamaged
from oct_edge.exports import Exports
from oct_edge.result import ModelIdentity, Result, Source, rejected

SHA, OTHER = "0123456789abcdef" * 4, "fedcba9876543210" * 4
MODEL = ModelIdentity("plain", "0", "none")


def result(name: str = "scan.jpeg", sha256: str = SHA) -> Result:
    return Result("2026-11-23T10:11:12Z", Source(name, sha256), "classified", MODEL)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture
def exports(tmp_path: Path) -> Iterator[Exports]:
    exports = Exports(tmp_path / "results", tmp_path / "quarantine")
    yield exports
    exports.close()


def test_a_file_holds_the_line_that_is_printed(exports: Exports) -> None:
    exports.write([result("é👁\n.jpeg")])
    (path,) = exports.results.iterdir()
    assert path.read_text(encoding="utf-8") == result("é👁\n.jpeg").to_json() + "\n"
    assert names(exports.quarantine) == []


def test_a_rejected_scan_has_a_result_and_a_note_that_says_why(exports: Exports) -> None:
    error = ScanDamaged("scan.jpeg: the file ends in the middle.")
    exports.write([result("other.jpeg", OTHER), rejected(error, Source("scan.jpeg", SHA), MODEL)])
    assert names(exports.results) == [f"other.{OTHER[:16]}.json", f"scan.{SHA[:16]}.json"]
    (note,) = exports.quarantine.iterdir()
    assert note.name == f"scan.{SHA[:16]}.reason.json"
    content = json.loads(note.read_text())
    assert (content["code"], content["hint"], content["sha256"]) == (error.code, error.hint, SHA)


def test_the_same_result_written_again_by_a_crash_is_one_file(exports: Exports) -> None:
    for _ in range(2):
        exports.write([result()])
    assert names(exports.results) == [f"scan.{SHA[:16]}.json"]


def test_two_contents_of_one_name_are_two_files(exports: Exports) -> None:
    exports.write([result(), result(sha256=OTHER)])
    assert len(names(exports.results)) == 2


def test_a_removed_folder_is_an_unavailable_output(exports: Exports) -> None:
    shutil.rmtree(exports.results)
    with pytest.raises(OutputUnavailable) as caught:
        exports.write([result("Meier_Anna.jpeg")])
    assert "Meier" not in caught.value.message + caught.value.hint


def test_a_full_disk_leaves_no_part_of_a_file_and_room_is_used_again(
    small_disk: Callable[[str], Path], fill_up: Callable[[Path], Path]
) -> None:
    disk = small_disk("16k")
    exports = Exports(disk / "results", disk / "quarantine")
    filler = fill_up(disk)
    with pytest.raises(OutputUnavailable, match="No space left"):
        exports.write([result(), result(sha256=OTHER)])
    assert names(exports.results) == []
    filler.unlink()
    exports.write([result()])
    assert len(names(exports.results)) == 1
    exports.close()


def test_two_processes_never_write_to_one_folder(tmp_path: Path, exports: Exports) -> None:
    with pytest.raises(ConfigurationError, match="another process"):
        Exports(exports.results, tmp_path / "another")
    exports.close()
    Exports(exports.results, tmp_path / "another").close()


def test_a_read_only_disk_is_refused_at_the_start(small_disk: Callable[[str], Path], tmp_path: Path) -> None:
    disk = small_disk("16k")
    subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
    with pytest.raises(ConfigurationError, match="cannot be used for results"):
        Exports(disk, tmp_path / "quarantine")


@pytest.mark.parametrize(("folder", "option"), [("results", "--output"), ("quarantine", "--state")])
def test_a_file_in_the_place_of_a_folder_is_refused(tmp_path: Path, folder: str, option: str) -> None:
    (tmp_path / folder).touch()
    with pytest.raises(ConfigurationError) as caught:
        Exports(tmp_path / "results", tmp_path / "quarantine")
    assert option in caught.value.hint


def test_folders_are_made_with_their_parents(tmp_path: Path) -> None:
    Exports(tmp_path / "a" / "b", tmp_path / "c" / "d").close()
    assert (tmp_path / "a" / "b").is_dir()
    assert (tmp_path / "c" / "d").is_dir()


def test_only_our_own_left_overs_are_removed_at_the_start(tmp_path: Path) -> None:
    kept = [".hidden", "a.partial", "notes.json", "x.jpeg"]
    for name in [*kept, ".scan.0123456789abcdef.json.partial"]:
        (tmp_path / name).write_text("{")
    Exports(tmp_path, tmp_path / "quarantine").close()
    assert names(tmp_path) == [*kept[:3], "quarantine", "x.jpeg"]


@pytest.mark.parametrize(
    ("name", "stem"),
    [
        ("scan-041.jpeg", "scan-041"),
        ("a.b.jpeg", "a_b"),
        ("-rf.jpeg", "_rf"),
        ("..jpeg", "_"),
        ("👁.jpeg", "_"),
        ("é.jpeg", "_"),
        ("\udcff.jpeg", "_udcff"),
        ("../../etc/x.jpeg", "x"),
        ("new\nline $(x) ; *.jpeg", "new_line_x_"),
        ("a" * 250 + ".jpeg", "a" * 80),
        ("", "_"),
    ],
)
def test_any_name_becomes_a_plain_one_inside_the_folder(exports: Exports, name: str, stem: str) -> None:
    exports.write([result(name)])
    assert names(exports.results) == [f"{stem}.{SHA[:16]}.json"]
    assert names(exports.results.parent) == ["quarantine", "results"]
