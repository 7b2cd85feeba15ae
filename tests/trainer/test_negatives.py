"""What the gate is measured with: pictures of the kinds that their names say, the same for the same seed."""

from pathlib import Path

import numpy as np
import pytest

from oct_edge.errors import ScanDamaged
from oct_edge.scan import decode_scan, read_scan
from oct_trainer.negatives import CHANGED, CUT_OUT, MADE, cut_out, sideways, upside_down, with_bit_errors


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


@pytest.mark.parametrize("kind", MADE)
def test_what_is_made_of_nothing_is_a_grey_picture_and_another_for_each_seed(kind: str) -> None:
    for seed in range(8):
        made = MADE[kind](rng(seed))
        assert (made.ndim, made.dtype) == (2, np.uint8)
        assert min(made.shape) >= 400
        assert np.array_equal(made, MADE[kind](rng(seed)))
    first, second = MADE[kind](rng(1)), MADE[kind](rng(2))
    assert first.shape != second.shape or not np.array_equal(first, second)


@pytest.mark.parametrize("kind", CHANGED)
def test_what_is_changed_is_another_picture(kind: str, samples: list[Path]) -> None:
    pixels = read_scan(samples[0]).pixels
    before = pixels.copy()
    changed = CHANGED[kind](pixels, rng())
    assert changed.dtype == np.uint8
    assert changed.shape != pixels.shape or not np.array_equal(changed, pixels)
    assert np.array_equal(pixels, before)


def test_turned_twice_or_four_times_it_is_the_scan_again(samples: list[Path]) -> None:
    pixels = read_scan(samples[0]).pixels
    assert np.array_equal(upside_down(upside_down(pixels, rng()), rng()), pixels)
    turned = pixels
    for _ in range(4):
        turned = sideways(turned, rng())
    assert np.array_equal(turned, pixels)


def test_a_piece_is_a_tenth_of_the_area_and_really_in_the_scan(samples: list[Path]) -> None:
    pixels = read_scan(samples[0]).pixels
    piece = cut_out(pixels, rng())
    assert piece.shape == (int(CUT_OUT * 496), int(CUT_OUT * 512))
    rows = (pixels[top : top + piece.shape[0]] for top in range(496 - piece.shape[0]))
    assert any(np.array_equal(r[:, x : x + piece.shape[1]], piece) for r in rows for x in range(512 - piece.shape[1]))


def test_bit_errors_leave_the_length_and_the_markers_and_mostly_decode(samples: list[Path]) -> None:
    decoded = 0
    for path in samples:
        data = path.read_bytes()
        damaged = with_bit_errors(data, rng())
        assert len(damaged) == len(data)
        assert damaged.count(b"\xff") == data.count(b"\xff")
        assert 0 < sum(a != b for a, b in zip(data, damaged, strict=True)) <= 64
        try:
            decoded += decode_scan(damaged, path.name).pixels.shape == (496, 512)
        except ScanDamaged:
            continue
    assert decoded > 0
