"""Files on real disks: whole or absent."""

from collections.abc import Callable
from pathlib import Path

import pytest

from oct_edge.errors import OutputUnavailable
from oct_edge.files import write_atomically, write_together

Mount, FillUp = Callable[[str], Path], Callable[[Path], Path]


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_file_is_written_whole_and_alone(tmp_path: Path) -> None:
    for content in (b"first", b"second"):
        write_atomically(tmp_path / "x.json", content)
        assert (tmp_path / "x.json").read_bytes() == content
    assert names(tmp_path) == ["x.json"]


def test_a_failing_rename_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "x.json").mkdir()
    with pytest.raises(OutputUnavailable):
        write_atomically(tmp_path / "x.json", b"data")
    assert names(tmp_path) == ["x.json"]


def test_a_full_disk_leaves_the_old_file_whole_and_no_temporary_one(small_disk: Mount, fill_up: FillUp) -> None:
    disk = small_disk("16k")
    write_atomically(disk / "x.json", b"old")
    fill_up(disk)
    with pytest.raises(OutputUnavailable, match="No space left"):
        write_atomically(disk / "x.json", b"new")
    assert (disk / "x.json").read_bytes() == b"old"
    assert names(disk) == ["filler", "x.json"]


def test_files_that_belong_together_get_their_names_together_or_not_at_all(small_disk: Mount) -> None:
    disk = small_disk("16k")
    write_atomically(disk / "report.json", b"old")
    with pytest.raises(OutputUnavailable):
        write_together({disk / "report.json": b"new", disk / "model.tflite": bytes(64 * 1024)})
    assert names(disk) == ["report.json"]
    assert (disk / "report.json").read_bytes() == b"old"
    write_together({disk / "report.json": b"new", disk / "model.tflite": b"model"})
    assert names(disk) == ["model.tflite", "report.json"]
    assert (disk / "report.json").read_bytes() == b"new"
