"""Whether the folders and files that are named can be used by whoever asks; nothing is made or written."""

import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from stat import S_ISDIR

from oct_edge.config.loaded import Loaded, Mistake
from oct_edge.metrics import SUFFIX
from oct_models import bundled_models


def unusable(loaded: Loaded) -> Iterator[Mistake]:
    """What stands in the way of the settings on this machine, for this user."""
    for name, why in _CHECKS.items():
        found = loaded.values.get(name)
        if found and found.value and (reason := why(Path(found.value))):
            yield Mistake(found.origin, f"{name}: {reason}", name)


def _not_to_be_listed(folder: Path) -> str | None:
    if not S_ISDIR(_mode(folder)):
        return f"{folder} is {'no folder' if _mode(folder) else 'not there'}"
    return None if os.access(folder, os.R_OK | os.X_OK) else f"{folder} may not be read by this user"


def _not_to_be_filled(folder: Path) -> str | None:
    """The folder may be one that is still to be made."""
    folder = folder.absolute()
    there = next(place for place in (folder, *folder.parents) if _mode(place))
    if not S_ISDIR(_mode(there)):
        return f"{there} is no folder"
    return None if os.access(there, os.R_OK | os.W_OK | os.X_OK) else f"{there} may not be written to by this user"


def _not_to_be_written(file: Path) -> str | None:
    if S_ISDIR(_mode(file)):
        return f"{file} is a folder"
    if _mode(file) and not os.access(file, os.W_OK):
        return f"{file} may not be written to by this user"
    return _not_to_be_filled(file.parent)


def _not_to_be_added_to(file: Path) -> str | None:
    folder = file.absolute().parent
    if not S_ISDIR(_mode(folder)):
        return f"{folder} is {'no folder' if _mode(folder) else 'not there'}"
    return _not_to_be_written(file)


def _not_to_be_collected(file: Path) -> str | None:
    if file.suffix != SUFFIX:
        return f"{file} is read by no collector: its name has to end in {SUFFIX}"
    return _not_to_be_written(file)


def _not_to_be_served(model: Path) -> str | None:
    if str(model) in bundled_models() or (os.access(model, os.R_OK) and not S_ISDIR(_mode(model))):
        return None
    return f"{model} is neither a bundled model nor a readable file"


def _mode(path: Path) -> int:
    """What is there; 0 for nothing, or nothing that this user may see."""
    with suppress(OSError):
        return path.stat().st_mode
    return 0


_CHECKS: dict[str, Callable[[Path], str | None]] = {
    "model.name": _not_to_be_served,
    "source.inbox": _not_to_be_listed,
    "output.folder": _not_to_be_filled,
    "output.jsonl": _not_to_be_added_to,
    "output.csv": _not_to_be_added_to,
    "state.folder": _not_to_be_filled,
    "metrics.textfile": _not_to_be_collected,
}
