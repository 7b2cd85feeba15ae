"""Which scans set the ranges."""

import numpy as np
import pytest

from oct_converters.calibration import draw_calibration
from oct_edge.errors import CalibrationError
from oct_trainer.pictures import Pictures


def pictures(labels: list[int], patients: list[int] | None = None) -> Pictures:
    n = len(labels)
    grey = np.random.default_rng(0).integers(0, 256, (n, 224, 224), np.uint8)
    names = np.array([str(p) for p in (patients or range(n))])
    return Pictures((), grey, np.array(labels, int), names, tuple(f"{i:064x}" for i in range(n)))


def test_every_class_gives_the_same_number() -> None:
    drawn = draw_calibration(pictures([0] * 50 + [1] * 9 + [2] * 5 + [3] * 80), 24)
    assert drawn.histogram() == {"CNV": 5, "DME": 5, "DRUSEN": 5, "NORMAL": 5}
    assert len(set(drawn.chosen)) == 20


def test_a_second_scan_of_a_patient_comes_after_everyones_first() -> None:
    labels = [0] * 12 + [1, 2, 3] * 8
    patients = [1] * 8 + [2, 3, 4, 5] + list(range(100, 124))
    drawn = draw_calibration(pictures(labels, patients), 20)
    chosen = [i for i in drawn.chosen if labels[i] == 0]
    assert {patients[i] for i in chosen} == {1, 2, 3, 4, 5}


def test_a_seed_decides_the_set_and_its_identity() -> None:
    source = pictures([0, 1, 2, 3] * 20)
    assert draw_calibration(source, 16, seed=1).chosen == draw_calibration(source, 16, seed=1).chosen
    assert draw_calibration(source, 16, seed=1).sha256 != draw_calibration(source, 16, seed=2).sha256


@pytest.mark.parametrize(
    ("labels", "count"), [([0, 1, 2, 3] * 9, 15), ([0, 1, 2, 3] * 3, 200), ([0, 1, 3] * 9, 16), ([], 16)]
)
def test_an_empty_or_short_set_is_refused(labels: list[int], count: int) -> None:
    with pytest.raises(CalibrationError):
        draw_calibration(pictures(labels), count)


def test_a_partly_consumed_set_is_refused() -> None:
    drawn = draw_calibration(pictures([0, 1, 2, 3] * 4), 16)
    stream = drawn.representative_dataset()()
    next(stream)
    with pytest.raises(CalibrationError, match="1 of 16"):
        drawn.require_consumed()
    list(stream)
    drawn.require_consumed()
