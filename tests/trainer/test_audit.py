"""Whatever an audit must find is planted in phantoms, one thing at a time, and nothing else is found."""

import csv
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from math import comb
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from oct_edge.errors import DataSetError
from oct_edge.labels import DISCLAIMER, LABELS
from oct_trainer import audit as package
from oct_trainer.audit import Audit, run_audit
from oct_trainer.audit.artefacts import hypergeometric_tail
from oct_trainer.audit.counts import count_splits, missing_classes

Change = Callable[[Image.Image], Image.Image]
Text = Callable[[Audit], str]
Scans = Callable[[Path, str, str], list[Path]]
Save = Callable[..., str]


def test_the_public_face_is_three_names() -> None:
    assert sorted(package.__all__) == ["Audit", "rows", "run_audit"]


def test_a_clean_data_set_has_nothing_to_report(clean_phantoms: Path, text: Text) -> None:
    audit = run_audit(clean_phantoms)
    assert audit.leaks == ()
    assert audit.shared_patients == ()
    assert audit.duplicates == ()
    assert audit.artefacts == ()
    content = audit.to_dict()
    for empty in ("unreadable", "misnamed", "missing_classes", "ignored", "other_classes"):
        assert content[empty] == []
    assert text(audit).endswith("no leak")
    assert "LEAK" not in text(audit)


def test_counts_are_those_of_the_manifest(clean_phantoms: Path) -> None:
    manifest = list(csv.DictReader((clean_phantoms / "manifest.csv").read_text().splitlines()))
    audit = run_audit(clean_phantoms)
    for part in count_splits(audit.entries):
        wanted = [row for row in manifest if part.split in (row["split"], "all")]
        assert part.scans == len(wanted)
        assert part.patients == len({row["patient"] for row in wanted})
        assert part.classes == {label: sum(row["label"] == label for row in wanted) for label in LABELS}
    patients = audit.to_dict()["patients"]
    assert sum(patients["scans"].values()) == 64
    assert next(iter(patients["scans"].values())) == patients["most"]
    sizes = audit.to_dict()["image_sizes"]
    assert sum(sum(classes.values()) for classes in sizes.values()) == 64


def test_a_patient_in_train_and_test_is_a_leak(root: Path, text: Text, scans: Scans) -> None:
    patient = scans(root, "train", "CNV")[0].name.split("-")[1]
    moved = scans(root, "test", "CNV")[0]
    moved.rename(moved.with_name(f"CNV-{patient}-99.jpeg"))
    audit = run_audit(root)
    assert [shared.patient for shared in audit.shared_patients] == [patient]
    assert audit.leaks == audit.shared_patients
    assert "LEAK: patients in more than one split: 1" in text(audit)
    assert text(audit).endswith("1 leak: figures measured on this split would be too good")


def test_a_patient_in_train_and_val_is_repaired_on_reading(root: Path, text: Text, scans: Scans) -> None:
    first = scans(root, "train", "NORMAL")[0]
    patient = first.name.split("-")[1]
    (root / "val" / "NORMAL").mkdir(parents=True)
    shutil.copy(first, root / "val" / "NORMAL" / f"NORMAL-{patient}-98.jpeg")
    audit = run_audit(root)
    assert audit.leaks == ()
    assert [(s.patient, s.verdict) for s in audit.shared_patients] == [(patient, "repaired")]
    assert [(d.kind, d.verdict) for d in audit.duplicates] == [("exact", "repaired")]
    assert "repaired on reading" in text(audit)


def test_a_long_list_is_cut_for_people_and_whole_in_json(root: Path, text: Text) -> None:
    for n in range(25):
        (root / "train" / "CNV" / f"CNV-777-{n}.jpeg").touch()
    audit = run_audit(root)
    assert "and 5 more; --json lists all" in text(audit)
    assert len(audit.to_dict()["unreadable"]) == 25


@pytest.mark.parametrize(
    ("size", "quality", "attributes"),
    [((500, 500), None, {"image size"}), (None, 33, {"JPEG table"}), ((500, 500), 33, {"image size", "JPEG table"})],
)
def test_a_class_that_the_file_gives_away_is_found(
    root: Path,
    size: tuple[int, int] | None,
    quality: int | None,
    attributes: set[str],
    text: Text,
    scans: Scans,
    save: Save,
) -> None:
    for n, path in enumerate(scans(root, "train", "DRUSEN") + scans(root, "test", "DRUSEN")):
        with Image.open(path) as image:
            image.load()
        save(image.resize(size or image.size), path, quality=quality or 70 + n)
    audit = run_audit(root)
    found = {trait.attribute: trait for trait in audit.artefacts}
    assert attributes <= set(found) <= attributes | {"file size"}
    for trait in (found[attribute] for attribute in attributes):
        assert trait.label == "DRUSEN"
        assert trait.counts["DRUSEN"] == 16
        assert trait.share > 3 * trait.base_rate
        assert trait.p < 0.001
        assert f"{trait.attribute} {trait.value}: 16 of {trait.scans} scans" in text(audit)


def test_one_patient_with_many_scans_is_no_artefact(root: Path, scans: Scans, save: Save) -> None:
    """Twelve scans of one eye from one odd camera say nothing about a class."""
    with Image.open(scans(root, "train", "DRUSEN")[0]) as image:
        for n in range(12):
            turned = Image.fromarray(np.roll(np.asarray(image), 17 * n, axis=1)).resize((300, 300))
            save(turned, root / "train" / "DRUSEN" / f"DRUSEN-777-{n}.jpeg", quality=90)
    trait = next(trait for trait in run_audit(root).traits if trait.value == "300x300")
    assert (trait.scans, trait.patients, trait.share) == (12, 1, 1.0)
    assert not trait.flagged


def test_files_that_cannot_be_read_are_listed_with_their_code(root: Path, text: Text, scans: Scans) -> None:
    folder = root / "train" / "CNV"
    whole = scans(root, "train", "CNV")[0].read_bytes()
    (folder / "CNV-1-1.jpeg").write_bytes(whole[: len(whole) // 2])
    (folder / "CNV-1-2.jpeg").write_bytes(b"")
    (folder / "CNV-1-3.jpeg").write_text("not a picture")
    (folder / "CNV-1-4.jpeg").symlink_to(folder / "gone")
    (folder / "CNV-1-5.jpeg").mkdir()
    Image.new("RGB", (64, 64), "red").save(folder / "CNV-1-6.png")
    audit = run_audit(root)
    found = {Path(one["path"]).name: one["code"] for one in audit.to_dict()["unreadable"]}
    assert found == {
        "CNV-1-1.jpeg": "damaged_image",
        "CNV-1-2.jpeg": "empty_file",
        "CNV-1-3.jpeg": "unsupported_format",
        "CNV-1-4.jpeg": "not_found",
        "CNV-1-5.jpeg": "unreadable",
        "CNV-1-6.png": "unsupported_pixels",
    }
    assert "train/CNV/CNV-1-1.jpeg: damaged_image" in text(audit)


def test_names_that_do_not_say_what_training_reads_are_listed(root: Path, scans: Scans) -> None:
    original = scans(root, "train", "CNV")[0]
    original.rename(original.with_name("scan.jpeg"))
    other = scans(root, "train", "CNV")[1]
    other.rename(root / "train" / "DME" / other.name)
    assert run_audit(root).to_dict()["misnamed"] == [
        {"path": "train/CNV/scan.jpeg", "reason": "not <CLASS>-<patient>-<n>"},
        {"path": f"train/DME/{other.name}", "reason": "the name says CNV, the folder DME"},
    ]


def test_a_class_without_scans_is_missing(root: Path, text: Text, scans: Scans) -> None:
    shutil.rmtree(root / "train" / "DRUSEN")
    for path in scans(root, "test", "NORMAL"):
        path.unlink()
    audit = run_audit(root)
    assert missing_classes(audit.entries) == (("train", "DRUSEN"), ("test", "NORMAL"))
    assert "DRUSEN has no scan in train" in text(audit)


def test_what_is_never_read_is_listed(root: Path) -> None:
    (root / "train" / "CNV" / "notes.txt").touch()
    (root / "train" / "GLAUCOMA").mkdir()
    (root / "validation").mkdir()
    assert run_audit(root).inventory.ignored == ("train/CNV/notes.txt", "train/GLAUCOMA", "validation")


def test_folders_of_other_classes_are_listed_where_they_hold_scans(root: Path, text: Text, scans: Scans) -> None:
    for name in ("GLAUCOMA", "cnv", ".trash"):
        (root / "train" / name).mkdir()
        shutil.copy(scans(root, "train", "CNV")[0], root / "train" / name)
    (root / "train" / "AMD").mkdir()
    audit = run_audit(root)
    assert audit.to_dict()["other_classes"] == ["train/GLAUCOMA", "train/cnv"]
    assert "folders of other classes: training stops at these: 2\n  train/GLAUCOMA\n  train/cnv" in text(audit)
    assert run_audit(root / "train").inventory.foreign == ("GLAUCOMA", "cnv")


def test_classes_alone_count_as_train(root: Path) -> None:
    audit = run_audit(root / "train")
    assert [part.split for part in count_splits(audit.entries)] == ["train", "all"]
    assert {e.name.split("/")[0] for e in audit.entries} == set(LABELS)


def test_a_csv_names_label_patient_and_split(root: Path, scans: Scans) -> None:
    paths = [scans(root, "train", label)[i] for label in LABELS for i in (0, 1)]
    table = root / "scans.csv"
    lines = [f"{p.relative_to(root)},{p.parent.name},eye {i // 2},{'test' if i else ''}" for i, p in enumerate(paths)]
    lines += ["train/CNV/gone.jpeg,CNV,,", "train/CNV/x.jpeg,GLAUCOMA,1,train", "train/CNV/x.jpeg,CNV,1,holdout"]
    table.write_text("path,label,patient,split\n" + "\n".join(lines) + "\n")
    audit = run_audit(table)
    assert [shared.patient for shared in audit.leaks] == ["eye 0"]
    assert audit.inventory.ignored == ("scans.csv, line 11", "scans.csv, line 12")
    assert audit.to_dict()["unreadable"][0]["code"] == "not_found"
    assert audit.to_dict()["misnamed"] == [{"path": "train/CNV/gone.jpeg", "reason": "the CSV names no patient"}]


@pytest.mark.parametrize("content", ["", "path\n", "a,b\n1,2\n"])
def test_a_csv_without_scans_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "scans.csv").write_text(content)
    with pytest.raises(DataSetError, match="no scans"):
        run_audit(tmp_path / "scans.csv")


def test_a_folder_without_scans_is_refused_with_the_way_out(tmp_path: Path) -> None:
    with pytest.raises(DataSetError, match="no scans") as caught:
        run_audit(tmp_path)
    assert "path,label,patient" in caught.value.hint
    with pytest.raises(DataSetError, match="cannot be opened"):
        run_audit(tmp_path / "nowhere")


def test_a_csv_that_is_not_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "scans.csv").write_bytes(b"path,label\n\xff\xfe\x00")
    with pytest.raises(DataSetError, match="cannot be read as CSV"):
        run_audit(tmp_path / "scans.csv")


def test_a_data_set_of_broken_files_is_still_reported(tmp_path: Path, text: Text) -> None:
    (tmp_path / "train" / "CNV").mkdir(parents=True)
    (tmp_path / "train" / "CNV" / "x.jpeg").touch()
    audit = run_audit(tmp_path)
    assert audit.leaks == ()
    assert audit.traits == ()
    assert "no patients known" in text(audit)


def test_json_is_the_same_each_time_and_says_what_it_is(root: Path, scans: Scans) -> None:
    shutil.copy(scans(root, "train", "CNV")[0], root / "test" / "CNV" / "CNV-777-1.jpeg")
    (root / "train" / "CNV" / os.fsdecode(b"CNV-7-\xff.jpeg")).touch()
    first, second = (json.dumps(run_audit(root).to_dict(), allow_nan=False) for _ in range(2))
    assert first == second
    content = json.loads(first)
    assert content["schema"] == "oct-edge/audit@1"
    assert content["disclaimer"] == DISCLAIMER
    assert content["leaks"] == 1
    jsonschema.validate(content["artefacts"], {"type": "array", "items": {"required": ["p", "flagged", "counts"]}})
    first.encode("utf-8")


def test_a_name_cannot_move_the_cursor(root: Path, text: Text) -> None:
    (root / "train" / "CNV" / "evil\x1b[2J.jpeg").touch()
    assert "\x1b" not in text(run_audit(root))
    assert "evil\\x1b[2J.jpeg" in text(run_audit(root))


def test_progress_counts_every_scan(clean_phantoms: Path) -> None:
    told: list[tuple[int, int]] = []
    run_audit(clean_phantoms, lambda done, total: told.append((done, total)))
    assert told == [(done, 64) for done in range(1, 65)]


def test_an_audit_needs_no_tensorflow(tmp_path: Path) -> None:
    code = "import sys, oct_trainer.audit; assert not {'tensorflow', 'keras', 'scipy', 'sklearn'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=tmp_path)


@settings(deadline=None)
@given(st.integers(1, 60), st.data())
def test_the_tail_is_that_of_the_hypergeometric_distribution(population: int, data: st.DataObject) -> None:
    successes, draws = (data.draw(st.integers(0, population)) for _ in range(2))
    hits = data.draw(st.integers(0, min(successes, draws)))
    ways = sum(comb(successes, k) * comb(population - successes, draws - k) for k in range(hits, draws + 1))
    assert hypergeometric_tail(hits, population, successes, draws) == pytest.approx(ways / comb(population, draws))


def test_the_real_scans_have_no_leak_and_one_artefact(oct2017: Path) -> None:
    audit = run_audit(oct2017)
    counts = {part.split: list(part.classes.values()) for part in count_splits(audit.entries)}
    assert counts == {"train": [305, 97, 66, 419], "test": [45, 19, 18, 47], "all": [350, 116, 84, 466]}
    assert audit.leaks == ()
    assert audit.duplicates == ()
    assert audit.to_dict()["unreadable"] == audit.to_dict()["misnamed"] == audit.to_dict()["missing_classes"] == []
    assert [(t.attribute, t.scans, t.label, t.share) for t in audit.artefacts] == [
        ("image size", 62, "DME", 1.0),
        ("JPEG table", 62, "DME", 1.0),
    ]
    assert audit.artefacts[0].value == "512x512"
    assert audit.artefacts[0].p < 1e-40


def test_the_command_exits_with_1_on_a_leak_alone(root: Path, run_command: Callable[..., Any], scans: Scans) -> None:
    clean = run_command("oct-train", "audit", root)
    assert clean.returncode == 0, clean.stderr
    assert clean.stdout.endswith("no leak\n")
    shutil.copy(scans(root, "train", "DME")[2], root / "test" / "DME" / "DME-777-1.jpeg")
    leaking = run_command("oct-train", "audit", "--json", root)
    assert leaking.returncode == 1
    assert json.loads(leaking.stdout)["leaks"] == 1
