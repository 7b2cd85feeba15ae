"""Who is trained on, who is held out, and what is refused before any time is lost."""

import csv
import hashlib
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from oct_edge.errors import DataSetError
from oct_edge.labels import LABELS
from oct_trainer.dataset import class_counts, phantom_count, read_dataset, write_split
from oct_trainer.phantom import write_dataset
from oct_trainer.pictures import load_pictures

Make = Callable[..., Path]
BUNDLED_SPLIT = "907cc562464e19d97337ee6c3e1f14cc36048417a9cffe41f04651a59fde86c4"


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """A data set of empty files, named as OCT2017 names them."""

    def build(patients: int = 6, scans: int = 2, splits: tuple[str, ...] = ("train",), offset: int = 0) -> Path:
        for split in splits:
            for label in LABELS:
                folder = tmp_path / split / label
                folder.mkdir(parents=True, exist_ok=True)
                for patient in range(patients):
                    for n in range(scans):
                        (folder / f"{label}-{offset + 100 * LABELS.index(label) + patient}-{n}.jpeg").touch()
        return tmp_path

    return build


def patients(root: Path, split: str, **options: int) -> set[str]:
    return {s.patient for s in read_dataset(root, **options).split(split)}


def test_no_patient_is_in_two_splits(make: Make) -> None:
    root = make(splits=("train", "val"))
    make(splits=("test",), offset=1000)
    data = read_dataset(root)
    train, val, test = ({s.patient for s in data.split(name)} for name in ("train", "val", "test"))
    assert train
    assert val
    assert test
    assert not (train & (val | test))
    assert not (val & test)


def test_a_patient_of_two_classes_stays_in_one_split(make: Make) -> None:
    root = make(patients=8)
    for patient in range(8):
        (root / "train" / "DRUSEN" / f"DRUSEN-{patient}-9.jpeg").touch()
    for seed in range(10):
        assert not patients(root, "train", seed=seed) & patients(root, "val", seed=seed)


def test_validation_has_every_class_and_depends_on_the_seed_alone(make: Make) -> None:
    root = make()
    assert read_dataset(root, seed=1) == read_dataset(root, seed=1)
    assert patients(root, "val", seed=1) != patients(root, "val", seed=2)
    assert min(class_counts(read_dataset(root).split("val")).values()) >= 1


def test_the_published_val_folder_joins_the_pool(make: Make) -> None:
    root = make(patients=4)
    make(patients=4, splits=("val",), offset=1000)
    data = read_dataset(root)
    assert len(data.split("train")) + len(data.split("val")) == 2 * 4 * 2 * len(LABELS)


def test_a_limit_keeps_every_class(make: Make) -> None:
    root = make(patients=10, splits=("train",))
    make(patients=10, splits=("test",), offset=1000)
    data = read_dataset(root, limit=8)
    for split in ("train", "val", "test"):
        assert class_counts(data.split(split)) == dict.fromkeys(LABELS, 2)


@pytest.mark.parametrize("name", ["scan.jpeg", "CNV-12.jpeg", "OTHER-1-1.jpeg"])
def test_a_name_without_a_patient_is_refused(make: Make, name: str) -> None:
    root = make()
    (root / "train" / "CNV" / name).touch()
    with pytest.raises(DataSetError, match=name):
        read_dataset(root)


def test_a_class_of_one_patient_is_refused(make: Make) -> None:
    root = make()
    for path in (root / "train" / "DRUSEN").glob("DRUSEN-20[1-9]-*"):
        path.unlink()
    with pytest.raises(DataSetError, match="DRUSEN has 1 patients"):
        read_dataset(root)


def test_a_class_whose_patients_stand_in_others_has_scans_on_both_sides(make: Make) -> None:
    """NORMAL's only two patients count for DRUSEN, so that many draws hold out both or none."""
    root = make(patients=8)
    for path in (root / "train" / "NORMAL").iterdir():
        path.unlink()
    for patient in (200, 201):
        for n in range(10):
            (root / "train" / "NORMAL" / f"NORMAL-{patient}-{n}.jpeg").touch()
    for seed in range(10):
        data = read_dataset(root, seed=seed)
        assert data == read_dataset(root, seed=seed)
        for split in ("train", "val"):
            assert min(class_counts(data.split(split)).values()) > 0


def test_a_class_that_no_draw_can_part_is_named(tmp_path: Path) -> None:
    """Both patients of NORMAL count for a rarer class, as its only ones, and such patients always train."""
    scans = {"DRUSEN": {1: 1, 2: 1, 3: 1}, "CNV": {1: 2, 8: 2}, "DME": {2: 2, 9: 2}, "NORMAL": {8: 5, 9: 5}}
    for label, patients in scans.items():
        (tmp_path / "train" / label).mkdir(parents=True)
        for patient, count in patients.items():
            for n in range(count):
                (tmp_path / "train" / label / f"{label}-{patient}-{n}.jpeg").touch()
    with pytest.raises(DataSetError, match=r"draws left .*NORMAL without scans") as caught:
        read_dataset(tmp_path)
    assert "add scans" in caught.value.hint


def test_a_folder_without_scans_is_refused_with_the_way_out(tmp_path: Path) -> None:
    with pytest.raises(DataSetError, match="no scans") as caught:
        read_dataset(tmp_path)
    assert "oct-train phantoms" in caught.value.hint


@pytest.mark.parametrize("label", LABELS)
def test_a_class_without_scans_is_named(make: Make, label: str) -> None:
    root = make()
    shutil.rmtree(root / "train" / label)
    with pytest.raises(DataSetError, match=f"class {label} has 0 patients"):
        read_dataset(root)


def test_one_scan_a_class_is_too_few(make: Make) -> None:
    with pytest.raises(DataSetError, match="class CNV has 1 patients") as caught:
        read_dataset(make(patients=1, scans=1))
    assert "held out" in caught.value.hint


def test_nothing_but_a_test_set_is_nothing_to_train_on(make: Make) -> None:
    with pytest.raises(DataSetError, match="class CNV has 0 patients to train on"):
        read_dataset(make(splits=("test",)))


def test_classes_alone_are_split_into_train_and_val(make: Make) -> None:
    root = make()
    alone, below_train = read_dataset(root / "train", seed=2), read_dataset(root, seed=2)
    assert alone.samples == below_train.samples
    assert not alone.split("test")
    assert min(class_counts(alone.split("val")).values()) > 0


def in_table(root: Path, *columns: str) -> list[tuple[str, ...]]:
    """Rows of a CSV for the scans under a root, with the folder they stand in as split."""
    rows = []
    for path in sorted(root.rglob("*.jpeg")):
        split, label = path.parts[-3:-1]
        row = {"path": str(path.relative_to(root)), "label": label, "patient": path.stem.split("-")[1], "split": split}
        rows.append(tuple(row[column] for column in columns))
    return rows


def write_table(path: Path, *rows: tuple[str, ...]) -> Path:
    with path.open("w", newline="") as file:
        csv.writer(file).writerows(rows)
    return path


def test_a_csv_gives_the_split_that_its_folders_give(make: Make) -> None:
    root = make()
    make(splits=("test",), offset=1000)
    columns = ("path", "label", "patient", "split")
    table = write_table(root / "scans.csv", columns, *in_table(root, *columns))
    assert read_dataset(table, seed=4) == read_dataset(root, seed=4)


def test_a_csv_without_splits_is_split_into_train_and_val(make: Make) -> None:
    root = make()
    make(splits=("test",), offset=1000)
    columns = ("path", "label", "patient")
    data = read_dataset(write_table(root / "scans.csv", columns, *in_table(root, *columns)))
    assert not data.split("test")
    train, val = ({s.patient for s in data.split(name)} for name in ("train", "val"))
    assert len(train | val) == 2 * 6 * len(LABELS)
    assert not train & val


def test_every_row_that_cannot_be_used_is_named_at_once(make: Make) -> None:
    root = make()
    columns = ("path", "label", "patient")
    good = in_table(root, *columns)
    bad = [
        ("train/CNV/gone.jpeg", "CNV", "1"),
        ("x.jpeg", "AMD", "1"),
        (good[0][0], "CNV", ""),
        ("a/../" + good[1][0], "CNV", "9"),
        ("x" * 300, "DME", "2"),
        ("train", "DME", "2"),
    ]
    table = write_table(root / "scans.csv", columns, *good, *bad)
    first = len(good) + 2
    with pytest.raises(DataSetError) as caught:
        read_dataset(table)
    assert caught.value.message == (
        f"{table}: 6 rows cannot be used: "
        f"line {first}: no file train/CNV/gone.jpeg can be found; "
        f"line {first + 1}: the label is 'AMD', not CNV, DME, DRUSEN or NORMAL; "
        f"line {first + 2}: the CSV names no patient; "
        f"line {first + 3}: a/../{good[1][0]} stands in line 3 already; "
        f"line {first + 4}: no file {'x' * 300} can be found; "
        f"line {first + 5}: no file train can be found."
    )


def test_a_class_that_no_network_knows_is_refused_and_not_left_out(make: Make) -> None:
    root = make()
    (root / "train" / "AMD").mkdir()
    assert read_dataset(root).samples, "an empty folder is none"
    (root / "train" / "AMD" / "AMD-1-1.jpeg").touch()
    with pytest.raises(DataSetError, match="other classes than CNV, DME, DRUSEN, NORMAL: train/AMD") as caught:
        read_dataset(root)
    assert "out of the data" in caught.value.hint


def test_all_names_without_a_patient_are_given_at_once(make: Make) -> None:
    root = make()
    for n in range(10):
        (root / "train" / "DME" / f"scan{n}.jpeg").touch()
    with pytest.raises(DataSetError, match=r"10 scans without .*scan0\.jpeg; .*; and 2 more"):
        read_dataset(root)


def test_a_name_that_a_run_could_not_write_down_is_refused(make: Make) -> None:
    root = make()
    (root / "train" / "CNV" / os.fsdecode(b"CNV-7-\xff.jpeg")).touch()
    with pytest.raises(DataSetError, match=r"1 scan with a name that is not UTF-8: .*CNV-7-"):
        read_dataset(root)


def test_the_split_is_written_with_hashes(tmp_path: Path) -> None:
    root = tmp_path / "phantoms"
    write_dataset(root, 40, seed=5)
    data = read_dataset(root)
    pictures = load_pictures(data.samples)
    first = write_split(data.samples, pictures.sha256, root, tmp_path / "split.csv")
    rows = list(csv.DictReader((tmp_path / "split.csv").read_text().splitlines()))
    assert [row["sha256"] for row in rows] == list(pictures.sha256)
    assert all((root / row["path"]).is_file() for row in rows)
    assert first == write_split(data.samples, pictures.sha256, root, tmp_path / "again.csv")


def test_a_scan_outside_the_folder_of_its_csv_is_written_as_it_was_named(make: Make, tmp_path: Path) -> None:
    root = make()
    rows = in_table(root, "path", "label", "patient")
    folder = tmp_path / "tables"
    folder.mkdir()
    named = [(f"../{path}" if n % 2 else str(tmp_path / path), *rest) for n, (path, *rest) in enumerate(rows)]
    data = read_dataset(write_table(folder / "scans.csv", ("path", "label", "patient"), *named))
    assert data.root == folder
    write_split(data.samples, ["0"] * len(data.samples), data.root, tmp_path / "split.csv")
    written = [row["path"] for row in csv.DictReader((tmp_path / "split.csv").read_text().splitlines())]
    assert sorted(written) == sorted(path for path, *_ in named)


def test_phantoms_are_counted_not_guessed_from_the_first(tmp_path: Path) -> None:
    write_dataset(tmp_path, 40, seed=5)
    data = read_dataset(tmp_path)
    assert phantom_count(data.samples) == 40
    for sample in data.split("train")[:3]:
        with Image.open(sample.path) as image:
            pixels = image.copy()
        pixels.info.clear()
        pixels.save(sample.path)
    assert phantom_count(data.split("train")) == len(data.split("train")) - 3
    assert phantom_count(data.split("test")) == len(data.split("test"))


def test_the_bundled_models_split_of_the_real_scans_is_drawn_again(oct2017: Path, tmp_path: Path) -> None:
    data = read_dataset(oct2017)
    samples = [sample for name in ("train", "val", "test") for sample in data.split(name)]
    digests = [hashlib.sha256(sample.path.read_bytes()).hexdigest() for sample in samples]
    assert write_split(samples, digests, oct2017, tmp_path / "split.csv") == BUNDLED_SPLIT


def test_patients_who_share_a_picture_are_validated_or_trained_on_together(tmp_path: Path) -> None:
    write_dataset(tmp_path, 64, seed=5)
    scans = sorted((tmp_path / "train" / "CNV").iterdir())
    one, other = (path.name.split("-")[1] for path in (scans[0], scans[-1]))

    def sides(seed: int) -> set[str]:
        return {s.split for s in read_dataset(tmp_path, seed=seed).samples if s.patient in (one, other)}

    assert any(len(sides(seed)) == 2 for seed in range(8)), "one of these draws would part them"
    shutil.copy(scans[0], scans[0].with_name(f"CNV-{other}-77.jpeg"))
    assert all(len(sides(seed)) == 1 for seed in range(8))


def test_the_real_scans_split_by_patient(oct2017: Path) -> None:
    data = read_dataset(oct2017)
    assert len(data.samples) == 1016
    assert class_counts(data.split("test")) == {"CNV": 45, "DME": 19, "DRUSEN": 18, "NORMAL": 47}
    assert phantom_count(data.samples) == 0
    assert not patients(oct2017, "train") & patients(oct2017, "val")
