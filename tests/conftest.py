"""What tests share: the bundled phantoms, the real scans where they are at hand, and runtimes in a safe order."""

import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import oct_converters  # noqa: F401  loads tflite-runtime before a test module can import TensorFlow
from oct_models import sample_scans

ROOT = Path(__file__).parents[1]
SHARED = ROOT.parent / "shared" / "data"

# A shell starts what it runs in the background with SIGINT ignored, and so would be every process that a test starts.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def samples() -> list[Path]:
    """The eight bundled synthetic phantoms."""
    return sample_scans()


@pytest.fixture(scope="session")
def oct2017() -> Path:
    """The real scans, which are never part of the repository."""
    folder = SHARED / "oct2017"
    if not folder.is_dir():
        pytest.skip("needs the real scans in ../shared/data/oct2017")
    return folder


@pytest.fixture(scope="session")
def run_command() -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run one of the project's commands, as installed beside this Python: `run_command("oct-edge", "models")`."""

    def run(name: str, *arguments: object, **options: object) -> subprocess.CompletedProcess[str]:
        command = [str(Path(sys.executable).parent / name), *map(str, arguments)]
        return subprocess.run(command, capture_output=True, text=True, timeout=600, **options)  # type: ignore[call-overload]

    return run
