"""Settings, folders and disks of the watched folder, for whoever asks: nothing is made or written."""

import os
import pwd
import shlex
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from oct_edge.config.loaded import DEFAULT, Loaded, Mistake
from oct_edge.config.places import unusable
from oct_edge.doctor.finding import Finding, user

ROOM = 2**20  # bytes: with less, nothing is taken in
_TIGHT, _SHARE = 500 * 10**6, 0.05  # bytes, and part of the disk, below which it will be full one day soon
_FREE = "sudo apt clean; sudo journalctl --vacuum-size=50M; or set retention.days"
_SERVICE = "oct-edge"
_AS_SERVICE = f"setpriv --reuid {_SERVICE} --regid {_SERVICE} --init-groups oct-edge doctor"
_FOLDERS = ("source.inbox", "output.folder", "state.folder")


def settings(loaded: Loaded) -> Iterator[Finding]:
    """Whether the daemon could start with them, as this user."""
    if not is_configured(loaded):
        yield Finding("settings", "ok", "none are given, so no folder is watched here")
        return
    wrong = [*loaded.mistakes, *loaded.missing()]
    yield from (Finding("settings", "fail", str(mistake), "oct-edge config check") for mistake in wrong)
    if not wrong:
        yield Finding("settings", "ok", str(loaded.file or "of variables"))
    closed = list(unusable(loaded))
    yield from (Finding("permissions", "fail", str(mistake), _cure(loaded, mistake)) for mistake in closed)
    if closed or wrong:
        return
    if os.geteuid() == 0 and _has_service():
        yield Finding("permissions", "warn", "root may do all; what counts is what the service may", _AS_SERVICE)
    else:
        yield Finding("permissions", "ok", f"{user()} may use all folders that are set")


def disks(loaded: Loaded) -> Iterator[Finding]:
    """The room on each disk that results and ledger go to, or on that of the working directory."""
    seen = set()
    for folder in _written(loaded) or [Path.cwd()]:
        there = next(place for place in (folder, *folder.parents) if place.is_dir())
        with suppress(OSError):
            if (number := there.stat().st_dev) not in seen:
                seen.add(number)
                yield _room(there)


def is_configured(loaded: Loaded) -> bool:
    """Whether anybody said anything."""
    return bool(loaded.file or loaded.mistakes or any(found.origin != DEFAULT for found in loaded.values.values()))


def _written(loaded: Loaded) -> list[Path]:
    found = (loaded.values.get(name) for name in _FOLDERS[1:])
    return [Path(value.value).absolute() for value in found if value and value.value]


def _room(folder: Path) -> Finding:
    disk = os.statvfs(folder)
    free, size = disk.f_bavail * disk.f_frsize, disk.f_blocks * disk.f_frsize
    text = f"{free / 10**9:.1f} of {size / 10**9:.1f} GB are free for {folder}"
    if free < ROOM:
        return Finding("disk", "fail", text, _FREE)
    if disk.f_files and not disk.f_favail:
        return Finding("disk", "fail", f"no file can be added for {folder}, though {text}", _FREE)
    if free < _TIGHT and free < _SHARE * size:
        return Finding("disk", "warn", text, _FREE)
    return Finding("disk", "ok", text)


def _cure(loaded: Loaded, mistake: Mistake) -> str:
    """Make the folder and give it to whoever asks, where it is one that is wrong."""
    key = mistake.key or ""
    if key == "model.name":
        return "oct-edge models"
    if "has to" in mistake.text:
        return "oct-edge config check"
    path = Path(loaded.values[key].value).absolute()
    return f"sudo install -d -o {user()} {shlex.quote(str(path if key in _FOLDERS else path.parent))}"


def _has_service() -> bool:
    with suppress(KeyError):
        return bool(pwd.getpwnam(_SERVICE))
    return False
