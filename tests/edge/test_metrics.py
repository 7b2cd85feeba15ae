"""What monitoring collects, read by the parser of Prometheus' own client."""

import math
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oct_edge.errors import ConfigurationError
from oct_edge.health import HINTS
from oct_edge.labels import LABELS
from oct_edge.ledger.tally import Tally
from oct_edge.metrics import BUCKETS, Histogram, Sight, checked, render, write_textfile
from oct_edge.result import ModelIdentity

parser = pytest.importorskip("prometheus_client.parser")

MODEL = ModelIdentity("plain", "ab" * 32, "litert 2.3.0")
ANSWERS = {("classified", "CNV"): 3, ("classified", "NORMAL"): 39, ("rejected", ""): 1}


def sight(**changes: object) -> Sight:
    seen = {
        "model": MODEL,
        "started": 1_795_000_000.5,
        "watching": True,
        "tally": Tally(9, "h", ANSWERS, "2026-11-23T10:11:12Z"),
        "waiting": 4,
        "reasons": frozenset({"disk_full"}),
        "inference": Histogram(),
        "written": 81_920,
    }
    return Sight(**(seen | changes))  # type: ignore[arg-type]


def families(text: str) -> dict[str, list]:
    return {family.name: family.samples for family in parser.text_string_to_metric_families(text)}


def values(text: str) -> dict[str, float]:
    """Of every metric that is one number."""
    return {name: samples[0].value for name, samples in families(text).items() if not samples[0].labels}


def test_every_family_is_typed_explained_and_named_as_the_collector_wants() -> None:
    found = {family.name: family for family in parser.text_string_to_metric_families(render(sight()))}
    assert {family.type for family in found.values()} == {"gauge", "counter", "histogram"}
    for name, family in found.items():
        assert name.startswith("oct_edge_")
        assert family.documentation.endswith(".")
        assert len({tuple(sample.labels) for sample in family.samples if not sample.name.endswith("_bucket")}) == 1
        if family.type == "counter":
            assert {sample.name for sample in family.samples} == {f"{name}_total"}


def test_what_is_known_is_told() -> None:
    text = render(sight())
    assert values(text) == {
        "oct_edge_watching": 1,
        "oct_edge_start_time_seconds": 1_795_000_000.5,
        "oct_edge_pending_scans": 4,
        "oct_edge_last_answer_timestamp_seconds": 1_795_428_672,
        "oct_edge_written_bytes": 81_920,
    }
    (info,) = families(text)["oct_edge_info"]
    assert (info.value, info.labels["model"], info.labels["model_sha256"]) == (1, "plain", "ab" * 32)
    assert values(render(sight(watching=False)))["oct_edge_watching"] == 0


def test_what_is_not_known_is_left_out() -> None:
    found = values(render(sight(tally=Tally(), waiting=None, written=None)))
    assert found.keys() == {"oct_edge_watching", "oct_edge_start_time_seconds"}


def test_every_state_and_class_is_counted_also_before_it_occurs() -> None:
    counts = {tuple(s.labels.values()): s.value for s in families(render(sight()))["oct_edge_scans"]}
    assert counts.pop(("rejected", "")) == 1
    assert counts.pop(("ungradable", "")) == 0
    assert counts == {("classified", label): ANSWERS.get(("classified", label), 0) for label in LABELS}


def test_every_reason_is_told_whether_it_holds_or_not() -> None:
    samples = families(render(sight(reasons=frozenset({"disk_full", "from_tomorrow"}))))["oct_edge_degraded"]
    told = {sample.labels["reason"]: sample.value for sample in samples}
    assert told == {code: int(code == "disk_full") for code in HINTS} | {"from_tomorrow": 1}


@given(st.lists(st.floats(0, 10, allow_nan=False)))
def test_a_histogram_counts_what_took_up_to_so_long(seconds: list[float]) -> None:
    histogram = Histogram()
    for one in seconds:
        histogram.observe(one)
    samples = families(render(sight(inference=histogram)))["oct_edge_inference_seconds"]
    buckets = {float(s.labels["le"]): s.value for s in samples if s.name.endswith("_bucket")}
    assert buckets == {edge: sum(one <= edge for one in seconds) for edge in (*BUCKETS, math.inf)}
    rest = {s.name.rpartition("_")[2]: s.value for s in samples if not s.labels}
    assert rest == {"sum": pytest.approx(sum(seconds), abs=1e-5), "count": len(seconds)}


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_any_name_of_a_model_is_read_as_it_was(name: str) -> None:
    (info,) = families(render(sight(model=ModelIdentity(name, "m", "r"))))["oct_edge_info"]
    assert info.labels["model"] == name


def test_the_file_is_replaced_whole_and_everybody_may_read_it(tmp_path: Path) -> None:
    path = tmp_path / "oct-edge.prom"
    before = os.umask(0o077)
    try:
        for text in ("first\n", "second\n"):
            write_textfile(path, text)
    finally:
        os.umask(before)
    assert path.read_text() == "second\n"
    assert path.stat().st_mode & 0o777 == 0o644
    assert list(tmp_path.iterdir()) == [path]


def test_on_a_full_disk_the_old_file_stays_and_nothing_else(
    small_disk: Callable[[str], Path], fill_up: Callable[[Path], Path]
) -> None:
    disk = small_disk("64k")
    path = disk / "oct-edge.prom"
    write_textfile(path, "old\n")
    filler = fill_up(disk)
    with pytest.raises(OSError, match="No space"):
        write_textfile(path, "new\n" * 1000)
    assert path.read_text() == "old\n"
    assert set(disk.iterdir()) == {path, filler}


def test_a_name_that_no_collector_reads_is_refused(tmp_path: Path) -> None:
    assert checked(tmp_path / "oct-edge.prom") == tmp_path / "oct-edge.prom"
    with pytest.raises(ConfigurationError, match=r"end in \.prom") as refused:
        checked(tmp_path / "oct-edge.txt")
    assert refused.value.hint == f"Call it {tmp_path / 'oct-edge.prom'}."
