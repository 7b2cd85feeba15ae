"""Which files a command line means: files, folders, patterns that no shell expanded, and `-` for standard input."""

import glob
import os
import stat
from collections.abc import Iterable
from pathlib import Path

from oct_edge.reading import SUFFIXES

STDIN = Path("-")

_THUMBNAILS = ("@eaDir", "__MACOSX", "$RECYCLE.BIN")  # copies that storage and archives keep beside the files


def expand_paths(inputs: Iterable[str | os.PathLike[str]], *, recursive: bool = False) -> list[Path]:
    """The files that are meant: a folder stands for the scans in it, by name; anything else for itself.

    So does a folder without scans, or a subfolder that may not be entered: reading it will say why. A text with `*`,
    `?` or `[` that is no file is a pattern; `**` reaches into subfolders. `-` is `STDIN`; the file `./-` is not.
    """
    files: list[Path] = []
    for given in inputs:
        for path in _meant_by(given):
            found = _found_in(path, recursive) if _is_dir(path) else []
            files += found or [path]
    return files


def _meant_by(given: str | os.PathLike[str]) -> list[Path]:
    text = os.fspath(given)
    if text == "-":
        return [STDIN]
    path = Path(text)
    if glob.has_magic(text) and not _is_there(text):
        matches = sorted(glob.glob(text, recursive=True))  # noqa: PTH207  as the shell: hidden names need a dot
        return [Path(match) for match in matches] or [path]
    return [Path.cwd() / path] if path == STDIN else [path]


def _found_in(folder: Path, recursive: bool) -> list[Path]:
    found: list[Path] = []
    for place, folders, files in os.walk(folder):
        at = Path(place)
        found += [at / name for name in files if _is_named_as_scan(name) and _may_be_file(at / name)]
        folders[:] = [name for name in folders if not name.startswith(".") and name not in _THUMBNAILS]
        found += [at / name for name in folders if _is_closed(at / name)]
        if not recursive:
            break
    return sorted(found)


def _is_named_as_scan(name: str) -> bool:
    return name.lower().endswith(SUFFIXES) and not name.startswith(".")


def _may_be_file(path: Path) -> bool:
    """Not so a pipe, a device or a socket. What cannot be asked is taken for a file, and reading it will say why."""
    try:
        return stat.S_ISREG(path.stat().st_mode)
    except OSError:
        return True


def _is_closed(path: Path) -> bool:
    return _is_dir(path) and not os.access(path, os.R_OK | os.X_OK)


def _is_dir(path: Path) -> bool:
    return os.path.isdir(path)  # noqa: PTH112  pathlib's raises where a name is too long or a parent is closed


def _is_there(text: str) -> bool:
    return os.path.lexists(text)
