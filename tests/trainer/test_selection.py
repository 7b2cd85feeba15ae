"""What is measured, and what of it the run has seen before."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from oct_edge.errors import DataSetError
from oct_trainer.evaluation.selection import Seen, select
from oct_trainer.run import FinishedRun, read_finished_run

Scans = Callable[[Path, str, str], list[Path]]


@pytest.fixture(scope="module")
def run(compact_run: Path) -> FinishedRun:
    return read_finished_run(compact_run)


def rows(run: FinishedRun, split: str) -> list[dict[str, str]]:
    return [row for row in run.split if row["split"] == split]


@pytest.mark.parametrize("split", ["train", "val", "test"])
def test_on_its_own_data_a_scan_is_in_the_split_that_the_run_had_it_in(
    run: FinishedRun, clean_phantoms: Path, split: str
) -> None:
    found = select(clean_phantoms, run, split)
    assert {s.name(clean_phantoms) for s in found.samples} == {row["path"] for row in rows(run, split)}
    assert {s.split for s in found.samples} == {split}
    assert (found.split, found.same_data) == (split, True)


def test_test_scans_are_measured_unless_told_otherwise_and_were_not_seen(
    run: FinishedRun, clean_phantoms: Path
) -> None:
    found = select(clean_phantoms, run)
    assert found.split == "test"
    assert found.seen == {"train": Seen(0, 0), "val": Seen(0, 0)}
    assert found.warnings() == []


def test_all_scans_are_most_of_them_trained_on(run: FinishedRun, clean_phantoms: Path) -> None:
    found = select(clean_phantoms, run, "all")
    trained, chose = len(rows(run, "train")), len(rows(run, "val"))
    assert found.seen == {"train": Seen(trained, 0), "val": Seen(chose, 0)}
    trained_on, flatter = found.warnings()
    assert trained_on.startswith(f"the network was trained on {trained} of 64 scans")
    assert "no test" in trained_on
    assert f"validation patients, of whom are {chose} of 64 scans" in flatter


def test_scans_from_elsewhere_were_not_seen_whatever_their_patients_are_called(
    run: FinishedRun, elsewhere: Path
) -> None:
    found = select(elsewhere, run, "all")
    assert not found.same_data
    assert len(found.samples) == 64
    assert found.warnings() == []


def test_a_scan_that_was_trained_on_is_found_under_any_name_and_split(
    run: FinishedRun, clean_phantoms: Path, elsewhere: Path, tmp_path: Path
) -> None:
    data = Path(shutil.copytree(elsewhere, tmp_path / "data"))
    shutil.copy(clean_phantoms / rows(run, "train")[0]["path"], data / "test" / "NORMAL" / "NORMAL-1-1.jpeg")
    found = select(data, run)
    assert found.seen["train"] == Seen(1, 0)
    assert found.seen["val"] == Seen(0, 0)


def test_another_scan_of_a_patient_who_was_trained_on_is_found(
    run: FinishedRun, root: Path, elsewhere: Path, scans: Scans
) -> None:
    trained, held_out = rows(run, "train")[0], rows(run, "val")[0]
    new = scans(elsewhere, "test", "DRUSEN")
    shutil.copy(new[0], root / "test" / "DRUSEN" / f"DRUSEN-{trained['patient']}-99.jpeg")
    shutil.copy(new[1], root / "test" / "DRUSEN" / f"DRUSEN-{held_out['patient']}-99.jpeg")
    assert select(root, run, "test").seen == {"train": Seen(0, 1), "val": Seen(0, 1)}


def test_a_scan_that_changed_since_is_in_the_split_of_its_folder(
    run: FinishedRun, root: Path, elsewhere: Path, scans: Scans
) -> None:
    held_out = rows(run, "val")[0]
    shutil.copy(scans(elsewhere, "test", "CNV")[0], root / held_out["path"])
    assert len(select(root, run, "val").samples) == len(rows(run, "val")) - 1
    assert len(select(root, run, "train").samples) == len(rows(run, "train")) + 1


def test_without_a_test_split_its_own_data_is_measured_on_validation(run: FinishedRun, root: Path) -> None:
    shutil.rmtree(root / "test")
    found = select(root, run)
    assert found.split == "val"
    assert found.seen["val"] == Seen(len(rows(run, "val")), 0)


def test_classes_alone_from_elsewhere_are_all_measured(run: FinishedRun, elsewhere: Path) -> None:
    found = select(elsewhere / "test", run)
    assert found.split == "all"
    assert {s.path.parent.parent for s in found.samples} == {elsewhere / "test"}


def test_a_table_is_measured_as_it_says(run: FinishedRun, elsewhere: Path, scans: Scans, tmp_path: Path) -> None:
    one, other = scans(elsewhere, "test", "CNV")[:2]
    (tmp_path / "data.csv").write_text(f"path,label,patient,split\n{one},DME,x,test\n{other},CNV,y,val\n")
    (sample,) = select(tmp_path / "data.csv", run).samples
    assert (sample.path, sample.label, sample.patient) == (one, 1, "x")


def test_a_split_without_scans_says_which_there_are(run: FinishedRun, elsewhere: Path) -> None:
    with pytest.raises(DataSetError, match="no scan of `val`") as caught:
        select(elsewhere / "test", run, "val")
    assert "train" in caught.value.hint


def test_a_scan_without_a_patient_is_refused(run: FinishedRun, root: Path) -> None:
    (root / "test" / "CNV" / "scan.jpeg").touch()
    with pytest.raises(DataSetError, match=r"scan\.jpeg"):
        select(root, run)


def test_progress_counts_every_scan(run: FinishedRun, clean_phantoms: Path) -> None:
    steps: list[tuple[int, int]] = []
    select(clean_phantoms, run, "test", lambda done, total: steps.append((done, total)))
    assert steps == [(i, 64) for i in range(1, 65)]
