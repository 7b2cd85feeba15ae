"""What is bundled: the models that this project trained, and sample scans that it drew.

The samples are synthetic phantoms, not pictures of a person's eye; they were rendered from seeds that no training saw.
"""

from pathlib import Path

_HERE = Path(__file__).parent

DEFAULT = "mobilenet-int8"


def bundled_models() -> dict[str, Path]:
    """Name to file of every bundled model, by name."""
    return {path.stem: path for path in sorted(_HERE.glob("*.tflite"))}


def sample_scans() -> list[Path]:
    """The bundled synthetic phantoms, two a class, by name."""
    return sorted((_HERE / "samples").glob("*.jpeg"))
