"""Equalising changes the ranges of channels, and no answer."""

import numpy as np
import pytest

keras = pytest.importorskip("keras")
from oct_converters.equalize import _ranges, equalize, find_blocks  # noqa: E402
from oct_trainer.networks import NETWORKS  # noqa: E402

pytestmark = pytest.mark.tf


@pytest.fixture
def uneven():
    """The compact network with channels of very different range, one of them dead, as training leaves them."""
    keras.utils.set_random_seed(0)
    model = NETWORKS["compact"].build(shrink=2)
    rng = np.random.default_rng(0)
    for block in find_blocks(model):
        channels = len(block.norm.get_weights()[0])
        scale = np.exp(rng.normal(0, 1.5, channels))
        block.norm.set_weights([scale, rng.normal(0, 1, channels), rng.normal(0, 0.1, channels), np.ones(channels)])
        kernel, bias = block.convolution.get_weights()
        kernel[..., 0], bias[0] = 0, -1
        block.convolution.set_weights([kernel, bias])
    return model


@pytest.fixture
def grey() -> np.ndarray:
    return np.random.default_rng(1).integers(0, 256, (20, 224, 224), np.uint8)


def spread(model, grey: np.ndarray) -> float:
    """How many times wider the widest channel of a convolution is than the middle one, in the worst layer."""
    outputs = [block.convolution.output for block in find_blocks(model)]
    return max(float(r.max() / np.median(r)) for r in _ranges(keras.Model(model.input, outputs), grey))


def test_no_answer_changes_and_channels_get_like_ranges(uneven, grey: np.ndarray) -> None:
    pixels = np.repeat(grey[:4, :, :, None], 3, axis=3).astype(np.float32)
    before = uneven.predict(pixels, verbose=0)
    assert spread(uneven, grey) > 2
    assert equalize(uneven, grey) == 5
    np.testing.assert_allclose(uneven.predict(pixels, verbose=0), before, atol=1e-5)
    assert spread(uneven, grey) == pytest.approx(1, abs=1e-3)


def test_a_network_whose_batch_norms_fold_away_is_left_alone(grey: np.ndarray) -> None:
    model = NETWORKS["mobilenet"].build()
    before = model.get_weights()
    assert equalize(model, grey) == 0
    assert all(np.array_equal(a, b) for a, b in zip(before, model.get_weights(), strict=True))
