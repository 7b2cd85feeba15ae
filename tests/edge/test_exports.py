"""Result files on real disks: whole or absent, written again without harm, and never a file name in a message."""

import json
import shutil
import subprocess
from collections.abc import Callable, Iterator
from hashlib import sha256
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
        ("\u00e9.jpeg", "_"),
        ("e\u0301.jpeg", "e_"),
        ("\udcff.jpeg", "_udcff"),
        ("../../etc/x.jpeg", "x"),
        ("..", "_"),
        ("/etc/passwd", "passwd"),
        ("new\nline $(x) ; *.jpeg", "new_line_x_"),
        ("`reboot` && echo > /dev/sda | %s {0} 'x' \"y\".jpeg", "sda_s_0_x_y_"),
        ("x .jpeg", "x_"),
        ("x.jpeg ", "x"),
        ("\u202egpj.exe", "_gpj"),
        ("a" * 250 + ".jpeg", "a" * 80),
        ("👁" * 62 + ".jpeg", "_"),
        ("", "_"),
    ],
)
def test_any_name_becomes_a_plain_one_inside_the_folder(exports: Exports, name: str, stem: str) -> None:
    exports.write([result(name)])
    assert names(exports.results) == [f"{stem}.{SHA[:16]}.json"]
    assert names(exports.results.parent) == ["quarantine", "results"]
    again = Result.from_json(result(name).to_json())  # as the ledger knows it
    exports.write([again])
    assert len(names(exports.results)) == 1


@pytest.fixture
def with_lines(tmp_path: Path) -> Callable[..., Exports]:
    """Exports with both files of lines."""
    jsonl, csv = tmp_path / "all.jsonl", tmp_path / "all.csv"
    return lambda **options: Exports(
        tmp_path / "results", tmp_path / "quarantine", **({"jsonl": jsonl, "csv": csv} | options)
    )


def test_each_result_is_one_line_in_each_file_and_the_json_is_the_one_that_is_printed(
    with_lines: Callable[..., Exports], tmp_path: Path
) -> None:
    for i, digest in enumerate((SHA, OTHER)):
        exports = with_lines()
        exports.write([result(f"{i}\n.jpeg", digest)])
        exports.close()
    lines = [result("0\n.jpeg").to_json(), result("1\n.jpeg", OTHER).to_json()]
    assert (tmp_path / "all.jsonl").read_text().split("\n") == [*lines, ""]
    header, *rows = (tmp_path / "all.csv").read_text().splitlines()
    assert header.startswith("time,name,sha256,")
    assert [row.split(",")[2] for row in rows] == [SHA, OTHER]


def test_results_that_come_again_after_a_crash_are_no_second_lines_and_none_is_missing(
    with_lines: Callable[..., Exports], tmp_path: Path
) -> None:
    """So many that the end of the file does not hold them; they are given all at once, as the ledger knows them."""
    results = [result(f"{i}.jpeg", f"{i:064x}") for i in range(300)]
    exports = with_lines()
    exports.write(results[:250])
    exports.close()
    with (tmp_path / "all.csv").open("r+b") as file:
        file.truncate(9000)
    exports = with_lines()
    exports.write(results)
    exports.close()
    for name, lines in (("all.jsonl", 300), ("all.csv", 301)):
        found = (tmp_path / name).read_text().splitlines()
        assert (len(found), len(set(found))) == (lines, lines)
    assert len(names(tmp_path / "results")) == 300


def test_after_a_failure_no_line_is_added_before_the_files_are_opened_anew(
    with_lines: Callable[..., Exports], tmp_path: Path
) -> None:
    exports = with_lines()
    (tmp_path / "results").rename(tmp_path / "gone")
    with pytest.raises(OutputUnavailable):
        exports.write([result()])
    (tmp_path / "gone").rename(tmp_path / "results")
    with pytest.raises(OutputUnavailable, match="closed"):
        exports.write([result()])
    exports.close()
    exports = with_lines()
    exports.write([result()])
    exports.close()
    assert len((tmp_path / "all.jsonl").read_text().splitlines()) == 1
    assert len((tmp_path / "all.csv").read_text().splitlines()) == 2


def test_one_file_is_not_for_both_kinds_of_lines(with_lines: Callable[..., Exports], tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError):
        with_lines(csv=tmp_path / "all.jsonl")
    with_lines().close()


def test_what_is_removed_takes_result_note_and_scan_and_leaves_lines(tmp_path: Path) -> None:
    (tmp_path / "scan.jpeg").write_bytes(b"scan")
    source = Source("scan.jpeg", sha256(b"scan").hexdigest())
    exports = Exports(
        tmp_path / "results", tmp_path / "quarantine", jsonl=tmp_path / "all.jsonl", mode="copy", inbox=tmp_path
    )
    exports.write([rejected(ScanDamaged("Cut."), source, MODEL), result(sha256=OTHER)])
    assert (len(names(exports.results)), len(names(exports.quarantine))) == (2, 2)
    for _ in range(2):
        exports.remove([(source.name, str(source.sha256))])
    assert names(exports.results) == [f"scan.{OTHER[:16]}.json"]
    assert names(exports.quarantine) == []
    assert (tmp_path / "scan.jpeg").read_bytes() == b"scan"
    assert len((tmp_path / "all.jsonl").read_text().splitlines()) == 2
    exports.close()
