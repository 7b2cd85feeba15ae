"""The bundled default model, opened once, a retina to draw, and the shared pictures and models that are not ours."""

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

from oct_edge.bundle import Bundle, open_bundle
from oct_edge.classifier import Classifier
from oct_edge.preprocess import to_grey
from oct_edge.runtime import open_runtime
from oct_edge.scan import Scan, read_scan

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


@pytest.fixture(scope="session")
def real(oct2017: Path) -> list[np.ndarray]:
    """The pixels of some real scans: not ours to commit, so measured where they are."""
    return [read_scan(path).pixels for path in sorted(oct2017.rglob("*.jpeg"))[::16]]


@pytest.fixture(scope="session")
def retina() -> Callable[..., np.ndarray]:
    """Draw a curved band of layers, brighter towards its lower edge, before a dark background.

    Its middle and thickness are shares of the height.
    """

    def draw(middle: float = 0.5, thickness: float = 0.2, width: int = 512, height: int = 496) -> np.ndarray:
        depth, across = np.mgrid[0:height, 0:width] / np.array([height, width]).reshape(2, 1, 1)
        place = (depth - middle - 0.04 * np.cos(np.pi * across)) / thickness + 0.5
        layers = 90 + 90 * place + 30 * np.sin(12 * place) + 10 * np.sin(9 * across)
        return np.where((place >= 0) & (place <= 1), layers, 12).astype(np.uint8)

    return draw


@pytest.fixture(scope="session")
def grey_of() -> Callable[[np.ndarray], np.ndarray]:
    """What the network sees of these pixels."""
    return lambda pixels: to_grey(Scan(pixels.astype(np.uint8), "", "drawn"))


@pytest.fixture(scope="session")
def difference() -> Callable[[np.ndarray, np.ndarray], float]:
    """Mean of the absolute difference of two pictures, in grey levels."""
    return lambda one, other: float(np.abs(one.astype(int) - other).mean())


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Callable[[str], Path]]:
    """Mount a disk of so many bytes ("16k")."""
    mounted: list[Path] = []

    def mount(size: str) -> Path:
        folder = tmp_path / "disk"
        folder.mkdir()
        command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
        if os.geteuid() or subprocess.run(command, capture_output=True).returncode:
            pytest.skip("needs root and the right to mount a tmpfs")
        mounted.append(folder)
        return folder

    yield mount
    for folder in mounted:
        subprocess.run(["umount", str(folder)], check=True)


@pytest.fixture(scope="session")
def fill_up() -> Callable[[Path], Path]:
    """Take all that is left of a disk with one file, and return it."""

    def fill(disk: Path) -> Path:
        filler = disk / "filler"
        with suppress(OSError), filler.open("wb", buffering=0) as file:
            while True:
                file.write(bytes(4096))
        return filler

    return fill


@pytest.fixture
def strace(tmp_path: Path) -> Callable[..., list[str]]:
    """What to start a command under, so that its system calls are watched, or fail."""
    if not shutil.which("strace"):
        pytest.skip("needs strace")
    return lambda *options: ["strace", "-f", "-o", str(tmp_path / "trace"), *options]


def _shared(name: str) -> Path:
    folder = SHARED / name
    if not folder.is_dir():
        pytest.skip(f"needs ../shared/data/{name}")
    return folder
