"""Augmentation moves a scan the way an eye or a scanner would, and no further."""

from dataclasses import replace

import numpy as np
import pytest

tf = pytest.importorskip("tensorflow")
from oct_trainer.augment import Augmentation, augment  # noqa: E402
from oct_trainer.recipes import ARTICLE, BEST, RECIPES  # noqa: E402

pytestmark = pytest.mark.tf
STILL = Augmentation(rotation=0, shift=0)


@pytest.fixture
def ramp() -> np.ndarray:
    """Bright at the bottom, and left of the middle."""
    rows, columns = np.mgrid[0:64, 0:64]
    return np.repeat((rows * 2 + (columns < 32) * 60)[None].astype(np.uint8), 32, axis=0)


def test_without_movement_only_the_mirror_is_left(ramp: np.ndarray) -> None:
    moved = augment(ramp, STILL, seed=(0, 1)).numpy()[..., 0]
    plain = [np.allclose(picture, ramp[0], atol=1e-3) for picture in moved]
    mirrored = [np.allclose(picture, ramp[0, :, ::-1], atol=1e-3) for picture in moved]
    assert all(a or b for a, b in zip(plain, mirrored, strict=True))
    assert any(plain)
    assert any(mirrored)


@pytest.mark.parametrize("recipe", ["article", "best"])
@pytest.mark.parametrize("network", ["mobilenet", "compact"])
def test_a_scan_is_never_turned_upside_down(ramp: np.ndarray, recipe: str, network: str) -> None:
    moved = augment(ramp, RECIPES[recipe][network].augmentation, seed=(0, 2)).numpy()[..., 0]
    middle = moved[:, :, 24:40].mean(axis=2)
    assert (middle[:, 44:52].mean(axis=1) > middle[:, 12:20].mean(axis=1)).all()


def test_shifts_stay_within_their_share(ramp: np.ndarray) -> None:
    spot = np.zeros_like(ramp)
    spot[:, 30:34, 30:34] = 255
    moved = augment(spot, Augmentation(rotation=0, shift=0.25), seed=(0, 3)).numpy()[..., 0]
    weights = moved / moved.sum((1, 2), keepdims=True)
    y = (weights.sum(2) * np.arange(64)).sum(1) - 31.5
    assert np.abs(y).max() <= 0.25 * 64 + 0.1
    assert np.abs(y).max() > 0.1 * 64


def test_values_stay_pixels(ramp: np.ndarray) -> None:
    for recipes in (ARTICLE, BEST):
        moved = augment(ramp, recipes["compact"].augmentation, seed=(0, 4)).numpy()
        assert moved.dtype == np.float32
        assert moved.shape == (32, 64, 64, 1)
        assert moved.min() >= 0
        assert moved.max() <= 255


def test_a_seed_decides_every_draw(ramp: np.ndarray) -> None:
    one, same, next_step, next_seed = (
        augment(ramp, BEST["mobilenet"].augmentation, seed=seed).numpy() for seed in ((0, 5), (0, 5), (0, 6), (1, 5))
    )
    np.testing.assert_array_equal(one, same)
    for other in (next_step, next_seed):
        assert (np.abs(one - other).max((1, 2, 3)) > 0).all(), "no picture is moved as it was"


def test_pictures_of_a_batch_are_moved_apart(ramp: np.ndarray) -> None:
    moved = augment(ramp, BEST["compact"].augmentation, seed=(0, 7)).numpy()
    assert len(np.unique(moved.reshape(len(moved), -1), axis=0)) == len(moved)


def test_black_comes_in_from_outside_where_the_article_repeats_the_edge(ramp: np.ndarray) -> None:
    white = np.full_like(ramp, 255)
    black, nearest = (
        augment(white, Augmentation(rotation=20, shift=0.2, fill=fill), seed=(0, 8)).numpy()
        for fill in ("black", "nearest")
    )
    assert (nearest == 255).all()
    assert (black.min((1, 2, 3)) == 0).any()


def test_rewriting_as_jpeg_keeps_the_picture_and_loses_its_detail(ramp: np.ndarray) -> None:
    noise = np.random.default_rng(0).integers(0, 256, ramp.shape, np.uint8)
    written = augment(noise, Augmentation(rotation=0, shift=0, jpeg=40), seed=(0, 9)).numpy()
    kept = augment(noise, STILL, seed=(0, 9)).numpy()
    assert not np.array_equal(written, kept)
    np.testing.assert_allclose(written.mean((1, 2, 3)), kept.mean((1, 2, 3)), atol=2)


def test_tone_moves_the_black_level_and_bends_the_scale(ramp: np.ndarray) -> None:
    flat = np.repeat(np.array([0, 64, 128, 255], np.uint8)[None, None, :], 4, axis=1)
    many = np.repeat(flat, 200, axis=0)
    bent = augment(many, replace(STILL, gamma=0.5), seed=(0, 6)).numpy()[:, 0, :, 0]
    bent = np.sort(bent, axis=1)  # the mirror goes along
    assert np.allclose(bent[:, [0, 3]], [0, 255], atol=1e-3), "black and white stay where they are"
    exponents = np.log(bent[:, 2] / 255) / np.log(128 / 255)
    assert np.allclose(exponents, np.log(bent[:, 1] / 255) / np.log(64 / 255), atol=1e-4)
    assert np.exp(-0.5) <= exponents.min() < 0.7 < 1.4 < exponents.max() <= np.exp(0.5)

    moved = np.sort(augment(many, replace(STILL, black=0.1), seed=(0, 7)).numpy()[:, 0, :, 0], axis=1)
    steps = moved[:, 1] - 64
    assert np.allclose(moved[:, 2] - 128, steps, atol=1e-3), "every grey by as much"
    assert -25.5 <= steps.min() < -20 < 20 < steps.max() <= 25.5
    assert moved.min() == 0
    assert moved.max() == 255, "clipped at both ends, as in a file"
