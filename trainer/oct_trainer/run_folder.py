"""Where a run lives, and how it gets there: whole or not at all.

    <out>/<network>/            the finished run, all of `CONTENT`
    <out>/.<network>.partial/   a training under way, or what is left of one to go on with (`STATE`, see `checkpoints`)
    <out>/.<network>.old/       the run before, for the moment in which the new one takes its place

A new run is trained in the partial folder, locked against a second training, and renamed when it is complete. Killed
at any moment, this leaves the run before or the new one whole, and `find_run` finds it. No TensorFlow.
"""

import errno
import fcntl
import json
import os
import re
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from oct_edge.errors import ConfigurationError, OutputUnavailable
from oct_edge.files import make_folder

REPEAT = "Free some space, then repeat the command: it goes on after the last epoch that was kept."
CONTENT = frozenset({"model.keras", "metrics.json", "history.csv", "split.csv", "predictions.csv"})
_ANOTHER_PLACE = "Move it away, or name another folder with --out."
STATE = "state.json"
_WAY = re.compile(rf"{re.escape(STATE)}|epoch-\d+\.weights\.h5")  # what a run does not need once it is there


def find_run(runs: Path, network: str) -> Path | None:
    """The folder of the finished run of this network, where there is one."""
    places = (runs / network, _old(runs, network))
    return next((place for place in places if (place / "model.keras").is_file()), None)


def is_unfinished(runs: Path, network: str) -> bool:
    """Whether a training of this network was begun there that can be gone on with."""
    return (_partial(runs, network) / STATE).exists()


@contextmanager
def new_run(out: Path, network: str, *, restart: bool = False) -> Iterator[Path]:
    """A folder to train into, which becomes the run of the network when the block ends well.

    It is empty, or with `restart` emptied, or holds what an interrupted training left. When the block fails, the run
    before stays what it was, and what the training has kept stays for the next one; stderr says so.

    Raises:
        ConfigurationError: another training of the network is under way there, or something that is no run, or one of
            another network, would be replaced.
        OutputUnavailable: the block or the renaming could not write.
    """
    run, partial, old = out / network, _partial(out, network), _old(out, network)
    try:
        _require_replaceable(run)
        make_folder(partial)
        with _locked(partial):
            _tidy(run, partial, old, restart)
            try:
                yield partial
            except BaseException as failure:
                _tell_what_is_left(partial, failure, restart)
                raise
            if run.exists():
                run.rename(old)
            partial.rename(run)
            _empty(run, CONTENT)
            shutil.rmtree(old, ignore_errors=True)
    except OSError as error:
        raise _unavailable(out, error) from error


def require_room(folder: Path, needed: int) -> None:
    """Raise `OutputUnavailable` unless so many bytes can still be written there."""
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise OutputUnavailable(
            f"{folder}: {_megabytes(needed)} are needed for the training, {_megabytes(free)} are free.",
            hint="Free some space, or name a folder on another disk with --out.",
        )


def _partial(out: Path, network: str) -> Path:
    return out / f".{network}.partial"


def _old(out: Path, network: str) -> Path:
    return out / f".{network}.old"


def _unavailable(folder: Path, error: OSError) -> OutputUnavailable:
    full = error.errno in (errno.ENOSPC, errno.EDQUOT)
    return OutputUnavailable(
        f"{folder}: cannot be written ({error.strerror or error}).",
        hint=REPEAT if full else "Name a folder with --out that this user may write to, on a disk with free space.",
    )


def _megabytes(count: int) -> str:
    return f"{count / 1e6:.1f} MB"


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise ConfigurationError(
                f"{folder}: another training writes there now.", hint="Wait for it, or name another folder with --out."
            ) from error
        yield
    finally:
        os.close(descriptor)


def _tidy(run: Path, partial: Path, old: Path, restart: bool) -> None:
    """Finish an exchange that was cut short, and keep only what a training can go on with.

    The files of the way are removed when the run has its place, not before: until then they are what is known of it.
    """
    if not run.exists() and old.exists():
        old.rename(run)
    _require_replaceable(run)
    if run.exists():
        _empty(run, CONTENT)
    if old.exists():
        shutil.rmtree(old)
    if restart or not (partial / STATE).exists():
        _empty(partial)


def _empty(folder: Path, keep: frozenset[str] = frozenset()) -> None:
    for path in folder.iterdir():
        if path.name not in keep:
            path.unlink()


def _require_replaceable(run: Path) -> None:
    if not _may_be_replaced(run):
        raise ConfigurationError(
            f"{run}: holds something that is not of a run, and would be replaced.", hint=_ANOTHER_PLACE
        )
    if (other := _network_of(run)) not in (None, run.name):
        raise ConfigurationError(f"{run}: holds a run of {other}, and would be replaced.", hint=_ANOTHER_PLACE)


def _may_be_replaced(run: Path) -> bool:
    if run.is_symlink() or not run.is_dir():
        return not os.path.lexists(run)
    return all(path.name in CONTENT or _WAY.fullmatch(path.name) for path in run.iterdir())


def _network_of(run: Path) -> str | None:
    """What the record of a run says it is of; None where there is none that can be read."""
    path = run / "metrics.json"
    try:
        record = json.loads(path.read_text()) if path.is_file() else None
    except (OSError, ValueError):
        return None
    return str(record["network"]) if isinstance(record, dict) and "network" in record else None


def _tell_what_is_left(partial: Path, failure: BaseException, restart: bool) -> None:
    if (partial / STATE).exists():
        again = "The same command without --restart" if restart else "The same command"
        print(f"Not finished: {partial} holds the epochs so far. {again} goes on from there.", file=sys.stderr)
        return
    shutil.rmtree(partial, ignore_errors=True)
    if isinstance(failure, KeyboardInterrupt):
        print("Not finished: no epoch was complete. The same command starts from the beginning.", file=sys.stderr)
