"""Training refuses what the audit calls a leak between files or patients, and marks what was allowed."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from oct_edge.errors import LeakingSplit
from oct_edge.labels import LABELS
from oct_trainer.audit import run_audit
from oct_trainer.dataset import read_dataset
from oct_trainer.layout import read_layout
from oct_trainer.leaks import Leak, leaking_scans

Scans = Callable[[Path, str, str], list[Path]]
Plant = Callable[[Path, Path], None]


def patient(path: Path) -> str:
    return path.name.split("-")[1]


def copy(path: Path, split: str, of: str) -> None:
    """The same bytes in a split, under the name of a patient."""
    folder = path.parents[2] / split / path.parent.name
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copy(path, folder / f"{path.parent.name}-{of}-77.jpeg")


def share_the_patient(trained: Path, tested: Path) -> None:
    tested.rename(tested.with_name(f"{tested.parent.name}-{patient(trained)}-77.jpeg"))


PLANTS: dict[str, tuple[Plant, bool]] = {
    "nothing": (lambda trained, tested: None, False),
    "a patient in train and test": (share_the_patient, True),
    "the same bytes in train and test": (lambda trained, tested: copy(trained, "test", "777"), True),
    "the same bytes in val and test": (lambda trained, tested: copy(tested, "val", "777"), True),
    "the same bytes of two patients in train and val": (lambda trained, tested: copy(trained, "val", "777"), True),
    "the same bytes of one patient in train and val": (
        lambda trained, tested: copy(trained, "val", patient(trained)),
        False,
    ),
    "the same bytes twice in train": (lambda trained, tested: copy(trained, "train", "777"), False),
}


@pytest.mark.parametrize("what", PLANTS)
def test_what_the_audit_calls_a_leak_is_refused(root: Path, scans: Scans, what: str) -> None:
    plant, is_leak = PLANTS[what]
    plant(scans(root, "train", "DME")[2], scans(root, "test", "DME")[0])
    assert bool(run_audit(root).leaks) == is_leak
    if not is_leak:
        assert read_dataset(root).leak is None
        return
    with pytest.raises(LeakingSplit, match="DME") as caught:
        read_dataset(root)
    assert "--allow-leak" in caught.value.hint
    assert "oct-train audit" in caught.value.hint
    assert caught.value.code == "leaking_split"


def test_a_leak_that_is_allowed_is_counted_and_trained_on(root: Path, scans: Scans) -> None:
    first, other = scans(root, "train", "CNV")[0], scans(root, "train", "NORMAL")[0]
    share_the_patient(first, scans(root, "test", "CNV")[0])
    copy(other, "test", "777")
    of_patient = [p for p in scans(root, "train", "CNV") if patient(p) == patient(first)]
    data = read_dataset(root, allow_leak=True)
    assert data.leak == Leak(patients=2, scans=len(of_patient) + 1)
    pool = {s.path for s in (*data.split("train"), *data.split("val"))}
    assert {*of_patient, other} <= pool
    assert len(data.samples) == 65
    with pytest.raises(LeakingSplit, match=rf"{len(of_patient) + 1} scans to train on, of 2 patients") as caught:
        read_dataset(root)
    assert f"train/CNV/{first.name} (patient {patient(first)})" in caught.value.message


def test_the_split_is_the_same_with_a_leak_allowed_where_there_is_none(clean_phantoms: Path) -> None:
    assert read_dataset(clean_phantoms, allow_leak=True) == read_dataset(clean_phantoms)


def test_a_long_list_of_leaks_is_cut(root: Path, scans: Scans) -> None:
    for label in LABELS:
        for n, path in enumerate(scans(root, "train", label)[:4]):
            copy(path, "test", f"77{n}")
    with pytest.raises(LeakingSplit, match=r"16 scans to train on.*; and 8 more\.$"):
        read_dataset(root)


def test_empty_and_odd_files_are_no_copies_of_each_other(root: Path) -> None:
    """They are damaged, which reading them says; a FIFO must not be waited for."""
    for split in ("train", "test"):
        folder = root / split / "CNV"
        (folder / f"CNV-{split}-1.jpeg").touch()
        os.mkfifo(folder / f"CNV-{split}-2.jpeg")
        (folder / f"CNV-{split}-3.jpeg").symlink_to(folder / "gone")
    assert leaking_scans(read_layout(root).scans) == []


def test_a_patient_of_a_csv_is_the_one_of_its_column(root: Path, scans: Scans) -> None:
    paths = {split: [p for label in LABELS for p in scans(root, split, label)] for split in ("train", "test")}
    shared = {paths["train"][0], paths["test"][-1]}
    rows = [
        f"{path.relative_to(root)},{path.parent.name},{'Ann' if path in shared else path.stem},{split}"
        for split, found in paths.items()
        for path in found
    ]
    table = root / "scans.csv"
    table.write_text("\n".join(["path,label,patient,split", *rows]))
    with pytest.raises(LeakingSplit) as caught:
        read_dataset(table)
    assert caught.value.message.startswith(f"{table}: the split leaks. 1 scan to train on, of 1 patient, ")
    assert caught.value.message.endswith(f": train/CNV/{paths['train'][0].name} (patient Ann).")
