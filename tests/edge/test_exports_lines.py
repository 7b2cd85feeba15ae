"""Files of lines on real disks: every line once, whatever ends the process and wherever the file goes meanwhile."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oct_edge.errors import ConfigurationError, OutputUnavailable
from oct_edge.exports.lines import LineFile

HEADER = b"number,text\r\n"
TAIL = 1 << 16


def line(i: int) -> bytes:
    return b"%d,%s\r\n" % (i, b"x" * (i * 7 % 90))


def opened(path: Path) -> LineFile:
    return LineFile(path, "--csv", HEADER, HEADER)


def written(path: Path, *lines: bytes) -> None:
    """What one process writes, from the start to the end."""
    file = opened(path)
    file.append(lines)
    file.sync()
    file.close()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "all.csv"


def test_a_file_has_its_header_once_and_every_line_in_order(path: Path) -> None:
    for i in range(3):
        written(path, line(i), line(10 + i))
    assert path.read_bytes() == HEADER + b"".join(line(i) for i in (0, 10, 1, 11, 2, 12))


@pytest.mark.parametrize("there", range(5))
def test_lines_that_came_before_a_crash_are_not_written_again(path: Path, there: int) -> None:
    lines = [line(i) for i in range(4)]
    written(path, b"old,\r\n", *lines[:there])
    written(path, *lines)
    assert path.read_bytes() == HEADER + b"old,\r\n" + b"".join(lines)


@pytest.mark.parametrize("left", [b"", b"3", b"3,xxxxxx", b"3,xx\r", bytes(5000), b"3,x" + bytes(9), bytes(TAIL + 7)])
def test_half_a_line_and_the_zeros_of_a_power_failure_are_cut_off(path: Path, left: bytes) -> None:
    written(path, line(1), line(2))
    whole = path.read_bytes()
    path.write_bytes(whole + left)
    opened(path).close()
    assert path.read_bytes() == whole


@pytest.mark.parametrize("left", [b"", HEADER[:4], HEADER[:-1], HEADER, bytes(4096)])
def test_a_file_that_was_cut_off_in_its_header_begins_anew(path: Path, left: bytes) -> None:
    path.write_bytes(left)
    written(path, line(1))
    assert path.read_bytes() == HEADER + line(1)


@pytest.mark.parametrize("content", [b"scan,label\r\n", b"\xff\xd8\xff\xe0", b"\0\0\0\x18ftypmp42" * 9, b"number\n"])
def test_a_file_of_another_program_is_refused_and_left_as_it_is(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    with pytest.raises(ConfigurationError, match="begins with something else") as caught:
        opened(path)
    assert "--csv" in caught.value.hint
    assert path.read_bytes() == content


@pytest.mark.parametrize("make", [Path.mkdir, os.mkfifo, lambda path: path.symlink_to("/dev/null")])
def test_what_is_no_file_is_refused_without_blocking(path: Path, make: Callable[[Path], object]) -> None:
    make(path)
    with pytest.raises(ConfigurationError):
        opened(path)


def test_no_folder_is_made_since_it_may_belong_to_a_disk_that_is_missing(tmp_path: Path) -> None:
    with pytest.raises(OutputUnavailable, match="No such file"):
        opened(tmp_path / "mount" / "all.csv")
    assert list(tmp_path.iterdir()) == []


def test_a_file_is_held_against_every_other_writer_but_no_reader(path: Path) -> None:
    file = opened(path)
    with pytest.raises(ConfigurationError, match="another process"):
        opened(path)
    file.append([line(1)])
    assert path.read_bytes() == HEADER + line(1)
    file.close()
    file.close()
    opened(path).close()


@pytest.mark.parametrize("new", [lambda path: None, Path.touch])
def test_a_file_that_is_moved_away_is_followed_by_a_new_one(path: Path, new: Callable[[Path], object]) -> None:
    file = opened(path)
    file.append([line(1)])
    path.rename(path.with_name("all.csv.1"))
    new(path)  # as logrotate does with `create`
    file.append([line(2)])
    file.sync()
    file.close()
    assert path.with_name("all.csv.1").read_bytes() == HEADER + line(1)
    assert path.read_bytes() == HEADER + line(2)


def test_a_file_that_is_removed_or_emptied_in_place_goes_on(path: Path) -> None:
    file = opened(path)
    file.append([line(1)])
    path.unlink()
    file.append([line(2)])
    os.truncate(path, 0)
    file.append([line(3)])
    file.close()
    assert path.read_bytes() == HEADER + line(3)


@pytest.mark.parametrize("name", ["all.csv.1", "all-20261123.csv", "all.1.csv"])
def test_lines_are_looked_for_in_the_file_that_was_moved_away_after_a_crash(path: Path, name: str) -> None:
    written(path, line(0), line(1), line(2))
    path.rename(path.with_name(name))
    path.with_name("all.csv.9").write_bytes(HEADER + line(1))
    os.utime(path.with_name("all.csv.9"), (1, 1))
    path.with_name("all.txt").write_bytes(line(3))
    written(path, line(1), line(2), line(3))
    assert path.read_bytes() == HEADER + line(3)


@pytest.mark.parametrize("left", [b"", b"3", b"3,xxx" + bytes(20)])
def test_a_file_that_was_moved_away_without_a_whole_line_says_nothing(path: Path, left: bytes) -> None:
    written(path, line(1), line(2))
    path.rename(path.with_name("all.csv.1"))
    path.with_name("all.csv.2").write_bytes(HEADER + left)
    os.utime(path.with_name("all.csv.1"), (1, 1))
    written(path, line(1), line(2), line(3))
    assert path.read_bytes() == HEADER + line(3)


def test_a_folder_that_vanishes_is_an_unavailable_output(path: Path, tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    file = opened(folder / "all.csv")
    folder.rename(tmp_path / "gone")
    with pytest.raises(OutputUnavailable):
        file.append([line(1)])
    file.close()


def test_a_full_disk_leaves_whole_lines_and_none_is_lost_or_doubled_when_there_is_room(
    small_disk: Callable[[str], Path], fill_up: Callable[[Path], Path]
) -> None:
    path = small_disk("64k") / "all.csv"
    lines = [b"%d,%s\r\n" % (i, b"x" * 1000) for i in range(30)]
    written(path, lines[0])
    filler = fill_up(path.parent)
    file = opened(path)
    with pytest.raises(OutputUnavailable, match="No space left"):
        file.append(lines)
    file.close()
    filler.unlink()
    written(path, *lines)
    assert path.read_bytes() == HEADER + b"".join(lines)


LIMITED = """if True:
    import resource, signal, sys
    from pathlib import Path
    from oct_edge.errors import OutputUnavailable
    from oct_edge.exports.lines import LineFile
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
    file = LineFile(Path(sys.argv[1]), "--csv", b"number,text\\r\\n", b"number,text\\r\\n")
    try:
        file.append([b"%d,%s\\r\\n" % (i, b"x" * 100) for i in range(30)])
    except OutputUnavailable:
        sys.exit(69)
"""


def test_a_write_that_ends_in_the_middle_of_a_line_is_repaired_by_the_next_start(path: Path) -> None:
    assert subprocess.run([sys.executable, "-c", LIMITED, path]).returncode == 69
    assert path.stat().st_size == 1000
    lines = [b"%d,%s\r\n" % (i, b"x" * 100) for i in range(30)]
    written(path, *lines)
    assert path.read_bytes() == HEADER + b"".join(lines)


FAILING = """if True:
    import sys
    from pathlib import Path
    from oct_edge.errors import OutputUnavailable
    from oct_edge.exports.lines import LineFile
    file = LineFile(Path(sys.argv[1]), "--csv", b"number,text\\r\\n", b"number,text\\r\\n")
    file.append([b"2,\\r\\n", b"3,\\r\\n"])
    try:
        file.sync()
    except OutputUnavailable:
        sys.exit(69)
"""


def test_what_a_failed_sync_may_have_lost_is_not_shown_and_written_again_by_the_next_start(
    path: Path, strace: Callable[..., list[str]]
) -> None:
    written(path, b"1,\r\n")
    fail = strace("-e", "trace=fdatasync", "-e", "inject=fdatasync:error=EIO")
    assert subprocess.run([*fail, sys.executable, "-c", FAILING, path]).returncode == 69
    assert path.read_bytes() == HEADER + b"1,\r\n"
    written(path, b"2,\r\n", b"3,\r\n")
    assert path.read_bytes() == HEADER + b"1,\r\n2,\r\n3,\r\n"


@st.composite
def lives(draw: st.DrawFn) -> list[tuple[int, str, float, int]]:
    """Processes one after the other: how many lines each adds, how it ends, with how much written, and rotations."""
    ends = st.sampled_from(["after the mark", "before the mark", "in the middle", "with zeros"])
    return draw(st.lists(st.tuples(st.integers(0, 5), ends, st.floats(0, 1), st.integers(0, 2)), max_size=12))


@settings(deadline=None, max_examples=50)
@given(lives())
def test_every_line_stands_once_in_what_was_moved_away_and_what_is_there(
    processes: list[tuple[int, str, float, int]],
) -> None:
    """A model of ledger and mark beside the real file, which is cut off where nothing of it was synced."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "all.csv"
        committed = marked = moved = 0
        for count, end, share, rotations in [*processes, (1, "after the mark", 1.0, 0)]:
            committed += count
            file = opened(path)
            before = path.stat().st_size
            file.append([line(i) for i in range(marked, committed)])
            if end in ("in the middle", "with zeros"):
                after = path.stat().st_size
                os.truncate(path, before + int(share * (after - before)))
                os.truncate(path, after if end == "with zeros" else path.stat().st_size)
            else:
                file.sync()
            file.close()
            marked = committed if end == "after the mark" else marked
            for _ in range(rotations):
                if path.exists():
                    moved += 1
                    path.rename(f"{path}.{moved}")
                    os.utime(f"{path}.{moved}", (moved, moved))
        assert list(_read_whole_lines(path, moved)) == [line(i) for i in range(committed)]


def _read_whole_lines(path: Path, moved: int) -> Iterator[bytes]:
    """What a reader has got in the end that reads lines up to their end, and nothing behind a zero."""
    for place in (*(Path(f"{path}.{i + 1}") for i in range(moved)), path):
        content = place.read_bytes().split(b"\0")[0]
        lines = content[: content.rfind(b"\n") + 1].splitlines(keepends=True)
        assert lines[:1] in ([], [HEADER])
        yield from lines[1:]
