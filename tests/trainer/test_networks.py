"""The article's architectures, counted, and the parts that make them trainable here."""

import numpy as np
import pytest

from oct_trainer.networks import NETWORKS

keras = pytest.importorskip("keras")
pytestmark = pytest.mark.tf


@pytest.fixture(scope="module", params=NETWORKS)
def built(request: pytest.FixtureRequest):
    """An entry of the table, and what Keras makes of it."""
    network = NETWORKS[request.param]
    return network, network.build()


def kinds(model) -> list[str]:
    return [type(layer).__name__ for layer in model.layers]


def weighted_layers(model):
    """Convolutions and dense layers, also those of a base inside."""
    wanted = (keras.layers.Conv2D, keras.layers.DepthwiseConv2D, keras.layers.Dense)
    return [layer for layer in model._flatten_layers() if isinstance(layer, wanted)]


def multiply_adds(layer) -> int:
    """Every output is a sum over the kernel: of all its inputs, or of one of them where the kernel is depthwise."""
    kernel = int(np.prod(layer.kernel.shape))
    return kernel if layer.output.ndim == 2 else kernel * int(np.prod(layer.output.shape[1:3]))


def test_parameter_counts_are_the_articles(built) -> None:
    network, model = built
    trainable = sum(int(np.prod(w.shape)) for w in model.trainable_weights)
    assert (model.count_params(), trainable) == (network.parameters, network.trainable)


def test_the_table_counts_layers_and_work_as_they_are(built) -> None:
    network, model = built
    layers = weighted_layers(model)
    assert (len(layers), sum(map(multiply_adds, layers))) == (network.layers, network.multiply_adds)


def test_a_converter_finds_what_it_looks_for(built) -> None:
    network, model = built
    assert model.name == network.name
    assert model.get_layer("embedding").output.shape == (None, network.embedding)
    assert model.get_layer("logits").output.shape == model.get_layer("scores").output.shape == (None, 4)


PAIR = ["Conv2D", "BatchNormalization"]
END = ["MaxPooling2D", "Dropout"]
ANSWER = ["GlobalAveragePooling2D", "Dense", "Softmax"]


def test_the_compact_network_has_the_articles_layers() -> None:
    block = [*PAIR, *PAIR, *END]
    assert kinds(NETWORKS["compact"].build()) == ["InputLayer", "Rescaling", *block, *block, *PAIR, *ANSWER]


def test_the_16_conv_network_has_the_articles_layers() -> None:
    model = NETWORKS["custom-vgg"].build()
    blocks = [kind for convolutions in (2, 2, 2, 3, 3, 3, 1) for kind in (*PAIR * convolutions, *END)]
    assert kinds(model) == ["InputLayer", "Rescaling", *blocks, *ANSWER]
    filters = [layer.filters for layer in weighted_layers(model)[:-1]]
    assert filters == [64] * 2 + [128] * 2 + [256] * 5 + [512] * 7
    assert {layer.rate for layer in model.layers if isinstance(layer, keras.layers.Dropout)} == {0.2}


def test_vgg16_has_the_articles_layers() -> None:
    model = NETWORKS["vgg16"].build()
    assert kinds(model) == ["InputLayer", "Rescaling", "Functional", "Flatten", "Dense", "Dropout", "Dense", "Softmax"]
    assert not model.get_layer("vgg16_base").trainable_weights
    assert model.get_layer("dropout").rate == 0.3


def test_vgg16_can_see_a_scan_as_it_was_trained_to_see_photographs() -> None:
    model = NETWORKS["vgg16"].build(scaling="caffe")
    grey = np.random.default_rng(0).integers(0, 256, (1, 224, 224, 1)).repeat(3, axis=3).astype(np.float32)
    seen = np.asarray(keras.Model(model.input, model.get_layer("rescaling").output)(grey))
    np.testing.assert_allclose(seen, keras.applications.vgg16.preprocess_input(grey.copy()), atol=1e-4)


@pytest.mark.parametrize(("scaling", "low", "high"), [("unit", 0.0, 1.0), ("symmetric", -1.0, 1.0)])
def test_rescaling_is_a_layer_of_the_network(scaling, low, high) -> None:
    rescale = NETWORKS["compact"].build(scaling=scaling).get_layer("rescaling")
    np.testing.assert_allclose(np.asarray(rescale(np.array([0.0, 255.0]))), [low, high], atol=1e-6)


@pytest.mark.parametrize("network", [NETWORKS["mobilenet"], NETWORKS["compact"]], ids=lambda n: n.name)
def test_shrinking_averages_the_pixels_and_changes_no_weight(network) -> None:
    model = network.build(shrink=2)
    assert model.count_params() == network.parameters
    checkered = np.indices((224, 224)).sum(0)[None, :, :, None] % 2 * np.full((1, 1, 1, 3), 255.0, np.float32)
    seen = keras.Model(model.input, model.get_layer("rescaling").output).predict(checkered, verbose=0)
    np.testing.assert_allclose(seen, np.full((1, 112, 112, 3), 0.5), atol=1e-6)


@pytest.mark.parametrize("network", ["vgg16", "custom-vgg"])
def test_a_network_whose_layers_would_change_is_not_shrunk(network: str) -> None:
    with pytest.raises(ValueError, match=f"{network} takes pictures of full size"):
        NETWORKS[network].build(shrink=2)


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
