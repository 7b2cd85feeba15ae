"""A perturbation is a small, known change of a scan: it keeps the picture a picture, and is the same every time."""

import hashlib
from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from oct_edge.preprocess import SIZE, to_grey
from oct_edge.scan import Scan
from oct_trainer.perturb import (
    PERTURBATIONS,
    Change,
    Perturbation,
    blurred,
    cropped,
    mirrored,
    rotated,
    shifted,
    wider,
    with_brightness,
    with_contrast,
    with_gamma,
    with_speckle,
    with_wedges,
    written_again,
)
from oct_trainer.phantom import render

NAMES = [f"{p.group} {p.name}" for p in PERTURBATIONS]


def scan_of(pixels: np.ndarray) -> Scan:
    return Scan(pixels, hashlib.sha256(pixels.tobytes()).hexdigest(), "drawn")


@pytest.fixture(scope="module")
def phantom() -> Scan:
    return scan_of(render("DME", 5).pixels)


def changed(scan: Scan, change: Change, **strength: float) -> np.ndarray:
    return Perturbation("", "", partial(change, **strength))(scan).pixels


def distance(one: np.ndarray, other: np.ndarray) -> float:
    return float(np.abs(one.astype(int) - other).mean())


def test_every_perturbation_has_a_name_of_its_own() -> None:
    assert len(set(NAMES)) == len(PERTURBATIONS)


@pytest.mark.parametrize("perturbation", PERTURBATIONS, ids=NAMES)
def test_a_perturbed_scan_is_another_picture_of_the_same_scan(perturbation: Perturbation, phantom: Scan) -> None:
    before = phantom.pixels.copy()
    one, other = perturbation(phantom), perturbation(phantom)
    np.testing.assert_array_equal(one.pixels, other.pixels)
    np.testing.assert_array_equal(phantom.pixels, before)
    assert one.pixels.dtype == np.uint8
    assert one.pixels.ndim == 2
    assert one.sha256 == phantom.sha256
    assert one.pixels.shape != before.shape or not np.array_equal(one.pixels, before)


@settings(deadline=None, max_examples=60)
@given(
    st.sampled_from(PERTURBATIONS),
    hnp.arrays(np.uint8, st.tuples(st.integers(1, 30), st.integers(1, 30))),
)
def test_no_picture_is_too_small_or_strange(perturbation: Perturbation, pixels: np.ndarray) -> None:
    assert to_grey(perturbation(scan_of(pixels))).shape == (SIZE, SIZE)


@pytest.mark.parametrize(
    ("change", "strength"),
    [
        (wider, {"factor": 1.0}),
        (cropped, {}),
        (shifted, {}),
        (rotated, {"degrees": 0.0}),
        (with_gamma, {"gamma": 1.0}),
        (with_contrast, {"factor": 1.0}),
        (with_brightness, {"levels": 0}),
        (with_speckle, {"deviation": 0.0}),
        (blurred, {"sigma": 0.0}),
    ],
)
def test_without_strength_nothing_changes(change: Change, strength: dict[str, float], phantom: Scan) -> None:
    np.testing.assert_array_equal(changed(phantom, change, **strength), phantom.pixels)


def test_a_crop_takes_its_share_off_each_side(phantom: Scan) -> None:
    left = changed(phantom, cropped, top=0.1, bottom=0.25, left=0.2, right=0.05)
    height, width = phantom.pixels.shape
    rows = slice(round(0.1 * height), height - round(0.25 * height))
    columns = slice(round(0.2 * width), width - round(0.05 * width))
    np.testing.assert_array_equal(left, phantom.pixels[rows, columns])


def test_a_shift_moves_down_and_right_and_lets_black_in(phantom: Scan) -> None:
    moved = changed(phantom, shifted, down=0.1, right=-0.2)
    rows, columns = round(0.1 * 496), round(0.2 * 512)
    np.testing.assert_array_equal(moved[rows:, :-columns], phantom.pixels[:-rows, columns:])
    assert not moved[:rows].any()
    assert not moved[:, -columns:].any()


def test_a_mirror_twice_is_nothing(phantom: Scan) -> None:
    twice = changed(scan_of(changed(phantom, mirrored)), mirrored)
    np.testing.assert_array_equal(twice, phantom.pixels)


def test_tone_goes_the_way_its_name_says(phantom: Scan) -> None:
    mean, spread = phantom.pixels.mean(), phantom.pixels.std()
    assert changed(phantom, with_gamma, gamma=1.6).mean() < mean < changed(phantom, with_gamma, gamma=0.6).mean()
    assert changed(phantom, with_brightness, levels=-20).mean() < mean
    assert changed(phantom, with_contrast, factor=0.6).std() == pytest.approx(0.6 * spread, rel=0.02)


@pytest.mark.parametrize(
    ("change", "weak", "strong"),
    [
        (written_again, {"quality": 90}, {"quality": 10}),
        (with_speckle, {"deviation": 0.1}, {"deviation": 0.4}),
        (blurred, {"sigma": 1}, {"sigma": 2}),
        (rotated, {"degrees": 5}, {"degrees": 10}),
    ],
)
def test_a_stronger_change_is_further_away(
    change: Change, weak: dict[str, float], strong: dict[str, float], phantom: Scan
) -> None:
    near, far = (distance(changed(phantom, change, **strength), phantom.pixels) for strength in (weak, strong))
    assert 0 < near < far


def test_noise_is_of_the_scan(phantom: Scan) -> None:
    flat = np.full((60, 60), 100, np.uint8)
    one, other = (Scan(flat, hashlib.sha256(seed).hexdigest(), "") for seed in (b"1", b"2"))
    assert not np.array_equal(*(changed(scan, with_speckle, deviation=0.2) for scan in (one, other)))


def test_wedges_stand_in_all_corners_and_preprocessing_takes_them_away() -> None:
    scan = scan_of(np.pad(np.full((96, 512), 160, np.uint8), ((200, 200), (0, 0)), constant_values=12))
    wedged = changed(scan, with_wedges, share=0.25)
    assert [int(wedged[y, x]) for y in (0, -1) for x in (0, -1)] == [255] * 4
    assert (wedged != scan.pixels).sum() < 0.05 * wedged.size
    assert to_grey(scan_of(wedged)).max() <= 160
    assert distance(to_grey(scan_of(wedged)), to_grey(scan)) < 1
