"""A dense layer becomes a convolution that every runtime's reference kernels compute alike, and changes no answer."""

import numpy as np
import pytest

keras = pytest.importorskip("keras")
from oct_converters.calibration import draw_calibration  # noqa: E402
from oct_converters.dense import dense_as_convolutions  # noqa: E402
from oct_converters.quantize import to_int8  # noqa: E402
from oct_edge.preprocess import expand  # noqa: E402
from oct_edge.runtime import RUNTIMES, installed_runtimes, open_runtime  # noqa: E402
from oct_trainer.networks.layers import answer, pixels  # noqa: E402
from oct_trainer.pictures import Pictures  # noqa: E402

pytestmark = pytest.mark.tf


@pytest.fixture(scope="module")
def head():
    """Four dense layers, as `mobilenet` has them, on a picture of 28 x 28."""
    keras.utils.set_random_seed(0)
    inputs, x = pixels("symmetric", 8)
    x = keras.layers.Flatten(name="embedding")(x)
    for i in range(3):
        x = keras.layers.Dense(256, activation="relu", name=f"dense_{i}")(x)
    return keras.Model(inputs, answer(x))


@pytest.fixture(scope="module")
def pictures() -> Pictures:
    grey = np.random.default_rng(1).integers(0, 256, (128, 28, 28), np.uint8).repeat(8, 1).repeat(8, 2)
    return Pictures((), grey, np.arange(128) % 4, np.arange(128).astype(str), tuple(f"{i:064x}" for i in range(128)))


def test_no_answer_changes(head, pictures: Pictures) -> None:
    given = np.concatenate([expand(grey) for grey in pictures.grey[:16]]).astype(np.float32)
    before = head.get_weights()
    replaced = dense_as_convolutions(head)
    np.testing.assert_allclose(np.asarray(replaced(given)), np.asarray(head(given)), atol=1e-5)
    assert not any(isinstance(layer, keras.layers.Dense) for layer in replaced.layers)
    assert [layer.name for layer in replaced.layers] == [layer.name for layer in head.layers]
    assert all(np.array_equal(a, b) for a, b in zip(before, head.get_weights(), strict=True))


@pytest.mark.skipif(set(installed_runtimes()) != set(RUNTIMES), reason="needs both runtimes")
def test_reference_kernels_give_the_same_bits_on_every_runtime_and_did_not(head, pictures: Pictures) -> None:
    def differing(model) -> int:
        content = to_int8(model, draw_calibration(pictures, 16))
        runtimes = [open_runtime(content, kind, kernels="reference") for kind in RUNTIMES]
        answers = [[runtime.invoke(expand(grey))["logits"] for grey in pictures.grey] for runtime in runtimes]
        return sum(not np.array_equal(*pair) for pair in zip(*answers, strict=True))

    assert differing(dense_as_convolutions(head)) == 0
    assert differing(head) > 0
