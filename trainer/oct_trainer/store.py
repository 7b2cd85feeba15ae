"""Arrays that took long to compute, one a scan, kept on disk and found again by the digest of the scan.

    <folder>/<SHA-256 of the file>.npy      rows of (digest of the scan, array)

A block is written once, whole or not at all, under the digest of its own content: one that is damaged or cut short is
seen and computed again. Scans that come later, of another fold say, become further blocks, and a second process waits
for the first and finds what that has computed. So a folder may be shared by all trainings that need the same arrays,
and may be deleted whenever none is running. No TensorFlow.
"""

import fcntl
import hashlib
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from itertools import islice
from pathlib import Path

import numpy as np

from oct_edge.errors import OutputUnavailable
from oct_edge.files import make_folder, write_atomically
from oct_trainer.run_folder import require_room

BLOCK = 1024  # scans; a training that is killed while it computes loses no more

Compute = Callable[[list[int]], Iterator[np.ndarray]]


@dataclass(frozen=True, eq=False)
class Rows:
    """Arrays in the order of the scans that were asked for; `where` is `[n, 2]`, the block and the row of each."""

    blocks: tuple[Path, ...]
    where: np.ndarray
    shape: tuple[int, ...]

    def read(self, chosen: np.ndarray) -> np.ndarray:
        """float16 `[len(chosen), *shape]`: those at these places, mapped from disk."""
        rows = np.empty((len(chosen), *self.shape), np.float16)
        blocks, places = self.where[chosen].T
        for block in np.unique(blocks):
            here = blocks == block
            rows[here] = np.load(self.blocks[block], mmap_mode="r")["array"][places[here]]
        return rows


def fetch(folder: Path, digests: Sequence[str], shape: tuple[int, ...], compute: Compute) -> Rows:
    """The arrays of these scans; those that are not in the folder yet are computed and kept.

    `compute` is given places in `digests` and yields an array for each.

    Raises:
        OutputUnavailable: the folder cannot be read or written.
    """
    row = np.dtype([("scan", "S64"), ("array", "<f2", shape)])
    with _usable(folder), _locked(folder):
        found = {path: scans for path in sorted(folder.glob("*.npy")) if (scans := _scans(path, row)) is not None}
        known = {scan for scans in found.values() for scan in scans}
        missing = list({digest: place for place, digest in enumerate(digests) if digest not in known}.values())
        require_room(folder, len(missing) * row.itemsize)
        arrays = compute(missing)
        for start in range(0, len(missing), BLOCK):
            scans = [digests[place] for place in missing[start : start + BLOCK]]
            block = np.empty(len(scans), row)
            block["scan"], block["array"] = scans, list(islice(arrays, len(scans)))
            found[_write(folder, block)] = scans
    where = {scan: (b, i) for b, scans in enumerate(found.values()) for i, scan in enumerate(scans)}
    return Rows(tuple(found), np.array([where[digest] for digest in digests]), shape)


def _scans(path: Path, row: np.dtype) -> list[str] | None:
    """The scans of a block; None, and no such block any more, where it is damaged."""
    content = path.read_bytes()
    if hashlib.sha256(content).hexdigest() == path.stem:
        block = np.load(BytesIO(content))
        if block.dtype == row:
            return [scan.decode() for scan in block["scan"]]
    print(f"{path}: damaged, and computed again.", file=sys.stderr)
    path.unlink()
    return None


def _write(folder: Path, block: np.ndarray) -> Path:
    content = BytesIO()
    np.save(content, block)
    path = folder / f"{hashlib.sha256(content.getbuffer()).hexdigest()}.npy"
    write_atomically(path, content.getvalue())
    return path


@contextmanager
def _usable(folder: Path) -> Iterator[None]:
    """Whatever goes wrong with the folder is one error, with what to do about it."""
    try:
        make_folder(folder)
        yield
    except (OSError, OutputUnavailable) as error:
        message = error.message if isinstance(error, OutputUnavailable) else f"{folder}: cannot be used ({error})."
        raise OutputUnavailable(
            message, hint="Free some space, name another disk with --cache, or keep less there with --variants."
        ) from error


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """One process at a time; a killed one has let go."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        for left_over in folder.glob(".*.partial"):
            left_over.unlink()
        yield
    finally:
        os.close(descriptor)
