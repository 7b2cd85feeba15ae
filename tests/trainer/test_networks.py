"""The article's architectures, counted, and the parts that make them trainable here."""

import numpy as np
import pytest

from oct_trainer.networks import NETWORKS

keras = pytest.importorskip("keras")
pytestmark = pytest.mark.tf


@pytest.mark.parametrize("network", NETWORKS.values(), ids=NETWORKS)
def test_parameter_counts_are_the_articles(network) -> None:
    model = network.build()
    trainable = sum(int(np.prod(w.shape)) for w in model.trainable_weights)
    assert (model.count_params(), trainable) == (network.parameters, network.trainable)


def test_the_compact_network_has_the_articles_layers() -> None:
    kinds = [type(layer).__name__ for layer in NETWORKS["compact"].build().layers]
    pair = ["Conv2D", "BatchNormalization"]
    block = [*pair, *pair, "MaxPooling2D", "Dropout"]
    assert kinds == ["InputLayer", "Rescaling", *block, *block, *pair, "GlobalAveragePooling2D", "Dense", "Softmax"]


@pytest.mark.parametrize(("scaling", "low", "high"), [("unit", 0.0, 1.0), ("symmetric", -1.0, 1.0)])
def test_rescaling_is_a_layer_of_the_network(scaling, low, high) -> None:
    rescale = NETWORKS["compact"].build(scaling=scaling).get_layer("rescaling")
    np.testing.assert_allclose(np.asarray(rescale(np.array([0.0, 255.0]))), [low, high], atol=1e-6)


@pytest.mark.parametrize("network", NETWORKS.values(), ids=NETWORKS)
def test_shrinking_averages_the_pixels_and_changes_no_weight(network) -> None:
    model = network.build(shrink=2)
    assert model.count_params() == network.parameters
    checkered = np.indices((224, 224)).sum(0)[None, :, :, None] % 2 * np.full((1, 1, 1, 3), 255.0, np.float32)
    seen = keras.Model(model.input, model.get_layer("rescaling").output).predict(checkered, verbose=0)
    np.testing.assert_allclose(seen, np.full((1, 112, 112, 3), 0.5), atol=1e-6)


def test_the_frozen_base_answers_the_same_in_training_mode() -> None:
    model = NETWORKS["mobilenet"].build()
    pixels = np.random.default_rng(0).uniform(0, 255, (2, 224, 224, 3)).astype(np.float32)
    np.testing.assert_array_equal(np.asarray(model(pixels, training=True)), np.asarray(model(pixels, training=False)))


def test_restoring_batch_norms_changes_no_answer_and_normalises() -> None:
    from oct_trainer.batchnorm import restore_batch_norms

    keras.utils.set_random_seed(1)
    base = keras.applications.MobileNet(input_shape=(96, 96, 3), include_top=False, weights=None, alpha=0.25)
    rng = np.random.default_rng(0)
    pixels = rng.uniform(-1, 1, (20, 96, 96, 3)).astype(np.float32)
    before = base.predict(pixels, verbose=0)
    assert restore_batch_norms(base, pixels, batch=8) == 27
    np.testing.assert_allclose(base.predict(pixels, verbose=0), before, atol=3e-5 * np.abs(before).max())
    first = base.get_layer("conv1_bn")
    seen = np.asarray(keras.Model(base.input, first.input)(pixels))
    np.testing.assert_allclose(np.asarray(first.moving_mean), seen.mean((0, 1, 2)), atol=1e-4)
    np.testing.assert_allclose(np.asarray(first.moving_variance), seen.var((0, 1, 2)), rtol=1e-3, atol=1e-5)
