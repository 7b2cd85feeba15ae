"""A batch norm behind a ReLU becomes one operator that keeps its precision, and changes no answer."""

import numpy as np
import pytest

keras = pytest.importorskip("keras")
from oct_converters.calibration import draw_calibration  # noqa: E402
from oct_converters.equalize import find_blocks  # noqa: E402
from oct_converters.norms import norms_as_convolutions  # noqa: E402
from oct_converters.quantize import to_int8  # noqa: E402
from oct_edge.preprocess import expand  # noqa: E402
from oct_edge.runtime import open_runtime  # noqa: E402
from oct_trainer.networks import NETWORKS  # noqa: E402
from oct_trainer.pictures import Pictures  # noqa: E402

pytestmark = pytest.mark.tf


@pytest.fixture(scope="module")
def uneven():
    """The compact network with batch norms of very uneven gain over a large mean, as training leaves them."""
    keras.utils.set_random_seed(0)
    model = NETWORKS["compact"].build(shrink=4)
    rng = np.random.default_rng(0)
    for block in find_blocks(model):
        channels = len(block.norm.get_weights()[0])
        gain, mean = np.exp(rng.normal(0, 1.5, channels)), rng.uniform(0.2, 0.4, channels)
        block.norm.set_weights([gain, rng.normal(0, 0.3, channels), mean, np.full(channels, 0.05)])
    return model


@pytest.fixture(scope="module")
def pictures() -> Pictures:
    grey = np.random.default_rng(1).integers(0, 256, (24, 224, 224), np.uint8)
    return Pictures((), grey, np.arange(24) % 4, np.arange(24).astype(str), tuple(f"{i:064x}" for i in range(24)))


def test_no_answer_changes(uneven, pictures: Pictures) -> None:
    pixels = np.concatenate([expand(grey) for grey in pictures.grey[:4]]).astype(np.float32)
    before = uneven.get_weights()
    replaced = norms_as_convolutions(uneven)
    np.testing.assert_allclose(np.asarray(replaced(pixels)), np.asarray(uneven(pixels)), atol=1e-5)
    assert not any(isinstance(layer, keras.layers.BatchNormalization) for layer in replaced.layers)
    assert [layer.name for layer in replaced.layers] == [layer.name for layer in uneven.layers]
    assert all(np.array_equal(a, b) for a, b in zip(before, uneven.get_weights(), strict=True))


def test_int8_loses_less_than_with_the_batch_norms_themselves(uneven, pictures: Pictures) -> None:
    pixels = np.concatenate([expand(grey) for grey in pictures.grey]).astype(np.float32)
    exact = np.asarray(keras.Model(uneven.input, uneven.get_layer("logits").output)(pixels))

    def error(model) -> float:
        runtime = open_runtime(to_int8(model, draw_calibration(pictures, 16)))
        found = np.concatenate([runtime.logits(expand(grey))[None] for grey in pictures.grey])
        return float(np.abs(found - exact).mean())

    assert error(norms_as_convolutions(uneven)) < 0.5 * error(uneven)


def test_a_network_whose_batch_norms_fold_away_is_left_alone() -> None:
    model = NETWORKS["mobilenet"].build()
    assert norms_as_convolutions(model) is model
