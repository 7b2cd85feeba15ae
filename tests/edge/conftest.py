"""The bundled default model, opened once, and the shared pictures and models that are not ours to commit."""

from pathlib import Path

import pytest

from oct_edge.bundle import Bundle, open_bundle
from oct_edge.classifier import Classifier
from oct_edge.runtime import open_runtime

SHARED = Path(__file__).parents[3] / "shared" / "data"


@pytest.fixture(scope="session")
def bundle() -> Bundle:
    return open_bundle()


@pytest.fixture(scope="session")
def classifier(bundle: Bundle) -> Classifier:
    return Classifier(bundle, open_runtime(bundle.content))


@pytest.fixture(scope="session")
def negatives() -> Path:
    """Photographs and radiographs: readable pictures that are no OCT."""
    return _shared("negatives")


@pytest.fixture(scope="session")
def coral() -> list[Path]:
    """MobileNets of other people: intact .tflite files without our card."""
    return sorted(_shared("weights/coral").glob("*.tflite"))


def _shared(name: str) -> Path:
    folder = SHARED / name
    if not folder.is_dir():
        pytest.skip(f"needs ../shared/data/{name}")
    return folder
