"""What is kept of a scan that has no answer: a note that says why and, where it is wanted, the scan.

The scan in the inbox is only read, and read again for this, maybe long after its bytes were graded: what is kept must
have their digest. Where it has not, or the scan is gone, the note says so.
"""

import hashlib
import json
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from oct_edge.errors import ScanError, ScanNotFound, ScanTooLarge
from oct_edge.exports.folders import name_for, prepare, remove_left_overs
from oct_edge.exports.sources import Sources
from oct_edge.files import PARTIAL, unwritable
from oct_edge.reading import MAX_BYTES, SUFFIXES, digest_of, read_bytes
from oct_edge.result import Result

Mode = Literal["note", "copy", "link"]

_LEFT = "The scan was left where it is."
_NO_LINK = "No hard link could be made ({why}), so this is a copy."
_NOT_KEPT = "The scan could not be kept: {why}."
_GONE = _NOT_KEPT.format(why="the inbox has nothing under its name any more")
_CHANGED = _NOT_KEPT.format(why="what has its name in the inbox is another content")
_TOO_LARGE = _NOT_KEPT.format(why=f"it is larger than {MAX_BYTES >> 20} MiB")
_UNREADABLE = _NOT_KEPT.format(why="it cannot be read again")


@dataclass(frozen=True)
class Kept:
    """How a scan is kept, in which file of the folder, and what there is to say about it."""

    kept: Literal["copy", "link"] | None
    file: str | None
    remark: str


class Quarantine:
    """The folder. `mode` is asked for each scan, `naming` is what results call a file of the inbox.

    A link takes no room, but it is the scan: what is written into that later shows. Where none can be made, as between
    two disks, there is a copy.

    Raises:
        ConfigurationError: the folder cannot be used.
    """

    def __init__(
        self, folder: Path, mode: Callable[[], Mode], inbox: Path | None, naming: Callable[[str], str]
    ) -> None:
        self.folder = folder
        self._mode, self._inbox, self._naming = mode, inbox, naming
        prepare(folder, "--state")
        remove_left_overs(folder)

    def notes(self, results: Iterable[Result]) -> dict[Path, bytes]:
        """The notes on those without an answer, by path. What is to be kept is there by then, and durable with them.

        Raises:
            OutputUnavailable: a scan cannot be written into the folder.
        """
        unanswered = [result for result in results if result.status in ("ungradable", "rejected")]
        sources = Sources(self._inbox, self._naming, {result.source.name for result in unanswered})
        notes = {}
        for result in unanswered:
            path, kept = self.paths(result.source.name, str(result.source.sha256))
            notes[path] = _note(result, self._keep(result, kept, sources))
        return notes

    def paths(self, name: str, sha256: str) -> tuple[Path, Path]:
        """Where the note on a content belongs, and the scan if it is kept."""
        stem, suffix = name_for(name, sha256), Path(name).suffix.lower()
        return self.folder / f"{stem}.reason.json", self.folder / f"{stem}{suffix if suffix in SUFFIXES else '.scan'}"

    def _keep(self, result: Result, target: Path, sources: Sources) -> Kept:
        digest, remark = str(result.source.sha256), _GONE
        with suppress(ScanError, OSError):  # from before a crash, or before another answer
            if digest_of(target) == digest:
                return Kept("link" if target.stat().st_nlink > 1 else "copy", target.name, "")
        if self._mode() == "note":
            return Kept(None, None, _LEFT)
        for path in sources.of(result.source.name):
            try:
                return self._taken(path, target, digest)
            except ScanNotFound:
                continue
            except _OtherContent:
                remark = _CHANGED
            except ScanTooLarge:
                remark = _TOO_LARGE
            except ScanError:
                remark = _UNREADABLE
        return Kept(None, None, remark)

    def _taken(self, path: Path, target: Path, digest: str) -> Kept:
        """The scan, kept if it has this digest.

        Raises:
            _OtherContent: it has not.
            ScanError: it cannot be read.
        """
        remark = ""
        if self._mode() == "link":
            try:
                with _partial(target) as partial:
                    _link(path, partial, digest)
                return Kept("link", target.name, "")
            except OSError as error:
                remark = _NO_LINK.format(why=error.strerror)
        data = _read(path, digest)
        try:
            with _partial(target) as partial, partial.open("wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise unwritable(f"{self.folder}: a scan cannot be kept", error) from error
        return Kept("copy", target.name, remark)


class _OtherContent(Exception):
    """What has the name now is not what was graded."""


@contextmanager
def _partial(target: Path) -> Iterator[Path]:
    """Another name, which the block gives to a file; that gets the name `target` if there was no error."""
    partial = target.with_name(f".{target.name}{PARTIAL}")
    try:
        yield partial
        partial.replace(target)
    finally:
        with suppress(OSError):  # also of two links to one file, which renaming leaves as they are
            partial.unlink()


def _link(path: Path, partial: Path, digest: str) -> None:
    os.link(os.path.realpath(path), partial)
    if partial.is_symlink() or digest_of(partial) != digest:
        raise _OtherContent(f"{path}: not what was graded.")
    with partial.open("rb") as file:
        os.fsync(file.fileno())  # whoever copied it here need not have


def _read(path: Path, digest: str) -> bytes:
    data = read_bytes(path)
    if hashlib.sha256(data).hexdigest() != digest:
        raise _OtherContent(f"{path}: not what was graded.")
    return data


def _note(result: Result, kept: Kept) -> bytes:
    """What a person needs who looks after a scan without an answer."""
    content = json.loads(result.to_json())
    reason = content["reasons"][0] if content["reasons"] else {}
    note = {"time": content["time"], "status": content["status"], **content["source"], **reason, **asdict(kept)}
    return f"{json.dumps(note, indent=1)}\n".encode()
