"""A clean data set of phantoms, a copy of it to plant something in, and trainings in processes of their own."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
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


@pytest.fixture(scope="session")
def train_forked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., subprocess.CompletedProcess[str]]]:
    """`oct-train` in a process of its own, as `forked_training.py` describes it."""
    pytest.importorskip("tensorflow")
    folder = tmp_path_factory.mktemp("forked")
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    command = [sys.executable, str(Path(__file__).with_name("forked_training.py"))]
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
    with subprocess.Popen(command, **pipes, env=environment, text=True) as server:  # type: ignore[call-overload]

        def train(*arguments: object, recipe: dict[str, object] | None = None, **task: object) -> object:
            said = {name: str(folder / name) for name in ("stdout", "stderr")}
            line = {"arguments": [*map(str, arguments)], "recipe": recipe or {}, **said, **task}
            print(json.dumps(line), file=server.stdin, flush=True)
            code = int(server.stdout.readline())
            return subprocess.CompletedProcess(arguments, code, *(Path(path).read_text() for path in said.values()))

        yield train
