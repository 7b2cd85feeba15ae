"""The bundled default model, opened once, a retina to draw, a ledger with its files, and pictures that are not ours."""

import hashlib
import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

from oct_edge.bundle import Bundle, open_bundle
from oct_edge.classifier import Classifier
from oct_edge.errors import ScanDamaged
from oct_edge.exports import Exports
from oct_edge.intake import Intake, job_of
from oct_edge.ledger.reader import reading
from oct_edge.ledger.store import Ledger
from oct_edge.preprocess import to_grey
from oct_edge.result import ModelIdentity, Result, Source, rejected, utc_now
from oct_edge.runtime import open_runtime
from oct_edge.scan import Scan, read_scan
from oct_edge.worker.supervisor import Job

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
def dicom_not_oct() -> Path:
    """DICOM files of other modalities."""
    return _shared("dicom_not_oct")


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


class Shelf:
    """A ledger and its result files, and a model that answers each content as it is told to."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.state, self.results = folder, folder / "state", folder / "results"
        self.graded: list[str] = []
        self.rejects: set[str] = set()
        self.start()

    def start(self, model: str = "m") -> None:
        """As the process that serves the model of this letter."""
        self.identity = ModelIdentity(f"model-{model}", model * 64, "none")
        self.ledger = Ledger(self.state)
        self.exports = Exports(self.results, self.state / "quarantine")
        self.intake = Intake(self.ledger, self, self.exports)
        self.intake.catch_up()

    def end(self) -> None:
        self.ledger.close()
        self.exports.close()

    def restart(self, model: str = "m") -> None:
        self.end()
        self.start(model)

    def grade(self, jobs: Iterable[Job | None]) -> Iterator[Result | None]:
        for job in filter(None, jobs):
            self.graded.append(job.name)
            source = Source(job.name, job.sha256)
            if job.name in self.rejects:
                yield rejected(ScanDamaged(f"{job.name}: cut."), source, self.identity)
            else:
                yield Result(utc_now(), source, "classified", self.identity, label="CNV", probabilities={"CNV": 1.0})

    def answer(self, *names: str) -> list[str]:
        """Names of what is answered in a pass over an inbox with these files, whose content is their first letter."""
        self.intake.regrading.take_up()
        jobs = [job_of(name[0].encode(), name) for name in names]
        answered = [result.source.name for result in self.intake.answer(jobs, lambda: True)]
        self.intake.regrading.looked()
        return answered

    def files(self) -> dict[str, str]:
        """What the result files are called, up to the digest, and which model answered."""
        found = sorted(self.results.iterdir())
        return {path.name.split(".")[0]: json.loads(path.read_text())["model"]["name"][-1] for path in found}

    def notes(self) -> list[str]:
        return sorted(path.name.split(".")[0] for path in self.exports.quarantine.iterdir())

    def history(self, content: str) -> list[tuple[str, str | None]]:
        """Kind and model of every event of a content that is no sighting."""
        query = "SELECT kind, substr(model, 1, 1) FROM events WHERE scan = ? AND kind <> 'sighting' ORDER BY seq"
        return self.ledger._rows(query, self.sha256(content))

    def status(self) -> dict:
        with reading(self.state) as reader:
            reader.verify()
            return reader.status()

    @staticmethod
    def sha256(content: str) -> str:
        return hashlib.sha256(content.encode()).hexdigest()


@pytest.fixture
def shelf(tmp_path: Path) -> Iterator[Shelf]:
    shelf = Shelf(tmp_path)
    yield shelf
    shelf.end()


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
