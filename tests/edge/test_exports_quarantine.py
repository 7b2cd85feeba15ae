"""What is kept of scans without an answer, on real disks: the very bytes that were graded, or a note why not."""

import json
import os
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from oct_edge.errors import OutputUnavailable, ScanDamaged
from oct_edge.exports import Exports
from oct_edge.exports.quarantine import Mode
from oct_edge.reading import MAX_BYTES
from oct_edge.result import ModelIdentity, Reason, Result, Source, rejected

MODEL = ModelIdentity("plain", "0", "none")
NAMES = [
    *(b"scan.jpeg", b"UPPER.JPEG", b"\xff\xe9.jpeg", b"a" * 250 + b".jpeg", b"new\nline.jpeg", b"-rf.jpeg"),
    *(
        "👁.jpeg".encode(),
        "e\u0301.jpeg".encode(),
        "\u00e9.jpeg".encode(),
        b"x .jpeg",
        b"$(x) ; `y`*|&.png",
        b"\\udcff.jpg",
    ),
]


class Place:
    """An inbox and the exports beside it."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.inbox = folder, folder / "inbox"
        self.inbox.mkdir()
        self.exports: Exports | None = None

    def open(self, mode: Mode | Callable[[], Mode], quarantine: Path | None = None, **options: Any) -> Exports:
        self.close()
        folder = quarantine or self.folder / "quarantine"
        self.exports = Exports(self.folder / "results", folder, mode=mode, inbox=self.inbox, **options)
        return self.exports

    def close(self) -> None:
        if self.exports:
            self.exports.close()

    def put(self, name: str | bytes, content: bytes = b"no scan") -> Result:
        """A file, and the result that rejects it."""
        (self.inbox / os.fsdecode(name)).write_bytes(content)
        source = Source(os.fsdecode(name), sha256(content).hexdigest())
        return rejected(ScanDamaged("the file ends in the middle."), source, MODEL)

    def notes(self) -> list[dict[str, Any]]:
        return [json.loads(path.read_text()) for path in sorted(self.exports.quarantine.glob("*.reason.json"))]

    def kept(self) -> list[Path]:
        """Every file of the folder that is no note, hidden ones too."""
        return sorted(path for path in self.exports.quarantine.iterdir() if not path.name.endswith(".reason.json"))


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    place = Place(tmp_path)
    yield place
    place.close()


@pytest.mark.parametrize("status", ["rejected", "ungradable"])
def test_a_note_says_what_a_person_needs_and_the_scan_stays_where_it_is(place: Place, status: Any) -> None:
    place.open("note").write([replace(place.put("scan.jpeg"), status=status)])
    (note,) = place.notes()
    assert (note["status"], note["code"], note["name"]) == (status, "damaged_image", "scan.jpeg")
    assert note["hint"]
    assert (note["kept"], note["file"], note["remark"]) == (None, None, "The scan was left where it is.")
    assert place.kept() == []


def test_a_result_without_a_reason_has_a_note_too(place: Place) -> None:
    place.open("note").write([replace(place.put("scan.jpeg"), reasons=())])
    assert len(place.notes()) == 1


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("mode", ["copy", "link"])
def test_a_scan_of_any_name_is_kept_under_a_plain_one_beside_its_note(place: Place, name: bytes, mode: Mode) -> None:
    result = place.put(name)
    before = (place.inbox / os.fsdecode(name)).stat()
    for given in (result, Result.from_json(result.to_json())):  # as it was graded, and as the ledger knows it
        exports = place.open(mode)
        exports.write([given])
        (note,), (kept,) = place.notes(), place.kept()
        assert (note["kept"], note["file"], note["remark"]) == (mode, kept.name, "")
        assert kept.read_bytes() == b"no scan"
        assert kept.name.startswith(f"{next(exports.results.iterdir()).stem}.")
        assert kept.name.isascii()
        for path in (kept, *place.exports.quarantine.iterdir()):
            path.unlink(missing_ok=True)
    after = (place.inbox / os.fsdecode(name)).stat()
    assert (after.st_ino, after.st_mtime_ns, after.st_mode) == (before.st_ino, before.st_mtime_ns, before.st_mode)


def test_a_link_shares_its_bytes_with_the_scan_and_a_copy_does_not(place: Place) -> None:
    place.open("copy").write([place.put("copied.jpeg", b"copied")])
    place.open("link").write([place.put("linked.jpeg", b"linked")])
    inodes = {path.name.split(".")[0]: path.stat().st_ino for path in place.kept()}
    assert inodes["linked"] == (place.inbox / "linked.jpeg").stat().st_ino
    assert inodes["copied"] != (place.inbox / "copied.jpeg").stat().st_ino


def test_the_same_content_is_kept_once_also_after_a_crash_that_the_scan_did_not_outlive(place: Place) -> None:
    result = place.put("scan.jpeg")
    for mode in ("copy", "link", "copy"):
        place.open(mode).write([result])
        (place.inbox / "scan.jpeg").unlink(missing_ok=True)
        assert [note["kept"] for note in place.notes()] == ["copy"]
        assert [path.read_bytes() for path in place.kept()] == [b"no scan"]


def test_a_link_whose_scan_was_written_over_is_not_taken_for_it(place: Place) -> None:
    result = place.put("scan.jpeg")
    place.open("link").write([result])
    place.put("scan.jpeg", b"another")
    place.open("link").write([result])
    assert [(note["kept"], "another content" in note["remark"]) for note in place.notes()] == [(None, True)]


def _vanish(path: Path) -> None:
    path.unlink()


def _change(path: Path) -> None:
    path.write_bytes(b"no scan any more")


def _become_a_pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def _grow(path: Path) -> None:
    os.truncate(path, MAX_BYTES + 1)


@pytest.mark.parametrize(
    ("happens", "remark"),
    [
        (_vanish, "nothing under its name any more"),
        (_change, "another content"),
        (_become_a_pipe, "cannot be read again"),
        (_grow, "larger than 64 MiB"),
    ],
)
def test_a_scan_that_cannot_be_kept_has_a_note_that_says_why(
    place: Place, happens: Callable[[Path], None], remark: str
) -> None:
    results = [place.put("a.jpeg", b"a"), place.put("b.jpeg", b"b")]
    happens(place.inbox / "a.jpeg")
    place.open("copy").write(results)
    first, second = place.notes()
    assert (first["kept"], first["file"]) == (None, None)
    assert remark in first["remark"]
    assert second["kept"] == "copy"
    assert [path.read_bytes() for path in place.kept()] == [b"b"]


def test_without_an_inbox_there_is_nothing_to_keep(place: Place) -> None:
    result = place.put("scan.jpeg")
    exports = Exports(place.folder / "results", place.folder / "quarantine", mode="copy")
    exports.write([result])
    exports.close()
    assert [path.name for path in (place.folder / "quarantine").iterdir()] == [
        f"scan.{result.source.sha256[:16]}.reason.json"
    ]


def test_a_scan_is_found_by_what_it_is_called_where_that_is_not_its_name(place: Place) -> None:
    place.put("Meier_Anna.jpeg", b"another")
    result = place.put("Meier_Bela.jpeg")
    result = replace(result, source=replace(result.source, name="pseudonym.jpeg"))
    place.open("copy", naming=lambda name: "pseudonym.jpeg").write([result])
    assert [path.read_bytes() for path in place.kept()] == [b"no scan"]
    assert "Meier" not in "".join(path.name + path.read_text() for path in place.exports.quarantine.iterdir())


@pytest.mark.parametrize("mode", ["copy", "link"])
def test_what_a_symbolic_link_in_the_inbox_leads_to_is_kept_and_not_the_link(place: Place, mode: Mode) -> None:
    result = place.put("scan.jpeg")
    (place.inbox / "scan.jpeg").rename(place.folder / "elsewhere")
    (place.inbox / "scan.jpeg").symlink_to("../elsewhere")
    place.open(mode).write([result])
    (kept,) = place.kept()
    assert (kept.is_symlink(), kept.read_bytes()) == (False, b"no scan")


def test_between_two_disks_there_is_a_copy_that_says_so(place: Place, small_disk: Callable[[str], Path]) -> None:
    place.open("link", small_disk("64k") / "quarantine").write([place.put("scan.jpeg")])
    (note,) = place.notes()
    assert note["kept"] == "copy"
    assert "No hard link could be made" in note["remark"]
    assert [(path.read_bytes(), path.stat().st_nlink) for path in place.kept()] == [(b"no scan", 1)]
    place.close()


def test_a_file_that_may_not_be_linked_is_copied(place: Place) -> None:
    result = place.put("scan.jpeg")
    if subprocess.run(["chattr", "+i", place.inbox / "scan.jpeg"], capture_output=True).returncode:
        pytest.skip("needs root and a file system with immutable files")
    try:
        place.open("link").write([result])
    finally:
        subprocess.run(["chattr", "-i", place.inbox / "scan.jpeg"], check=True)
    assert [note["kept"] for note in place.notes()] == ["copy"]


@pytest.mark.parametrize("mode", ["copy", "link"])
def test_a_full_disk_leaves_no_part_of_a_copy_and_the_result_is_not_durable(
    place: Place, small_disk: Callable[[str], Path], fill_up: Callable[[Path], Path], mode: Mode
) -> None:
    disk = small_disk("64k")
    result = place.put("Meier.jpeg", bytes(32768))
    exports = place.open(mode, disk / "quarantine")
    filler = fill_up(disk)
    with pytest.raises(OutputUnavailable, match="No space left") as caught:
        exports.write([result])
    assert "Meier" not in caught.value.message
    assert list(exports.quarantine.iterdir()) == []
    filler.unlink()
    exports.write([result])
    assert [path.read_bytes() for path in place.kept()] == [bytes(32768)]
    place.close()


def test_only_one_scan_is_in_memory_at_a_time(place: Place) -> None:
    results = [place.put(f"{i}.jpeg", bytes([i]) * (8 << 20)) for i in range(12)]
    exports = place.open("copy")
    Path("/proc/self/clear_refs").write_text("5")  # the peak is measured from here on
    before = _kib("VmRSS")
    exports.write(results)
    assert _kib("VmHWM") - before < 24 << 10
    assert len(place.kept()) == 12


def _kib(key: str) -> int:
    return int(Path("/proc/self/status").read_text().split(f"{key}:")[1].split()[0])


def test_what_was_answered_in_the_end_is_kept_no_longer(place: Place) -> None:
    result = place.put("scan.jpeg")
    exports = place.open("copy")
    exports.write([result])
    exports.write([replace(result, status="classified", reasons=(Reason("low_confidence", "", ""),))])
    assert list(exports.quarantine.iterdir()) == []
    assert len(list(exports.results.iterdir())) == 1


def test_the_mode_may_change_while_it_goes_on(place: Place) -> None:
    modes: list[Mode] = ["note"]
    exports = place.open(lambda: modes[-1])
    exports.write([place.put("a.jpeg", b"a")])
    modes.append("copy")
    exports.write([place.put("b.jpeg", b"b")])
    modes.append("note")
    exports.write([place.put("b.jpeg", b"b"), place.put("c.jpeg", b"c")])
    assert [path.read_bytes() for path in place.kept()] == [b"b"]
    assert [note["kept"] for note in place.notes()] == [None, "copy", None]
