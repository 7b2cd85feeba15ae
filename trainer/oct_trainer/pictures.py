"""Samples become arrays, through the very functions the device uses."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from oct_edge.errors import DataSetError, ScanError
from oct_edge.preprocess import SIZE, to_grey
from oct_edge.reading import read_bytes
from oct_edge.scan import PICTURES, decode_scan
from oct_trainer.dataset import Sample, in_order_of_splits
from oct_trainer.layout import SPLITS
from oct_trainer.wording import few


@dataclass(frozen=True, eq=False)
class Pictures:
    """Preprocessed scans in the order of their samples.

    `grey` is uint8 `[n, 224, 224]` (the three channels of the tensor are equal, so one is kept), `labels` int64 `[n]`,
    `patients` and `sha256` one string a scan.
    """

    samples: tuple[Sample, ...]
    grey: np.ndarray
    labels: np.ndarray
    patients: np.ndarray
    sha256: tuple[str, ...]

    def part(self, where: slice) -> "Pictures":
        """Some of them, without a copy of the pixels."""
        return Pictures(
            self.samples[where], self.grey[where], self.labels[where], self.patients[where], self.sha256[where]
        )

    def take(self, indices: Sequence[int] | np.ndarray) -> "Pictures":
        """These, copied, in this order."""
        chosen = [int(i) for i in indices]
        return Pictures(
            tuple(self.samples[i] for i in chosen),
            self.grey[chosen],
            self.labels[chosen],
            self.patients[chosen],
            tuple(self.sha256[i] for i in chosen),
        )


def load_parts(samples: Sequence[Sample]) -> dict[str, Pictures]:
    """The pictures of each split that has some, in the order of `SPLITS`; read, and refused, as one set."""
    whole = load_pictures(in_order_of_splits(samples))
    splits = [sample.split for sample in whole.samples]
    starts = {name: splits.index(name) for name in SPLITS if name in splits}
    return {name: whole.part(slice(start, start + splits.count(name))) for name, start in starts.items()}


def load_pictures(samples: Sequence[Sample]) -> Pictures:
    """Read and preprocess all samples; about 50 kB of memory a scan.

    Raises:
        DataSetError: scans cannot be read, or some have 16 bits and others 8. It names them together: before training,
            a damaged file is a question for a person, who would rather be asked once.
    """
    grey = np.empty((len(samples), SIZE, SIZE), np.uint8)
    digests, damaged = [], []
    depths: dict[int, list[str]] = {8: [], 16: []}
    for i, sample in enumerate(samples):
        try:
            data = read_bytes(sample.path)
            scan = decode_scan(data, str(sample.path), PICTURES)
        except ScanError as error:
            damaged.append(error.message.rstrip("."))
            continue
        grey[i] = to_grey(scan)
        digests.append(scan.sha256)
        depths[_bit_depth(data)].append(str(sample.path))
    _require_whole(damaged, len(samples))
    _require_one_depth(depths)
    labels = np.array([s.label for s in samples], np.int64)
    return Pictures(tuple(samples), grey, labels, np.array([s.patient for s in samples]), tuple(digests))


def _bit_depth(data: bytes) -> int:
    """Of one channel. A PNG says so in its first chunk; a JPEG that is read here has 8."""
    return 16 if data.startswith(b"\x89PNG") and data[24] == 16 else 8


def _require_whole(damaged: Sequence[str], scans: int) -> None:
    if damaged:
        several = f"{len(damaged)} of {scans} scans cannot be read: " if len(damaged) > 1 else ""
        raise DataSetError(
            f"{several}{few(damaged)}.",
            hint="Repair or remove what is named, then start again; `oct-train audit --json` lists all.",
        )


def _require_one_depth(depths: dict[int, list[str]]) -> None:
    fewer, more = sorted(depths, key=lambda bits: (len(depths[bits]), -bits))
    odd = depths[fewer]
    if odd:
        raise DataSetError(
            f"{len(odd)} of {len(odd) + len(depths[more])} scans have {fewer} bits a pixel, not {more}: {few(odd)}.",
            hint="Export all of them alike. 16-bit grey is read by its full range: what holds 12 bits in it comes out "
            "dark, and the network would learn the export instead of the disease.",
        )
