"""Where a scan may be read again when all that is left of it is what results call it."""

import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import cached_property
from pathlib import Path

from oct_edge.result import readable


class Sources:
    """Scans of the inbox that results call `names`; `naming` is what results call a file.

    A name is no proof: bytes that are not text, and pseudonyms, make one name of two. Who reads has to look at the
    digest.
    """

    def __init__(self, inbox: Path | None, naming: Callable[[str], str], names: set[str]) -> None:
        self._inbox, self._naming = inbox, naming
        self._names = {readable(name) for name in names}

    def of(self, name: str) -> Iterator[Path]:
        """Files that may be meant, the likeliest first; the folder is listed once, and only where that one is not."""
        if self._inbox is not None:
            if Path(name).name == name:
                yield self._inbox / name
            yield from self._listed.get(readable(name), ())

    @cached_property
    def _listed(self) -> dict[str, list[Path]]:
        found: dict[str, list[Path]] = {name: [] for name in self._names}
        with suppress(OSError), os.scandir(self._inbox) as entries:
            for entry in entries:
                shown = readable(self._naming(entry.name))
                if shown in found and shown != entry.name:
                    found[shown].append(Path(entry.path))
        return found
