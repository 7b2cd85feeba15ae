"""What the ledger answers: every sighting with the state of its content, while a writer goes on."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from oct_edge.errors import ChainBroken, LedgerDamaged, LedgerNotFound
from oct_edge.labels import LABELS
from oct_edge.ledger.present import csv_lines, json_lines, rows
from oct_edge.ledger.query import SEEN, SIGHTINGS, Query
from oct_edge.ledger.reader import reading
from oct_edge.ledger.store import LEDGER, Ledger
from oct_edge.result import ModelIdentity, Reason, Referral, Result, Source, Status

A, B, C, D = (letter * 64 for letter in "abcd")
MODEL = ModelIdentity("plain", "m" * 64, "none")


def result(scan: str, name: str, status: Status = "classified", label: str = "CNV", group: str = "urgent") -> Result:
    if status == "rejected":
        reasons = (Reason("damaged_image", "Cut.", "Copy it again."),)
        return Result("2026-11-23T10:11:12Z", Source(name, scan), status, MODEL, reasons)
    probabilities = {known: 0.9 if known == label else 0.03 for known in LABELS}
    referral = Referral(group, 0.93, 0.3)  # type: ignore[arg-type]
    return Result(
        "2026-11-23T10:11:12Z",
        Source(name, scan),
        status,
        MODEL,
        label=label,
        probabilities=probabilities,
        referral=referral,
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Four contents: one seen twice, one replaced under its name, one rejected, one pending."""
    ledger = Ledger(tmp_path)
    with ledger.batch() as batch:
        for scan, name in ((A, "a.jpeg"), (A, "copy.jpeg"), (B, "b.jpeg"), (C, "b.jpeg"), (D, "\x1b[2J\n=d.jpeg")):
            batch.sighted(scan, name)
            batch.taken(scan, MODEL.sha256, name)
        batch.answered(result(A, "a.jpeg"))
        batch.answered(result(B, "b.jpeg", "rejected"))
        batch.answered(result(C, "b.jpeg", label="NORMAL", group="observe"))
    ledger.close()
    return tmp_path


def found(folder: Path, **query: str) -> list[str]:
    with reading(folder) as reader:
        return [sighting.sha256[0] for sighting in reader.sightings(Query(**query))]


def test_every_name_of_a_content_is_reported_with_the_one_state(folder: Path) -> None:
    with reading(folder) as reader:
        seen = {sighting.name: sighting for sighting in reader.sightings(Query())}
    assert len(seen) == 4
    assert seen["copy.jpeg"].state == "classified"
    assert seen["copy.jpeg"].result == seen["a.jpeg"].result is not None


def test_a_content_that_was_replaced_under_its_name_is_superseded(folder: Path) -> None:
    with reading(folder) as reader:
        superseded = {s.sha256[0]: s.superseded_by for s in reader.sightings(Query(name="b.jpeg"))}
    assert superseded == {"b": C, "c": None}


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"label": "CNV"}, "aa"),
        ({"referral": "observe"}, "c"),
        ({"state": "pending"}, "d"),
        ({"state": "rejected"}, "b"),
        ({"name": "*.jpeg"}, "aabcd"),
        ({"name": "b*", "label": "NORMAL"}, "c"),
        ({"since": "2020"}, "aabcd"),
        ({"since": "2999-01-01T00:00"}, ""),
        ({"until": "2020-12-31"}, ""),
        ({"label": "CNV'; --"}, ""),
    ],
)
def test_everything_that_is_asked_for_has_to_fit(folder: Path, query: dict[str, str], expected: str) -> None:
    assert "".join(found(folder, **query)) == expected


def test_the_end_of_a_time_is_meant_with_all_that_begins_like_it(folder: Path) -> None:
    with reading(folder) as reader:
        now = next(reader.sightings(Query())).seen
    for length in (4, 7, 10, 13, 16, 19, 20):
        assert len(found(folder, since=now[:length], until=now[:length])) == 5


def test_the_table_shows_each_on_one_line_and_moves_no_cursor(folder: Path) -> None:
    with reading(folder) as reader:
        lines = list(rows(reader.sightings(Query())))
    assert [line.split()[2] for line in lines[1:]] == ["CNV", "CNV", "rejected", "NORMAL", "pending"]
    assert lines[3].endswith("damaged_image, superseded")
    assert "\\x1b[2J\\n=d.jpeg" in lines[5]


def test_csv_and_json_lines_have_a_line_for_each_sighting(folder: Path) -> None:
    with reading(folder) as reader:
        table = list(csv_lines(reader.sightings(Query(state="classified"))))
        objects = list(json_lines(reader.sightings(Query())))
    assert table[1].split(",")[1:6] == ["a.jpeg", A, "classified", "", "CNV"]
    assert len(table) == 4
    assert len(objects) == 5


def test_the_status_counts_each_content_once(folder: Path) -> None:
    ledger = Ledger(folder)
    with reading(folder) as reader:
        status = reader.status()
    ledger.close()
    assert status["states"] == {"classified": 2, "pending": 1, "rejected": 1}
    assert status["classes"] == {"CNV": 1, "NORMAL": 1}
    assert status["referrals"] == {"observe": 1, "urgent": 1}
    assert status["watched_by"] == os.getpid()
    with reading(folder) as reader:
        assert reader.status()["watched_by"] is None
        assert reader.verify() == reader.verify(status["head"])


def test_a_reader_in_a_transaction_neither_holds_the_writer_up_nor_sees_what_it_adds(folder: Path) -> None:
    ledger = Ledger(folder)
    with reading(folder) as reader:
        before = list(reader.events())
        with ledger.batch() as batch:
            batch.answered(result(D, "d.jpeg"))
        assert list(reader.events()) == before
    assert found(folder, state="pending") == []
    ledger.close()


def test_the_states_of_many_contents_are_found_by_index(folder: Path) -> None:
    query = f"EXPLAIN QUERY PLAN {SIGHTINGS.format(SEEN)}"
    with reading(folder) as reader:
        plan = [row[-1] for row in reader._connection.execute(query)]
    assert [step for step in plan if step.startswith("SCAN")] == ["SCAN seen USING INDEX sightings_of_a_name"]


ASK = """if True:
    import os, sys
    from pathlib import Path
    from oct_edge.ledger.reader import Query, reading

    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)
    with reading(Path(sys.argv[1])) as reader:
        print(len(list(reader.sightings(Query()))))
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to become somebody who may only read")
def test_somebody_who_may_only_read_can_ask(folder: Path) -> None:
    with TemporaryDirectory() as public:  # pytest's own folders are closed to others
        Path(public).chmod(0o755)
        state = Path(public, "state")
        state.mkdir()
        shutil.copy(folder / LEDGER, state)
        for writers in (0, 1):
            ledgers = [Ledger(state) for _ in range(writers)]
            done = subprocess.run([sys.executable, "-c", ASK, state], capture_output=True, text=True)
            assert done.stdout == "5\n", done.stderr
            for ledger in ledgers:
                ledger.close()


def test_what_is_missing_or_no_ledger_is_said(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(LedgerNotFound), reading(tmp_path / "elsewhere"):
        pass
    assert not (tmp_path / "elsewhere").exists()
    (tmp_path / LEDGER).write_bytes(b"text" * 1000)
    with pytest.raises(LedgerDamaged), reading(tmp_path):
        pass


def test_a_broken_chain_is_said_with_the_file_it_is_in(folder: Path) -> None:
    with reading(folder) as reader, pytest.raises(ChainBroken, match=f"{LEDGER}: no event has the digest abc"):
        reader.verify("abc")
