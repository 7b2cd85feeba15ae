"""Files are written where they differ, so that a second installation changes nothing, and nobody's work is lost.

A configuration that is there is never written over, drop-ins of other names are never touched, and of scans, results
and ledger nothing is ever removed. Each line that comes out says what became of one file.
"""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from oct_edge.errors import InstallationFailed, OutputUnavailable
from oct_edge.files import write_atomically
from oct_edge.units import shipped

_READABLE = 0o022  # the umask that lets the service read what root writes


def install(root: Path, program: Path, drop_ins: Mapping[str, bool | None]) -> Iterator[str]:
    """Write everything below `root`. A drop-in that is asked for neither way stays as it is, and up to date.

    Raises:
        InstallationFailed: a file cannot be written; those before it were.
    """
    wanted = {name: _drop_in(root, name).exists() if asked is None else asked for name, asked in drop_ins.items()}
    example = shipped.example()
    configuration = root / shipped.CONFIGURATION
    with _explained():
        for place, text in shipped.files(program, [name for name in wanted if wanted[name]]).items():
            yield _write(root / place, text)
        for name in (name for name in wanted if not wanted[name]):
            yield from _remove(_drop_in(root, name))
        if _is_changed(configuration, example):
            yield f"kept       {configuration}"
        elif example is not None:
            yield _write(configuration, example)


def uninstall(root: Path, program: Path) -> Iterator[str]:
    """Remove what `install` wrote. A changed configuration stays, and so does all that was seen and answered.

    Raises:
        InstallationFailed: a file cannot be removed.
    """
    configuration, data = root / shipped.CONFIGURATION, root / shipped.DATA
    with _explained():
        for place in shipped.files(program, shipped.drop_ins()):
            yield from _remove(root / place)
        if _is_changed(configuration, shipped.example()):
            yield f"kept       {configuration}"
        else:
            yield from _remove(configuration)
        for folder in (root / shipped.DROP_INS, configuration.parent):
            with suppress(OSError):  # it is not there, or holds what others wrote
                folder.rmdir()
    if data.exists():
        yield f"kept       {data}: scans, results and ledger, and the user who owns them"


def is_installed(root: Path) -> bool:
    return (root / shipped.UNITS / shipped.UNIT).exists()


def _drop_in(root: Path, name: str) -> Path:
    return root / shipped.DROP_INS / f"{name}.conf"


def _is_changed(configuration: Path, example: str | None) -> bool:
    return configuration.exists() and configuration.read_text(encoding="utf-8", errors="replace") != example


def _write(path: Path, text: str) -> str:
    data = text.encode()
    if path.is_file() and not path.is_symlink() and path.read_bytes() == data:
        return f"unchanged  {path}"
    before = os.umask(_READABLE)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, data)
    finally:
        os.umask(before)
    return f"written    {path}"


def _remove(path: Path) -> Iterator[str]:
    with suppress(FileNotFoundError):
        path.unlink()
        yield f"removed    {path}"


@contextmanager
def _explained() -> Iterator[None]:
    """Turn what the disk refuses into an error that says what to do."""
    hint = "Let this user write there; a card that was made read-only has to be made writable first."
    try:
        yield
    except OutputUnavailable as error:
        raise InstallationFailed(error.message, hint=hint) from error
    except OSError as error:
        raise InstallationFailed(f"{error.filename}: cannot be changed ({error.strerror}).", hint=hint) from error
