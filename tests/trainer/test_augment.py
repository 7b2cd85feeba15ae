"""Augmentation moves a scan the way an eye or a scanner would, and no further."""

import numpy as np
import pytest

tf = pytest.importorskip("tensorflow")
from oct_trainer.augment import Augmentation, augmenter  # noqa: E402
from oct_trainer.recipes import ARTICLE, BEST, RECIPES  # noqa: E402

pytestmark = pytest.mark.tf
STILL = Augmentation(rotation=0, shift=0)


@pytest.fixture
def ramp() -> np.ndarray:
    """Bright at the bottom, and left of the middle."""
    rows, columns = np.mgrid[0:64, 0:64]
    return np.repeat((rows * 2 + (columns < 32) * 60)[None].astype(np.uint8), 32, axis=0)


def test_without_movement_only_the_mirror_is_left(ramp: np.ndarray) -> None:
    moved = augmenter(STILL, seed=1)(ramp).numpy()[..., 0]
    plain = [np.allclose(picture, ramp[0], atol=1e-3) for picture in moved]
    mirrored = [np.allclose(picture, ramp[0, :, ::-1], atol=1e-3) for picture in moved]
    assert all(a or b for a, b in zip(plain, mirrored, strict=True))
    assert any(plain)
    assert any(mirrored)


@pytest.mark.parametrize("recipe", ["article", "best"])
@pytest.mark.parametrize("network", ["mobilenet", "compact"])
def test_a_scan_is_never_turned_upside_down(ramp: np.ndarray, recipe: str, network: str) -> None:
    moved = augmenter(RECIPES[recipe][network].augmentation, seed=2)(ramp).numpy()[..., 0]
    middle = moved[:, :, 24:40].mean(axis=2)
    assert (middle[:, 44:52].mean(axis=1) > middle[:, 12:20].mean(axis=1)).all()


def test_shifts_stay_within_their_share(ramp: np.ndarray) -> None:
    spot = np.zeros_like(ramp)
    spot[:, 30:34, 30:34] = 255
    moved = augmenter(Augmentation(rotation=0, shift=0.25), seed=3)(spot).numpy()[..., 0]
    weights = moved / moved.sum((1, 2), keepdims=True)
    y = (weights.sum(2) * np.arange(64)).sum(1) - 31.5
    assert np.abs(y).max() <= 0.25 * 64 + 0.1
    assert np.abs(y).max() > 0.1 * 64


def test_values_stay_pixels(ramp: np.ndarray) -> None:
    for recipes in (ARTICLE, BEST):
        moved = augmenter(recipes["compact"].augmentation, seed=4)(ramp).numpy()
        assert moved.dtype == np.float32
        assert moved.shape == (32, 64, 64, 1)
        assert moved.min() >= 0
        assert moved.max() <= 255


def test_a_seed_decides_the_stream(ramp: np.ndarray) -> None:
    one, other = (augmenter(BEST["mobilenet"].augmentation, seed=5) for _ in range(2))
    for _ in range(2):
        np.testing.assert_array_equal(one(ramp).numpy(), other(ramp).numpy())
    assert not np.array_equal(one(ramp).numpy(), one(ramp).numpy())
