"""A clean data set of phantoms, and a copy of it to plant something in."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from oct_trainer.audit import Audit, rows
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


@pytest.fixture(scope="session")
def text() -> Callable[[Audit], str]:
    """The report of an audit as one text."""
    return lambda audit: "\n".join(rows(audit))


@pytest.fixture(scope="session")
def scans() -> Callable[[Path, str, str], list[Path]]:
    """The JPEGs of a split and class under a root, by name."""
    return lambda root, split, label: sorted((root / split / label).glob("*.jpeg"))


@pytest.fixture(scope="session")
def save() -> Callable[..., str]:
    """Save a picture where there may be no folder yet; returns the name of the file."""

    def save(picture: Image.Image, path: Path, **options: int) -> str:
        path.parent.mkdir(parents=True, exist_ok=True)
        picture.save(path, **options)
        return path.name

    return save
