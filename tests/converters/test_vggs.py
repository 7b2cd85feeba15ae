"""The two VGGs are converted on request only; untrained, they show that their layers can be quantized."""

import numpy as np
import pytest

from oct_converters.calibration import CalibrationSet
from oct_edge.labels import LABELS
from oct_edge.preprocess import expand, to_grey
from oct_edge.runtime import open_runtime
from oct_edge.scan import Scan
from oct_trainer.networks import NETWORKS
from oct_trainer.phantom import render
from oct_trainer.pictures import Pictures

keras = pytest.importorskip("keras")
from oct_converters.equalize import equalize  # noqa: E402
from oct_converters.quantize import to_int8  # noqa: E402
from oct_trainer.batchnorm import set_norm_momentum  # noqa: E402
from oct_trainer.recipes import BEST  # noqa: E402

pytestmark = [pytest.mark.tf, pytest.mark.slow]


@pytest.fixture(scope="module")
def pictures() -> Pictures:
    """One phantom a class."""
    grey = np.stack([to_grey(Scan(render(name, 1).pixels, "", name)) for name in LABELS])
    return Pictures((), grey, np.arange(4), np.array(LABELS), tuple(f"{i:064x}" for i in range(4)))


@pytest.mark.parametrize(("network", "norms"), [("vgg16", 0), ("custom-vgg", 16)])
def test_it_becomes_an_integer_model_of_the_contract(network: str, norms: int, pictures: Pictures) -> None:
    model = NETWORKS[network].build(scaling=BEST[network].scaling)
    pixels = np.repeat(pictures.grey[..., None], 3, axis=3).astype(np.float32)
    set_norm_momentum(model, 0.0)
    model(pixels, training=True)  # batch norms get the statistics of these pictures
    before = model.predict(pixels, verbose=0)
    assert equalize(model, pictures.grey) == norms
    np.testing.assert_allclose(model.predict(pixels, verbose=0), before, atol=1e-3)
    int8 = to_int8(model, CalibrationSet(pictures, (0, 1, 2, 3)))
    outputs = open_runtime(int8).invoke(expand(pictures.grey[0]))
    shapes = {"scores": (4,), "logits": (4,), "embedding": (NETWORKS[network].embedding,)}
    assert {name: outputs[name].shape for name in shapes} == shapes
    assert ("cam" in outputs) == (network == "custom-vgg")
    assert len(int8) < 1.05 * model.count_params(), "a byte a weight"
