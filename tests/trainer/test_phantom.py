"""Phantoms: the same seed gives the same scan, the sign is where the boxes say, and only the sign tells a class."""

import csv
import hashlib
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from oct_edge.labels import LABELS
from oct_trainer import phantom
from oct_trainer.dataset import class_counts, read_dataset
from oct_trainer.phantom import render, write_dataset

SICK = tuple(label for label in LABELS if label != "NORMAL")


def digest(label: str, seed: int) -> str:
    return hashlib.sha256(render(label, seed).pixels.tobytes()).hexdigest()


def in_boxes(scan: phantom.Phantom) -> np.ndarray:
    mask = np.zeros(scan.pixels.shape, dtype=bool)
    for left, top, right, bottom in scan.lesions:
        mask[top:bottom, left:right] = True
    return mask


def change(label: str, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """How much the sign changed each pixel, and which pixels lie in its boxes."""
    ill, normal = render(label, seed), render("NORMAL", seed)
    return np.abs(ill.pixels.astype(int) - normal.pixels.astype(int)), in_boxes(ill)


def manifest(out: Path) -> list[dict[str, str]]:
    with (out / "manifest.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("phantoms") / "set"
    assert write_dataset(out, 30, 5) == 30
    return out


def test_the_public_face_is_four_names() -> None:
    assert sorted(phantom.__all__) == ["Box", "Phantom", "render", "write_dataset"]


@pytest.mark.parametrize("label", LABELS)
def test_the_same_seed_gives_the_same_scan(label: str) -> None:
    assert digest(label, 11) == digest(label, 11)
    assert digest(label, 11) != digest(label, 12)


def test_another_process_draws_the_same_scan() -> None:
    code = (
        "import hashlib\nfrom oct_trainer.phantom import render\n"
        "print(hashlib.sha256(render('CNV', 3).pixels.tobytes()).hexdigest())"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "PYTHONHASHSEED": "7"}
    answer = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, check=True, text=True)
    assert answer.stdout.strip() == digest("CNV", 3)


@pytest.mark.parametrize("label", LABELS)
@pytest.mark.parametrize(("width", "height"), [(512, 496), (768, 496), (224, 224), (64, 96), (333, 701)])
def test_a_scan_has_the_size_asked_for(label: str, width: int, height: int) -> None:
    scan = render(label, 2, width=width, height=height)
    assert scan.pixels.shape == (height, width)
    assert scan.pixels.dtype == np.uint8
    assert (scan.label, scan.seed) == (label, 2)


@settings(max_examples=40, deadline=None)
@given(
    label=st.sampled_from(SICK),
    seed=st.integers(0, 2**63),
    width=st.integers(64, 400),
    height=st.integers(64, 400),
)
def test_lesion_boxes_lie_in_the_picture(label: str, seed: int, width: int, height: int) -> None:
    lesions = render(label, seed, width=width, height=height).lesions
    assert lesions
    for box in lesions:
        assert 0 <= box.left < box.right <= width
        assert 0 <= box.top < box.bottom <= height


def test_a_normal_scan_has_no_lesion() -> None:
    assert all(render("NORMAL", seed, width=96, height=96).lesions == () for seed in range(20))


def test_an_unknown_label_is_refused() -> None:
    with pytest.raises(KeyError):
        render("GLAUCOMA", 1)


@pytest.mark.parametrize("label", SICK)
def test_the_sign_changes_the_picture_in_its_boxes_and_hardly_elsewhere(label: str) -> None:
    for seed in range(40, 46):
        changed, inside = change(label, seed)
        assert changed[inside].mean() > 4
        assert changed[~inside].mean() < 2
        assert changed[inside].mean() > 4 * changed[~inside].mean()


@pytest.mark.parametrize("label", SICK)
def test_nothing_above_or_beside_the_boxes_changes(label: str) -> None:
    """Shadows fall below a lesion, so the columns of a box are left out from its top down."""
    for seed in range(60, 64):
        changed, inside = change(label, seed)
        under = np.maximum.accumulate(inside, axis=0)
        near = under.copy()
        for step in range(1, 16):
            near[:, step:] |= under[:, :-step]
            near[:, :-step] |= under[:, step:]
        assert changed[~near].mean() < 0.05


@pytest.mark.parametrize("label", SICK)
def test_the_sign_can_be_subtle_or_gross(label: str) -> None:
    areas = [in_boxes(render(label, seed, width=256, height=248)).mean() for seed in range(16)]
    assert max(areas) > 3 * min(areas)


def test_noise_frame_and_wedges_do_not_know_the_class() -> None:
    for seed in range(20):
        outside = {
            (scan[:3].tobytes(), scan[-3:, :20].tobytes(), (scan[-3:] == 255).tobytes())
            for scan in (render(label, seed, width=256, height=248).pixels for label in LABELS)
        }
        assert len(outside) == 1


def test_white_wedges_are_common_but_not_everywhere() -> None:
    wedged = [
        bool((render("NORMAL", seed, width=128, height=124).pixels[[0, -1]] == 255).mean() > 0.3) for seed in range(60)
    ]
    assert 15 < sum(wedged) < 50


def test_a_data_set_has_the_layout_of_oct2017(written: Path) -> None:
    files = sorted(path.relative_to(written).as_posix() for path in written.rglob("*.jpeg"))
    assert files == sorted(row["path"] for row in manifest(written))
    for row in manifest(written):
        split, label, name = row["path"].split("/")
        assert (split, label) == (row["split"], row["label"])
        assert name.startswith(f"{label}-{row['patient']}-")
        assert row["patient"].startswith("9")
        assert len(row["patient"]) == 9
    assert "synthetic phantom" in (written / "README.txt").read_text(encoding="utf-8")


def test_the_manifest_tells_the_truth_about_each_file(written: Path) -> None:
    for row in manifest(written):
        data = (written / row["path"]).read_bytes()
        assert hashlib.sha256(data).hexdigest() == row["sha256"]
        with Image.open(written / row["path"]) as picture:
            assert picture.format == "JPEG"
            assert picture.mode == "L"
            assert picture.size == (int(row["width"]), int(row["height"]))
            assert picture.info["comment"] == b"synthetic phantom"
        boxes = [tuple(map(int, box.split(":"))) for box in row["lesions"].split(";") if box]
        assert bool(boxes) == (row["label"] != "NORMAL")
        assert all(0 <= box[0] < box[2] <= int(row["width"]) for box in boxes)


def test_a_patient_stands_in_one_split(written: Path) -> None:
    homes = {(row["patient"], row["split"], row["label"]) for row in manifest(written)}
    assert len(homes) == len({patient for patient, _, _ in homes})
    assert max(Counter(row["patient"] for row in manifest(written)).values()) <= 4


def test_classes_are_balanced(written: Path) -> None:
    counts = Counter(row["label"] for row in manifest(written))
    assert set(counts) == set(LABELS)
    assert max(counts.values()) - min(counts.values()) <= 1


def test_the_smallest_set_gives_every_class_a_scan_in_both_splits(tmp_path: Path) -> None:
    assert write_dataset(tmp_path / "set", 8, 1) == 8
    rows = manifest(tmp_path / "set")
    assert len(rows) == 8
    assert {(row["label"], row["split"]) for row in rows} == {(a, b) for a in LABELS for b in ("train", "test")}


@pytest.mark.parametrize("count", [12, 16])
def test_the_smallest_sets_of_oct_train_are_sets_that_it_takes(tmp_path: Path, count: int) -> None:
    write_dataset(tmp_path / "set", count, 1)
    data = read_dataset(tmp_path / "set")
    for split in ("train", "val", "test"):
        assert min(class_counts(data.split(split)).values()) > 0


def test_the_same_seed_writes_the_same_set_and_tells_its_progress(tmp_path: Path, written: Path) -> None:
    told: list[tuple[int, int]] = []
    write_dataset(tmp_path / "a", 8, 2)
    write_dataset(tmp_path / "b", 8, 2, on_progress=lambda done, total: told.append((done, total)))
    assert manifest(tmp_path / "a") == manifest(tmp_path / "b")
    assert told == [(done, 8) for done in range(1, 9)]
    others = {row["sha256"] for row in manifest(written)}
    assert others.isdisjoint(row["sha256"] for row in manifest(tmp_path / "a"))


def test_a_folder_with_files_is_refused(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(FileExistsError, match="not empty"):
        write_dataset(tmp_path, 8, 1)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


@pytest.mark.parametrize(("count", "fraction"), [(7, 0.2), (0, 0.2), (8, 0.0), (8, 1.0)])
def test_a_set_that_cannot_be_split_is_refused(tmp_path: Path, count: int, fraction: float) -> None:
    with pytest.raises(ValueError, match=r"8 or more|between 0 and 1"):
        write_dataset(tmp_path / "set", count, 1, test_fraction=fraction)
    assert not (tmp_path / "set").exists()
