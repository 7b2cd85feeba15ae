"""A disk that forgets, as a memory card does when its power fails: what was written is safe only once it was flushed.

Writes are kept apart from the image until a flush. `lose_power` lets a random part of those after the last flush reach
the image, in sectors, so that a write may also arrive in pieces or behind one that was made later. That is all that a
disk may do which keeps the promise of its flush command, and more than any one disk does.
"""

import os
from dataclasses import dataclass
from pathlib import Path
from random import Random
from types import TracebackType
from typing import Self

SECTOR = 512
_TORN = 0.5  # of the writes that do not survive whole


@dataclass(frozen=True)
class Loss:
    """What happened to the writes after the last flush: how many there were, were lost, and arrived in pieces."""

    unflushed: int
    lost: int
    torn: int


class Disk:
    """The disk on an image file; everything is a whole number of sectors."""

    def __init__(self, image: Path) -> None:
        self.size = image.stat().st_size
        self.writes = self.flushes = 0
        self._image = os.open(image, os.O_RDWR | os.O_CLOEXEC)
        self._unflushed: list[tuple[int, bytes]] = []
        self._cache: dict[int, bytes] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._image)

    def read(self, offset: int, length: int) -> bytes:
        """What was written last, flushed or not."""
        data = bytearray(os.pread(self._image, length, offset))
        for start in range(0, length, SECTOR):
            cached = self._cache.get(offset + start)
            if cached is not None:
                data[start : start + SECTOR] = cached
        return bytes(data)

    def write(self, offset: int, data: bytes) -> None:
        self.writes += 1
        self._unflushed.append((offset, data))
        self._cache.update(_sectors(offset, data))

    def flush(self) -> None:
        """Everything written so far is safe."""
        self.flushes += 1
        for sector, data in self._cache.items():
            os.pwrite(self._image, data, sector)
        self._forget()

    def lose_power(self, random: Random) -> Loss:
        """Keep what was flushed, and of the rest what chance keeps; often nothing."""
        share = random.choice((0.0, random.random()))
        lost = torn = 0
        for offset, data in self._unflushed:
            sectors = _sectors(offset, data)
            if random.random() >= share:
                kept = random.randrange(len(sectors)) if random.random() < _TORN else 0
                torn, lost = torn + (kept > 0), lost + (kept == 0)
                sectors = dict(random.sample(list(sectors.items()), kept))
            for sector, content in sectors.items():
                os.pwrite(self._image, content, sector)
        loss = Loss(len(self._unflushed), lost, torn)
        self._forget()
        return loss

    def _forget(self) -> None:
        self._unflushed.clear()
        self._cache.clear()


def _sectors(offset: int, data: bytes) -> dict[int, bytes]:
    return {offset + start: data[start : start + SECTOR] for start in range(0, len(data), SECTOR)}
