"""A clean data set of phantoms, and a copy of it to plant something in."""

import shutil
from pathlib import Path

import pytest

from oct_trainer.phantom import write_dataset


@pytest.fixture(scope="session")
def clean_phantoms(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("audit") / "phantoms"
    write_dataset(root, 64, seed=3)
    return root


@pytest.fixture
def root(clean_phantoms: Path, tmp_path: Path) -> Path:
    """A copy of the clean phantoms."""
    return Path(shutil.copytree(clean_phantoms, tmp_path / "data"))
