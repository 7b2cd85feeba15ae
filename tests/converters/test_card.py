"""What the card says of where a model comes from."""

import pytest

pytest.importorskip("keras")
from oct_converters.card import _of_weights
from oct_trainer.networks.pretrained import APPLICATIONS

pytestmark = pytest.mark.tf
IMAGENET = {"kind": "imagenet", "source": "keras.applications"}


@pytest.mark.parametrize(("network", "words"), [("mobilenet", "MobileNet"), ("vgg16", "VGG16")])
def test_imagenet_weights_are_those_of_the_networks_own_base(network: str, words: str) -> None:
    assert [words in licence for licence in _of_weights(network, IMAGENET)] == [True]


@pytest.mark.parametrize("network", APPLICATIONS)
def test_a_licence_outlives_the_runs_between(network: str) -> None:
    run = {"kind": "run", "weights": {"kind": "run", "weights": IMAGENET}}
    assert _of_weights(network, run) == _of_weights(network, IMAGENET) != ()


def test_weights_of_ones_own_have_no_licence_of_others() -> None:
    assert _of_weights("custom-vgg", {"kind": "none"}) == _of_weights("compact", {"kind": "file"}) == ()
