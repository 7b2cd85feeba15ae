"""Which files a command line means, and what becomes of those that this user may not read."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from oct_edge.scan import STDIN, expand_paths

NAMES = ("b.jpeg", "a.JPG", "c.png", ".hidden.png", "notes.txt", "sub/d.jpeg", "sub/deeper/e.dcm")


@pytest.fixture
def inbox(tmp_path: Path) -> Path:
    (tmp_path / "sub" / "deeper").mkdir(parents=True)
    for name in NAMES:
        (tmp_path / name).touch()
    return tmp_path


def test_a_folder_stands_for_the_scans_in_it_by_name(inbox: Path) -> None:
    assert expand_paths([inbox]) == [inbox / "a.JPG", inbox / "b.jpeg", inbox / "c.png"]


def test_subfolders_are_looked_into_when_asked(inbox: Path) -> None:
    assert expand_paths([inbox], recursive=True)[-2:] == [inbox / "sub" / "d.jpeg", inbox / "sub" / "deeper" / "e.dcm"]


@pytest.mark.parametrize("name", ["x.tif", "x.TIFF", "x.dcm", "x.DICOM"])
def test_volumes_are_scans_of_a_folder_too(tmp_path: Path, name: str) -> None:
    (tmp_path / name).touch()
    assert expand_paths([tmp_path]) == [tmp_path / name]


def test_what_is_no_file_and_what_others_keep_beside_the_files_is_left_alone(inbox: Path) -> None:
    """What Synology, macOS and Windows leave behind, and what only has the name of a scan."""
    for name in ("._b.jpeg", ".DS_Store", "Thumbs.db", ".git/x.png", "@eaDir/b.jpeg", "__MACOSX/b.jpeg"):
        (inbox / name).parent.mkdir(exist_ok=True)
        (inbox / name).touch()
    (inbox / "folder.jpeg").mkdir()
    os.mkfifo(inbox / "pipe.png")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(inbox / "socket.png"))
    (inbox / "null.png").symlink_to("/dev/null")
    (inbox / "gone.png").symlink_to(inbox / "nowhere")
    expected = ["a.JPG", "b.jpeg", "c.png", "gone.png", "sub/d.jpeg", "sub/deeper/e.dcm"]
    assert expand_paths([inbox], recursive=True) == [inbox / name for name in expected]


def test_a_link_to_a_folder_is_not_walked_in_circles(inbox: Path) -> None:
    (inbox / "sub" / "again").symlink_to(inbox)
    assert len(expand_paths([inbox], recursive=True)) == 5


@pytest.mark.parametrize(
    ("pattern", "names"),
    [
        ("*.jpeg", ["b.jpeg"]),
        ("[ab].*", ["a.JPG", "b.jpeg"]),
        ("?.png", ["c.png"]),
        ("**/*.jpeg", ["b.jpeg", "sub/d.jpeg"]),
        ("s*", ["sub/d.jpeg"]),
        ("*.bmp", ["*.bmp"]),
        ("*", ["a.JPG", "b.jpeg", "c.png", "notes.txt", "sub/d.jpeg"]),
    ],
)
def test_a_pattern_that_no_shell_expanded_is_expanded(inbox: Path, pattern: str, names: list[str]) -> None:
    assert expand_paths([str(inbox / pattern)]) == [inbox / name for name in names]


def test_a_file_that_is_called_like_a_pattern_is_that_file(inbox: Path) -> None:
    (inbox / "[ab].png").touch()
    assert expand_paths([str(inbox / "[ab].png")]) == [inbox / "[ab].png"]


def test_a_dash_is_standard_input_and_a_file_of_that_name_is_not(inbox: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(inbox)
    Path("-").touch()
    assert expand_paths(["-", "./-", "b.jpeg"]) == [STDIN, inbox / "-", Path("b.jpeg")]


def test_a_named_file_is_taken_whatever_its_name_is(inbox: Path) -> None:
    named = [inbox / "notes.txt", inbox / ".hidden.png", inbox / "gone.jpeg", inbox / "b.jpeg", inbox / "b.jpeg"]
    assert expand_paths(named) == named


def test_a_folder_without_scans_stands_for_itself(tmp_path: Path) -> None:
    assert expand_paths([tmp_path]) == [tmp_path]


def test_a_name_that_no_file_system_takes_is_kept_for_the_reader_to_refuse() -> None:
    paths = [Path("a" * 300), Path("nul\0byte")]
    assert expand_paths(paths) == paths


def test_what_this_user_may_not_read_is_refused_and_not_left_out(inbox: Path) -> None:
    """In a process of its own without privileges, because root may read everything."""
    for closed in ("b.jpeg", "sub"):
        (inbox / closed).chmod(0)
    inbox.chmod(0o755)
    script = (
        "import os\n"
        "from pathlib import Path\n"
        "from oct_edge.errors import ScanError\n"
        "from oct_edge.reading import read_bytes\n"
        "from oct_edge.scan import expand_paths\n"
        "if os.geteuid() == 0: os.setgroups([]); os.setgid(65534); os.setuid(65534)\n"
        "for path in expand_paths([Path('.'), Path('sub/d.jpeg')], recursive=True):\n"
        "    try: read_bytes(path); print(path)\n"
        "    except ScanError as error: print(path, error.code, error.message)\n"
    )
    done = subprocess.run(
        [sys.executable, "-P", "-c", script],
        cwd=inbox,
        capture_output=True,
        text=True,
        check=True,
        env=dict(os.environ),
    )
    (inbox / "sub").chmod(0o755)
    assert done.stdout.splitlines() == [
        "a.JPG",
        "b.jpeg unreadable b.jpeg: cannot be read (permission denied).",
        "c.png",
        "sub unreadable sub: cannot be read (permission denied).",
        "sub/d.jpeg unreadable sub/d.jpeg: cannot be read (permission denied).",
    ]
