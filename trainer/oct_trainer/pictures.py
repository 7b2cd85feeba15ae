"""Samples become arrays, through the very functions the device uses."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from oct_edge.errors import DataSetError, ScanError
from oct_edge.preprocess import SIZE, to_grey
from oct_edge.scan import read_scan
from oct_trainer.dataset import Sample


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


def load_pictures(samples: Sequence[Sample]) -> Pictures:
    """Read and preprocess all samples; about 50 kB of memory a scan.

    Raises:
        DataSetError: a scan cannot be read. Before training, a damaged file is a question for a person.
    """
    grey = np.empty((len(samples), SIZE, SIZE), np.uint8)
    digests = []
    for i, sample in enumerate(samples):
        try:
            scan = read_scan(sample.path)
        except ScanError as error:
            raise DataSetError(
                f"{sample.path}: {error.message}", hint="Repair or remove the file, then start again."
            ) from error
        grey[i] = to_grey(scan)
        digests.append(scan.sha256)
    labels = np.array([s.label for s in samples], np.int64)
    return Pictures(tuple(samples), grey, labels, np.array([s.patient for s in samples]), tuple(digests))
