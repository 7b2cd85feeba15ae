"""Copies are found through whatever a copy goes through, and neighbouring slices are no copies."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps

from oct_edge.labels import LABELS
from oct_trainer.audit import Audit, run_audit
from oct_trainer.audit.fingerprint import fingerprint, mirrored

Change = Callable[[Image.Image], Image.Image]
Text = Callable[[Audit], str]
Scans = Callable[[Path, str, str], list[Path]]
Save = Callable[..., str]


def test_the_same_bytes_in_train_and_test_are_a_leak(root: Path, scans: Scans) -> None:
    original = scans(root, "train", "DME")[2]
    shutil.copy(original, root / "test" / "DME" / "DME-777-1.jpeg")
    audit = run_audit(root)
    (leak,) = audit.leaks
    assert leak == audit.duplicates[0]
    assert leak.kind == "exact"
    assert leak.files == ("test/DME/DME-777-1.jpeg", f"train/DME/{original.name}")
    assert leak.splits == ("test", "train")


def test_two_patients_cannot_be_repaired_by_a_new_validation(root: Path, scans: Scans) -> None:
    (root / "val" / "DME").mkdir(parents=True)
    shutil.copy(scans(root, "train", "DME")[2], root / "val" / "DME" / "DME-777-1.jpeg")
    assert [leak.verdict for leak in run_audit(root).leaks] == ["leak"]


def test_the_same_bytes_within_a_split_are_a_note(root: Path, text: Text, scans: Scans) -> None:
    shutil.copy(scans(root, "train", "DME")[2], root / "train" / "DME" / "DME-777-1.jpeg")
    audit = run_audit(root)
    assert audit.leaks == ()
    assert [(d.kind, d.verdict, len(d.patients)) for d in audit.duplicates] == [("exact", "note", 2)]
    assert "the same picture twice in one split: 1" in text(audit)


def test_one_picture_under_two_labels_is_a_conflict(root: Path, text: Text, scans: Scans) -> None:
    patient = scans(root, "train", "CNV")[0].name.split("-")[1]
    shutil.copy(scans(root, "train", "CNV")[0], root / "train" / "DRUSEN" / f"DRUSEN-{patient}-5.jpeg")
    audit = run_audit(root)
    assert [conflict.labels for conflict in audit.conflicts] == [("CNV", "DRUSEN")]
    assert audit.to_dict()["duplicates"][0]["label_conflict"] is True
    assert "one picture under two labels: 1" in text(audit)


COPIES: dict[str, tuple[Change, int]] = {
    "at another JPEG quality": (lambda image: image, 40),
    "resized to 224 x 224": (lambda image: image.resize((224, 224)), 95),
    "at half size": (lambda image: image.resize((image.width // 2, image.height // 2)), 90),
    "mirrored": (ImageOps.mirror, 90),
    "mirrored and shrunk": (lambda image: ImageOps.mirror(image).resize((300, 290)), 60),
    "brighter": (lambda image: image.point(lambda value: min(255, round(value * 1.2 + 8))), 90),
    "as colour": (lambda image: image.convert("RGB"), 90),
}


@pytest.mark.parametrize("how", COPIES)
def test_a_near_copy_in_another_split_is_a_leak(root: Path, how: str, text: Text, scans: Scans, save: Save) -> None:
    change, quality = COPIES[how]
    originals = [scans(root, "train", label)[4] for label in LABELS]
    for label, original in zip(LABELS, originals, strict=True):
        with Image.open(original) as image:
            save(change(image), root / "test" / label / f"{label}-777-1.jpeg", quality=quality)
    audit = run_audit(root)
    assert len(audit.leaks) == len(audit.duplicates) == len(LABELS)
    for label, original, leak in zip(LABELS, originals, audit.duplicates, strict=True):
        assert leak.kind == "near"
        assert leak.files == (f"test/{label}/{label}-777-1.jpeg", f"train/{label}/{original.name}")
        assert leak.mirrored == ("mirrored" in how)
    assert "near copy" in text(audit)


def test_a_near_copy_under_another_patient_of_the_split_is_a_note(root: Path, scans: Scans, save: Save) -> None:
    with Image.open(scans(root, "train", "NORMAL")[1]) as image:
        save(image, root / "train" / "NORMAL" / "NORMAL-777-1.jpeg", quality=35)
    audit = run_audit(root)
    assert audit.leaks == ()
    assert [(d.kind, d.verdict) for d in audit.duplicates] == [("near", "note")]


def test_near_copies_of_one_patient_in_one_split_are_neighbouring_slices(root: Path, scans: Scans, save: Save) -> None:
    original = scans(root, "train", "NORMAL")[1]
    with Image.open(original) as image:
        save(image, original.with_name(f"NORMAL-{original.name.split('-')[1]}-77.jpeg"), quality=35)
    assert run_audit(root).duplicates == ()


def test_many_copies_give_one_finding_a_scan(root: Path, scans: Scans, save: Save) -> None:
    with Image.open(scans(root, "train", "NORMAL")[1]) as image:
        for n in range(12):
            save(image, root / "test" / "NORMAL" / f"NORMAL-777-{n}.jpeg", quality=40 + n)
    assert len(run_audit(root).leaks) == 12


def test_the_mirrored_fingerprint_is_that_of_the_mirrored_picture() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (496, 512), np.uint8)
    assert mirrored(fingerprint(pixels)[None])[0] == pytest.approx(fingerprint(pixels[:, ::-1].copy()), abs=1e-3)


@pytest.mark.parametrize("shape", [(1, 1), (3, 900), (64, 64), (2000, 2000)])
def test_a_picture_of_one_grey_has_an_empty_fingerprint(shape: tuple[int, int]) -> None:
    assert np.abs(fingerprint(np.full(shape, 97, np.uint8))).max() < 0.01


@pytest.mark.parametrize("how", COPIES)
def test_copies_of_real_scans_are_found(oct2017: Path, tmp_path: Path, how: str, scans: Scans, save: Save) -> None:
    change, quality = COPIES[how]
    wanted = set()
    for label in LABELS:
        for n, original in enumerate(scans(oct2017, "train", label)[::16][:8]):
            (tmp_path / "train" / label).mkdir(parents=True, exist_ok=True)
            shutil.copy(original, tmp_path / "train" / label / original.name)
            with Image.open(original) as image:
                copy = save(change(image), tmp_path / "test" / label / f"{label}-x{n}-1.jpeg", quality=quality)
            wanted.add((f"test/{label}/{copy}", f"train/{label}/{original.name}"))
    assert {leak.files for leak in run_audit(tmp_path).duplicates if leak.verdict == "leak"} == wanted
