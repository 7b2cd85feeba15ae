"""One page for all runs: complete, self-contained, and whole whatever there is among them."""

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import pytest

from oct_edge.errors import DataSetError, RunError
from oct_edge.labels import LABELS
from oct_trainer.networks import NETWORKS
from oct_trainer.predictions import read_predictions, write_predictions
from oct_trainer.report import write_report

Command = Callable[..., subprocess.CompletedProcess[str]]


def report(runs: Path) -> str:
    out = runs.parent / "report.html"
    write_report(runs, out)
    return out.read_text()


@pytest.fixture(scope="module")
def page(compact_run: Path, clean_phantoms: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A page on a run of each network, with pictures."""
    runs = tmp_path_factory.mktemp("report") / "runs"
    for name in NETWORKS:
        copy_run(compact_run, runs / name, network=name)
    write_report(runs, runs.parent / "report.html", clean_phantoms)
    return (runs.parent / "report.html").read_text()


def copy_run(run: Path, to: Path, **changes: object) -> None:
    shutil.copytree(run, to)
    record = json.loads((to / "metrics.json").read_text())
    (to / "metrics.json").write_text(json.dumps(record | changes))


def test_every_network_stands_beside_what_the_article_says(page: str) -> None:
    for network in NETWORKS.values():
        assert network.title in page
        assert f"{network.accuracy:.2f} %" in page
        assert f"{network.parameters:,} parameters" in page
    assert page.count("Trained on") == len(NETWORKS)
    assert "not a medical device" in page
    assert "they do not compare" in page


def test_the_figures_are_those_of_the_record(page: str, compact_run: Path) -> None:
    record = json.loads((compact_run / "metrics.json").read_text())
    for split in ("val", "test"):
        for name in ("accuracy", "balanced_accuracy", "kappa"):
            figure = record["metrics"][split][name]
            assert f">{figure['value']:.3f}<" in page
            assert f">{figure['low']:.3f} \u2013 {figure['high']:.3f}<" in page
    for label in LABELS:
        assert f">{record['metrics']['test']['sensitivity'][label]['value']:.3f}<" in page


def test_a_network_without_a_run_keeps_its_row(runs: Path) -> None:
    content = report(runs)
    assert all(network.title in content for network in NETWORKS.values())
    assert content.count(">no run<") == len(NETWORKS) - 1


def test_the_page_needs_nothing_and_runs_nothing(page: str) -> None:
    assert re.findall(r"<(script|link|iframe|object|embed|base|form)\b", page) == []
    assert {source[:23] for source in re.findall(r'\bsrc="([^"]*)', page)} == {"data:image/jpeg;base64,"}
    assert {target[0] for target in re.findall(r'href="([^"]*)', page)} == {"#"}
    assert re.findall(r"url\((?!#)|@import", page) == []
    assert "default-src 'none'" in page


def test_every_element_is_closed(page: str) -> None:
    class Balanced(HTMLParser):
        open: list[str] = []  # noqa: RUF012

        def handle_starttag(self, tag: str, attrs: object) -> None:
            self.open += [tag] if tag not in ("meta", "img") else []

        def handle_endtag(self, tag: str) -> None:
            assert self.open.pop() == tag

        def handle_startendtag(self, tag: str, attrs: object) -> None:
            pass

    parser = Balanced()
    parser.feed(page)
    parser.close()
    assert parser.open == []


def test_every_id_is_there_once_and_every_reference_leads_to_one(page: str) -> None:
    ids = re.findall(r'\bid="([^"]*)', page)
    assert len(ids) == len(set(ids))
    wanted = set(re.findall(r'(?:url\(#|href="#)([^")]+)', page))
    assert wanted
    assert wanted <= set(ids)


def test_the_page_says_what_was_trained_on(runs: Path) -> None:
    record = json.loads((runs / "compact" / "metrics.json").read_text())
    record["data"] |= {"phantoms": True, "leak": {"patients": 1, "scans": 2}}
    (runs / "compact" / "metrics.json").write_text(json.dumps(record))
    content = report(runs)
    assert content.count("Synthetic phantoms are among the scans") == 1
    assert content.count("leaked into training") == 1


def test_what_is_no_finished_run_is_named_with_the_reason(runs: Path) -> None:
    (runs / ".vgg16.partial").mkdir()
    (runs / "notes").mkdir()
    (runs / "notes" / "a.txt").touch()
    (runs / "empty").mkdir()
    for name in ("cut", "old", "other split"):
        shutil.copytree(runs / "compact", runs / name)
    (runs / "cut" / "metrics.json").write_text("{")
    (runs / "old" / "predictions.csv").write_text("split,path,label,CNV,DME,DRUSEN,NORMAL\n")
    (runs / "other split" / "split.csv").write_text("")
    out = runs.parent / "report.html"
    skipped = {one.name: one.reason for one in write_report(runs, out)}
    assert set(skipped) == {"vgg16", "notes", "empty", "cut", "old", "other split"}
    assert "not finished" in skipped["vgg16"]
    assert "No such file" in skipped["notes"]
    assert "predictions.csv: the columns are not" in skipped["old"]
    assert "SHA-256" in skipped["other split"]
    assert all(f"<code>{name}</code>" in out.read_text() for name in skipped)


def test_a_run_of_another_preprocessing_still_has_its_figures(runs: Path) -> None:
    record = json.loads((runs / "compact" / "metrics.json").read_text())
    (runs / "compact" / "metrics.json").write_text(json.dumps(record | {"preprocessing": "letterbox@1"}))
    assert "preprocessing letterbox@1" in report(runs)


def test_runs_in_folders_of_runs_are_found(runs: Path, tmp_path: Path) -> None:
    (tmp_path / "all" / "seed 0").mkdir(parents=True)
    shutil.move(runs / "compact", tmp_path / "all" / "seed 0" / "compact")
    assert write_report(tmp_path / "all", tmp_path / "r.html") == ()
    assert "seed 0/compact" in (tmp_path / "r.html").read_text()


def test_one_run_may_be_named_itself(runs: Path) -> None:
    assert "<code>compact</code>" in report(runs / "compact")


def test_a_run_between_two_names_is_found_once(runs: Path) -> None:
    shutil.copytree(runs / "compact", runs / ".mobilenet.old")
    shutil.copytree(runs / "compact", runs / ".compact.old")
    content = report(runs)
    assert content.count("Trained on") == 2
    assert "<code>mobilenet</code>" in content
    assert "Not reported" not in content


def test_a_run_without_test_scans_is_shown_by_its_validation(runs: Path) -> None:
    path = runs / "compact" / "predictions.csv"
    write_predictions(path, {"val": read_predictions(path)["val"]})
    assert "There were no test scans" in report(runs)


def test_a_folder_that_is_none_and_one_full_of_other_things_are_told_apart(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"nowhere: no finished run; there is no such folder\.$"):
        write_report(tmp_path / "nowhere", tmp_path / "report.html")
    for n in range(10):
        (tmp_path / f"scans{n}").mkdir()
    with pytest.raises(RunError, match=r"scans0: .*metrics\.json: No such file or directory.*; and 2 more\.$"):
        write_report(tmp_path, tmp_path / "report.html")


@pytest.mark.parametrize("prepare", [lambda runs: None, lambda runs: (runs / "x").mkdir(parents=True)])
def test_without_a_finished_run_there_is_no_page(tmp_path: Path, prepare: Callable[[Path], None]) -> None:
    prepare(tmp_path / "runs")
    with pytest.raises(RunError, match="no finished run") as caught:
        write_report(tmp_path / "runs", tmp_path / "report.html")
    assert "oct-train" in caught.value.hint
    assert not (tmp_path / "report.html").exists()


def test_data_that_is_not_there_is_an_error(runs: Path, tmp_path: Path) -> None:
    with pytest.raises(DataSetError, match="nowhere"):
        write_report(runs, tmp_path / "r.html", tmp_path / "nowhere")


def test_the_command_needs_no_tensorflow(runs: Path) -> None:
    script = (
        "import sys; sys.modules.update(dict.fromkeys(('tensorflow', 'keras', 'sklearn', 'scipy')))\n"
        "sys.argv = ['oct-train', 'report', sys.argv[1], '--out', sys.argv[2]]\n"
        "from oct_trainer.cli import main; main()"
    )
    out = runs.parent / "there" / "page.html"
    (runs / ".vgg16.partial").mkdir()
    done = subprocess.run([sys.executable, "-W", "error", "-c", script, runs, out], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, f"{out}\n"), done.stderr
    assert done.stderr.startswith("not reported: vgg16: not finished")
    assert out.read_text().endswith("</html>\n")


def test_the_command_fails_with_a_hint(tmp_path: Path, run_command: Command) -> None:
    done = run_command("oct-train", "report", tmp_path / "nowhere", "--out", tmp_path / "r.html")
    assert done.returncode == 1
    assert done.stderr.startswith("error [run]:")
    assert "hint:" in done.stderr
