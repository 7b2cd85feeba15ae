"""Folds part the patients, evenly in every class, and the same way for the same scans."""

import random
import shutil
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oct_edge.errors import DataSetError
from oct_edge.labels import LABELS
from oct_trainer.dataset import DataSet, Sample, class_counts, read_dataset
from oct_trainer.folds import folds
from oct_trainer.leaks import Leak

CLASSES = range(len(LABELS))


def data_of(patients: list[dict[int, int]], **options: Leak) -> DataSet:
    """A data set of patients, each with so many scans of each label; every third scan stands in `val`."""
    scans = [(f"p{n}", label, i) for n, counts in enumerate(patients) for label in counts for i in range(counts[label])]
    samples = [
        Sample(Path(f"{LABELS[label]}-{patient}-{i}.png"), label, patient, "train" if n % 3 else "val")
        for n, (patient, label, i) in enumerate(scans)
    ]
    return DataSet(Path(), tuple(samples), **options)


SCANS = st.integers(1, 4) | st.integers(1, 60)
OF_ONE_CLASS = st.builds(lambda label, scans: {label: scans}, st.sampled_from(CLASSES), SCANS)
OF_ANY = st.dictionaries(st.sampled_from(CLASSES), SCANS, min_size=1, max_size=3)


def enough(count: int) -> list[dict[int, int]]:
    """So many patients of each class that every fold can have one."""
    return [{label: 1} for label in CLASSES for _ in range(count)]


@st.composite
def divisions(draw: st.DrawFn, patient: st.SearchStrategy[dict[int, int]] = OF_ANY) -> tuple[DataSet, int, int]:
    count = draw(st.integers(2, 6))
    patients = draw(st.lists(patient, max_size=40))
    return data_of([*patients, *enough(count)]), count, draw(st.integers(0, 2**32 - 1))


@settings(deadline=None)
@given(divisions())
def test_every_scan_is_validated_once_and_no_patient_on_both_sides(division: tuple[DataSet, int, int]) -> None:
    data, count, seed = division
    parts = folds(data, count, seed)
    assert len(parts) == count
    validated = Counter(s.path for part in parts for s in part.split("val"))
    assert validated == Counter(s.path for s in data.samples)
    for part in parts:
        assert {s.path for s in part.samples} == {s.path for s in data.samples}
        assert not {s.patient for s in part.split("train")} & {s.patient for s in part.split("val")}
        assert not part.split("test")


@settings(deadline=None)
@given(divisions())
def test_every_class_stands_on_both_sides_of_every_fold(division: tuple[DataSet, int, int]) -> None:
    for part in folds(*division):
        for split in ("train", "val"):
            assert min(class_counts(part.split(split)).values()) > 0


@settings(deadline=None)
@given(divisions(OF_ONE_CLASS))
def test_no_fold_has_more_of_a_class_than_one_patient_explains(division: tuple[DataSet, int, int]) -> None:
    data, count, seed = division
    parts = [class_counts(part.split("val")) for part in folds(data, count, seed)]
    for label, name in enumerate(LABELS):
        largest = max(Counter(s.patient for s in data.samples if s.label == label).values())
        assert max(part[name] for part in parts) - min(part[name] for part in parts) <= largest


@settings(deadline=None)
@given(divisions(), st.randoms(use_true_random=False))
def test_the_order_of_the_scans_does_not_matter(division: tuple[DataSet, int, int], rng: random.Random) -> None:
    data, count, seed = division
    shuffled = rng.sample(data.samples, len(data.samples))
    assert folds(DataSet(data.root, tuple(shuffled)), count, seed) == folds(data, count, seed)


def test_another_seed_parts_the_patients_anew() -> None:
    data = data_of(enough(20))
    assert len({folds(data, seed=seed)[0].samples for seed in range(8)}) == 8


def test_a_patient_with_very_many_scans_makes_no_fold_huge() -> None:
    data = data_of([{0: 40}, *({0: 1} for _ in range(160)), *enough(5)])
    assert [class_counts(part.split("val"))["CNV"] for part in folds(data)] == [41] * 5


def test_a_patient_of_two_classes_counts_for_the_rarer_one() -> None:
    """Ten with DRUSEN who have CNV too: DRUSEN is spread over all folds, and other patients even out CNV."""
    data = data_of(
        [*({0: 3, 2: 1} for _ in range(10)), *({0: 1} for _ in range(100)), *({1: 4, 3: 4} for _ in range(10))]
    )
    for part in folds(data):
        assert class_counts(part.split("val")) == {"CNV": 26, "DME": 8, "DRUSEN": 2, "NORMAL": 8}


def sides(root: Path, *patients: str) -> set[tuple[int, ...]]:
    """In which folds the scans of these patients are validated: one tuple, where they stay together."""
    parts = folds(read_dataset(root))
    held_out = [{s.patient for s in part.split("val")} for part in parts]
    return {tuple(n for n, there in enumerate(held_out) if patient in there) for patient in patients}


def test_patients_who_share_a_picture_stay_together(root: Path) -> None:
    """The first has a scan of the second, and the second, in another class, one of the third: three are one person."""
    cnv, dme = (sorted((root / "train" / name).iterdir()) for name in ("CNV", "DME"))
    first, second, third = (path.name.split("-")[1] for path in (cnv[0], cnv[-1], dme[-1]))
    assert len(sides(root, first, second, third)) > 1
    shutil.copy(cnv[-1], root / "train" / "CNV" / f"CNV-{first}-77.jpeg")
    shutil.copy(dme[-1], root / "train" / "DME" / f"DME-{second}-77.jpeg")
    assert len(sides(root, first, second, third)) == 1
    assert {s.patient for s in folds(read_dataset(root))[0].samples} >= {first, second, third}, "names are kept"


def test_a_class_that_only_inseparable_patients_have_cannot_be_parted(root: Path) -> None:
    of_class = sorted((root / "train" / "DRUSEN").iterdir())
    for n, patient in enumerate({path.name.split("-")[1] for path in of_class}):
        shutil.copy(of_class[0], root / "train" / "DRUSEN" / f"DRUSEN-{patient}-{77 + n}.jpeg")
    with pytest.raises(DataSetError, match="left DRUSEN without scans to train on or to validate with"):
        folds(read_dataset(root), 2)


def test_a_class_of_too_few_patients_is_named() -> None:
    data = data_of([*enough(3), *({0: 9} for _ in range(9)), *({1: 1} for _ in range(9)), *({3: 2} for _ in range(9))])
    with pytest.raises(DataSetError, match="class DRUSEN has scans in 3 of 5 folds") as caught:
        folds(data)
    assert "fewer folds" in caught.value.hint
    assert len(folds(data, 3)) == 3


def test_one_fold_is_none() -> None:
    with pytest.raises(ValueError, match="two or more"):
        folds(data_of(enough(5)), 1)


def test_a_leak_that_was_allowed_stays_marked() -> None:
    leak = Leak(2, 8)
    assert {part.leak for part in folds(data_of(enough(5), leak=leak))} == {leak}


def test_test_is_in_no_fold(clean_phantoms: Path) -> None:
    data = read_dataset(clean_phantoms)
    tested = {s.path for s in data.split("test")}
    for part in folds(data, 2):
        assert len(part.samples) == len(data.samples) - len(tested)
        assert not {s.path for s in part.samples} & tested


def test_the_real_scans_are_spread_evenly(oct2017: Path) -> None:
    counts = [class_counts(part.split("val")) for part in folds(read_dataset(oct2017))]
    assert {name: sorted({c[name] for c in counts}) for name in LABELS} == {
        "CNV": [61],
        "DME": [19, 20],
        "DRUSEN": [13, 14],
        "NORMAL": [83, 84],
    }
