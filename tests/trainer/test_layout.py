"""Every layout that is promised is read, and what cannot be read says where it stands."""

import csv
import io
import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oct_edge.errors import DataSetError
from oct_edge.labels import LABELS
from oct_trainer.layout import SPLITS, patient_of, read_layout, root_of

HEADER = "path,label,patient,split\n"
WORDS = st.text(st.characters(exclude_categories=("Cs", "Cc", "Z")), min_size=1)


@pytest.fixture
def table(tmp_path: Path) -> Path:
    return tmp_path / "scans.csv"


def write(table: Path, text: str) -> Path:
    table.write_bytes(text.encode())
    return table


def test_the_three_layouts_say_the_same_of_one_scan(tmp_path: Path, table: Path) -> None:
    scan = tmp_path / "train" / "DME" / "DME-12-3.jpeg"
    scan.parent.mkdir(parents=True)
    scan.touch()
    write(table, "patient,label,path\n12,DME,train/DME/DME-12-3.jpeg\n")
    for data in (tmp_path, tmp_path / "train", table):
        (found,) = read_layout(data).scans
        assert (found.path, found.split, found.label, found.patient) == (scan, "train", "DME", "12")


def test_the_root_is_the_folder_that_paths_are_relative_to(tmp_path: Path, table: Path) -> None:
    write(table, HEADER + "a.png,CNV,1,\n")
    assert read_layout(table).root == root_of(table) == root_of(tmp_path) == tmp_path


@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_a_csv_of_any_system_is_read(table: Path, ending: str, mark: str) -> None:
    rows = ("path,label,patient,split", "a.png,CNV,1,test", "", '"b, c.png",DRUSEN,2,', ",,,")
    write(table, mark + ending.join(rows) + ending)
    layout = read_layout(table)
    assert [(s.name, s.label, s.patient, s.split, s.line) for s in layout.scans] == [
        ("a.png", "CNV", "1", "test", 2),
        ("b, c.png", "DRUSEN", "2", "train", 4),
    ]
    assert layout.faults == ()


def test_columns_stand_in_any_order_and_others_do_not_matter(table: Path) -> None:
    write(table, "eye, split ,patient,path,age,label\nOD,val,p 7,x/a.png,81,NORMAL,more\n")
    (found,) = read_layout(table).scans
    assert (found.name, found.label, found.patient, found.split) == ("x/a.png", "NORMAL", "p 7", "val")


@pytest.mark.parametrize("path", ["/elsewhere/a.png", "../elsewhere/a.png"])
def test_a_csv_may_name_scans_outside_its_folder(table: Path, path: str) -> None:
    (found,) = read_layout(write(table, f"{HEADER}{path},CNV,1,\n")).scans
    assert found.path == table.parent / path


def test_a_row_that_names_no_scan_is_told_with_its_line(table: Path) -> None:
    write(table, HEADER + '"a\nb.png",CNV,1,\nc.png,AMD,1,\n\n,CNV,1,\nd.png,CNV,1,dev\n')
    layout = read_layout(table)
    assert [scan.line for scan in layout.scans] == [3]
    assert [(fault.line, fault.what) for fault in layout.faults] == [
        (4, "the label is 'AMD', not CNV, DME, DRUSEN or NORMAL"),
        (6, "there is no path"),
        (7, "the split is 'dev', not train, val or test"),
    ]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "no column path, label, patient"),
        (b"path;label;patient\na.png;CNV;1\n", "no column path, label, patient"),
        (b"path,label\na.png,CNV\n", "no column patient"),
        (b"path,label,patient\n", "no scans in it"),
        (b"path,label,patient\na.png,AMD,1\n", "no scans in it: line 2: the label is 'AMD'"),
        (b"path,label,patient\na.png,CNV,1\nb.png,CNV,M\xfcller\n", "line 3 is not UTF-8"),
        ("path,label,patient\n".encode("utf-16"), "line 1 is not UTF-8"),
        (b'path,label,patient\na.png,CNV,1\n"b.png,CNV,1\n', "line 3: unexpected end of data"),
        (b"path,label,patient\n" + b"a" * 200_000 + b",CNV,1\n", "line 2: field larger"),
        (b"\xff\xd8\xff\xe0", "not UTF-8"),
    ],
)
def test_a_csv_that_is_none_is_refused_with_the_place_and_the_cure(table: Path, content: bytes, message: str) -> None:
    table.write_bytes(content)
    with pytest.raises(DataSetError, match=message) as caught:
        read_layout(table)
    assert caught.value.message.startswith(str(table))
    assert caught.value.hint


@settings(deadline=None)
@given(
    st.lists(
        st.tuples(WORDS, st.sampled_from(LABELS), WORDS, st.sampled_from(("", *SPLITS))),
        min_size=1,
        unique_by=lambda row: row[0],
    )
)
def test_what_is_written_as_csv_is_read_again(tmp_path_factory: pytest.TempPathFactory, rows: list[tuple]) -> None:
    text = io.StringIO(newline="")
    csv.writer(text).writerows([("path", "label", "patient", "split"), *rows])
    table = write(tmp_path_factory.mktemp("csv") / "scans.csv", text.getvalue())
    found = read_layout(table).scans
    assert {(s.name, s.label, s.patient, s.split) for s in found} == {(*row[:3], row[3] or "train") for row in rows}
    assert sorted(s.line for s in found) == list(range(2, len(rows) + 2))
    assert [s.name for s in found] == sorted(row[0] for row in rows)


@pytest.mark.parametrize(
    ("name", "patient"),
    [
        ("CNV-12-3.jpeg", "12"),
        ("drusen-0x-1-2.png", "0x"),
        ("CNV--3.jpeg", None),
        ("CNV-12.jpeg", None),
        ("AMD-1-1.png", None),
    ],
)
def test_the_patient_is_read_from_the_name(name: str, patient: str | None) -> None:
    assert patient_of(Path(name)) == patient


@pytest.mark.parametrize("name", ["nowhere", "x" * 300])
def test_a_place_that_cannot_be_opened_is_said(tmp_path: Path, name: str) -> None:
    with pytest.raises(DataSetError, match=f"{name}: cannot be opened") as caught:
        read_layout(tmp_path / name)
    assert "--data" in caught.value.hint


def test_a_name_that_is_not_utf8_can_still_be_said(tmp_path: Path) -> None:
    (tmp_path / "CNV").mkdir()
    (tmp_path / "CNV" / os.fsdecode(b"CNV-7-\xff.jpeg")).touch()
    (found,) = read_layout(tmp_path).scans
    assert found.name == "CNV/CNV-7-\\udcff.jpeg"
    assert found.path.exists()
