"""Results as files: one JSON file a content, and a note for each scan that was turned away.

A file is named after the scan and the digest of its bytes, so what a crash makes us write twice lands under one name.
Files are written whole, synced and renamed, several together, and the folders synced once for all of them.
"""

import errno
import fcntl
import json
import os
import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from oct_edge.errors import ConfigurationError
from oct_edge.files import PARTIAL, remove_together, write_together
from oct_edge.result import SCHEMA, Result, readable

_DIGEST = 16  # hex digits of the SHA-256 in a file name
_STEM = 80


class Exports:
    """The folder of results, held against every other process until `close`, and the folder of notes.

    Raises:
        ConfigurationError: one of them cannot be used, or another process writes there.
    """

    def __init__(self, results: Path, quarantine: Path) -> None:
        self.results, self.quarantine = results, quarantine
        _prepare(results, "--output")
        _prepare(quarantine, "--state")
        try:
            self._held: int | None = _hold(results)
        except BlockingIOError as error:
            raise ConfigurationError(
                f"{results}: another process writes its results there.",
                hint="Let one process watch, or give each its own --output.",
            ) from error
        for folder in (results, quarantine):
            _remove_left_overs(folder)

    def close(self) -> None:
        """Let others write. Closing twice is no error."""
        if self._held is not None:
            os.close(self._held)
            self._held = None

    def found(self) -> Iterator[Result]:
        """The results that are files already; files that are none are passed over."""
        for path in sorted(self.results.glob("[!.]*.json")):
            with suppress(OSError, ValueError, LookupError, TypeError, AttributeError):
                result = Result.from_json(path.read_text(encoding="utf-8"))
                if result.schema == SCHEMA and result.source.sha256:
                    yield result

    def write(self, results: Iterable[Result]) -> None:
        """Make the results durable as files, in the place of earlier ones of the same contents.

        Raises:
            OutputUnavailable: they are not, and must not be reported.
        """
        files, outdated = {}, []
        for result in results:
            file, note = self._paths(result.source.name, result.source.sha256 or "")
            files[file] = f"{result.to_json()}\n".encode()
            if result.status == "rejected":
                files[note] = _note(result)
            elif note.exists():
                outdated.append(note)
        if files:
            write_together(files)
            remove_together(outdated)

    def remove(self, contents: Iterable[tuple[str, str]]) -> None:
        """Remove the files of these names and contents, as far as nobody took them away.

        Raises:
            OutputUnavailable: they are still there, or a folder is gone and may come back with them.
        """
        remove_together(path for name, sha256 in contents for path in self._paths(name, sha256))

    def _paths(self, name: str, sha256: str) -> tuple[Path, Path]:
        """Where the result of a content is a file, and where the note if it is turned away."""
        stem = f"{_safe(readable(name))}.{sha256[:_DIGEST]}"
        return self.results / f"{stem}.json", self.quarantine / f"{stem}.reason.json"


def _note(result: Result) -> bytes:
    """What a person needs who looks after a scan that was turned away; the scan stays where it is."""
    content = json.loads(result.to_json())
    note = {"time": content["time"], **content["source"], **content["reasons"][0]}
    return f"{json.dumps(note, indent=1)}\n".encode()


def _prepare(folder: Path, option: str) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
            raise PermissionError(errno.EACCES, "no permission to read and write, or a read-only disk")
    except OSError as error:
        raise ConfigurationError(
            f"{folder}: cannot be used for results ({error.strerror}).",
            hint=f"Name a folder that this user may write to with {option}.",
        ) from error


def _hold(folder: Path) -> int:
    """Hold the folder against every other process for as long as the descriptor is open.

    Raises:
        BlockingIOError: another process has it.
    """
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(fd)
        raise
    return fd


def _remove_left_overs(folder: Path) -> None:
    """What a crash left of files that were being written."""
    for path in folder.iterdir():
        if path.name.startswith(".") and path.name.endswith(PARTIAL):
            with suppress(OSError):
                path.unlink()


def _safe(name: str) -> str:
    """The stem of a file name in letters that every file system and shell takes; no option starts like it."""
    return re.sub(r"^-|[^\w-]+", "_", Path(name).stem, flags=re.ASCII)[:_STEM] or "_"
