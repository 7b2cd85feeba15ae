"""Draws the bundled sample scans: `python -m oct_trainer.phantom.samples DIR`.

Two synthetic phantoms a class, from seeds that no training set uses: `write_dataset` hashes its own seeds from a
stream, the golden inputs have one fixed seed, and these have theirs.
"""

import sys
from pathlib import Path

from PIL import Image

from oct_edge.labels import LABELS
from oct_trainer.phantom.dataset import COMMENT
from oct_trainer.phantom.draw import Phantom, render

SEEDS = (7001, 7002)
QUALITY = 90


def samples() -> dict[str, Phantom]:
    """File name to phantom."""
    return {
        f"phantom-{label}-{number}.jpeg": render(label, seed)
        for label in LABELS
        for number, seed in enumerate(SEEDS, start=1)
    }


def write_samples(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, phantom in samples().items():
        Image.fromarray(phantom.pixels).save(folder / name, "JPEG", quality=QUALITY, comment=COMMENT)


if __name__ == "__main__":
    write_samples(Path(sys.argv[1]))
