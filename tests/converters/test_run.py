"""A run is read back as it was trained, or refused with the reason."""

import csv
import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from oct_edge.errors import DataSetError, RunError
from oct_edge.labels import LABELS
from oct_edge.preprocess import PREPROCESSING
from oct_trainer.dataset import read_dataset, write_split
from oct_trainer.phantom import write_dataset

keras = pytest.importorskip("keras")
from oct_converters.run import find_runs, read_run  # noqa: E402

pytestmark = pytest.mark.tf


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("data") / "phantoms"
    write_dataset(root, 16, seed=3)
    return root


@pytest.fixture
def run(data: Path, tmp_path: Path) -> Path:
    """A finished run of a network of one layer, with what `read_run` looks at."""
    folder = tmp_path / "compact"
    folder.mkdir()
    inputs = keras.Input((224, 224, 3))
    embedding = keras.layers.GlobalAveragePooling2D(name="embedding")(inputs)
    logits = keras.layers.Dense(4, name="logits")(embedding)
    keras.Model(inputs, keras.layers.Softmax(name="scores")(logits), name="compact").save(folder / "model.keras")
    samples = read_dataset(data).samples
    digests = [hashlib.sha256(sample.path.read_bytes()).hexdigest() for sample in samples]
    record = {
        "schema": "oct-edge/run@1",
        "network": "compact",
        "classes": list(LABELS),
        "preprocessing": PREPROCESSING,
        "data": {"split_sha256": write_split(samples, digests, data, folder / "split.csv"), "scans": {}},
        **{"weights": {"kind": "none"}, "recipe": {}, "seed": 0, "parameters": 0},
    }
    (folder / "metrics.json").write_text(json.dumps(record))
    return folder


def edit_split(run: Path, edit: Callable[[str], str]) -> None:
    """Change the split as another version of the trainer could have written it: with its digest."""
    content = edit((run / "split.csv").read_text())
    (run / "split.csv").write_text(content)
    record = json.loads((run / "metrics.json").read_text())
    record["data"]["split_sha256"] = hashlib.sha256(content.encode()).hexdigest()
    (run / "metrics.json").write_text(json.dumps(record))


def test_a_run_is_read_with_its_scans(run: Path, data: Path) -> None:
    found = read_run(run, data)
    assert found.network == "compact"
    assert sum(len(part.grey) for part in found.pictures.values()) == 16


@pytest.mark.parametrize(("layer", "classes"), [("dense", 4), ("logits", 3)])
def test_a_keras_file_of_another_architecture_or_other_classes_is_refused(
    run: Path, data: Path, layer: str, classes: int
) -> None:
    inputs = keras.Input((224, 224, 3))
    embedding = keras.layers.GlobalAveragePooling2D(name="embedding")(inputs)
    logits = keras.layers.Dense(classes, name=layer)(embedding)
    keras.Model(inputs, keras.layers.Softmax(name="scores")(logits), name="compact").save(run / "model.keras")
    with pytest.raises(RunError, match="not a network of this version"):
        read_run(run, data)


def test_classes_in_another_order_are_refused(run: Path, data: Path) -> None:
    record = json.loads((run / "metrics.json").read_text())
    record["classes"].reverse()
    (run / "metrics.json").write_text(json.dumps(record))
    with pytest.raises(RunError, match=r"classes is \['NORMAL'") as caught:
        read_run(run, data)
    assert caught.value.hint


def test_data_with_a_class_that_the_run_does_not_know_are_refused(run: Path, data: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(data, tmp_path / "copy"))
    (copy / "train" / "AMD").mkdir()
    shutil.copy(next((copy / "train" / "CNV").iterdir()), copy / "train" / "AMD")
    with pytest.raises(DataSetError, match=r"other classes than .*: train/AMD") as caught:
        read_run(run, copy)
    assert caught.value.hint


def test_a_run_without_validation_scans_proves_nothing(run: Path, data: Path) -> None:
    edit_split(run, lambda text: text.replace(",val,", ",train,"))
    with pytest.raises(RunError, match="without validation scans"):
        read_run(run, data)


def test_a_run_whose_exchange_was_cut_short_is_found(run: Path) -> None:
    assert find_runs(run.parent, ("mobilenet", "compact")) == [run]
    run.rename(run.with_name(".compact.old"))
    assert find_runs(run.parent, ("mobilenet", "compact")) == [run.with_name(".compact.old")]
    with pytest.raises(RunError, match="no finished run"):
        find_runs(run.parent, ("mobilenet",))


def test_a_network_that_was_asked_for_by_name_is_not_left_out_silently(run: Path) -> None:
    with pytest.raises(RunError, match="no finished run of mobilenet"):
        find_runs(run.parent, ("mobilenet", "compact"), every=True)
    with pytest.raises(RunError, match="cannot be read"):
        find_runs(run.parent / ("x" * 300), ("compact",))


def test_a_run_without_its_model_is_not_left_out_silently(run: Path) -> None:
    (run.parent / "mobilenet").mkdir()
    with pytest.raises(RunError, match=r"mobilenet: there is no model\.keras") as caught:
        find_runs(run.parent, ("mobilenet", "compact"))
    assert caught.value.hint


@pytest.mark.parametrize("entry", ["weights", "recipe", "seed", "parameters"])
def test_a_record_that_lacks_what_the_card_repeats_is_refused_before_the_work(
    run: Path, data: Path, entry: str
) -> None:
    record = json.loads((run / "metrics.json").read_text())
    del record[entry]
    (run / "metrics.json").write_text(json.dumps(record))
    with pytest.raises(RunError, match=f"does not say {entry}"):
        read_run(run, data)


def test_a_split_of_another_training_is_refused(run: Path, data: Path) -> None:
    samples = read_dataset(data, seed=1).samples
    write_split(samples, ["0"] * len(samples), data, run / "split.csv")
    with pytest.raises(RunError, match=r"split\.csv is not the split") as caught:
        read_run(run, data)
    assert caught.value.hint


def test_a_run_that_is_replaced_while_it_is_read_is_refused(
    run: Path, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    load = keras.saving.load_model

    def load_and_replace(path: Path, **options: bool):
        model = load(path, **options)
        run.rename(run.with_name(".compact.old"))
        run.mkdir()
        return model

    monkeypatch.setattr(keras.saving, "load_model", load_and_replace)
    with pytest.raises(RunError, match="replaced it"):
        read_run(run, data)


@pytest.mark.parametrize("record", ["", "[]", "{}", '{"data": []}', '{"data": {}}', "null"])
def test_a_record_that_is_none_is_refused(run: Path, data: Path, record: str) -> None:
    (run / "metrics.json").write_text(record)
    with pytest.raises(RunError) as caught:
        read_run(run, data)
    assert caught.value.hint


def test_scans_that_a_csv_names_are_found_again_wherever_they_are(run: Path, data: Path, tmp_path: Path) -> None:
    scans = sorted(data.rglob("*.jpeg"))
    (tmp_path / "pictures").symlink_to(data)
    (tmp_path / "tables").mkdir()
    table = tmp_path / "tables" / "scans.csv"
    with table.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(("path", "label", "patient"))
        for n, path in enumerate(scans):
            named = path if n % 2 else Path("..", "pictures", path.relative_to(data))
            rows.writerow((named, path.parent.name, path.stem.split("-")[1]))
    found = read_dataset(table)
    digests = [hashlib.sha256(sample.path.read_bytes()).hexdigest() for sample in found.samples]
    write_split(found.samples, digests, found.root, run / "split.csv")
    edit_split(run, str)
    pictures = read_run(run, table).pictures
    assert {name: part.samples for name, part in pictures.items()} == {
        name: found.split(name) for name in ("train", "val")
    }


@pytest.mark.parametrize("file", ["model.keras", "metrics.json", "split.csv"])
def test_a_run_without_a_file_is_refused(run: Path, data: Path, file: str) -> None:
    (run / file).unlink()
    with pytest.raises(RunError, match="not a finished run"):
        read_run(run, data)


def test_a_record_of_another_network_is_refused(run: Path, data: Path) -> None:
    record = run / "metrics.json"
    record.write_text(record.read_text().replace('"compact"', '"mobilenet"'))
    with pytest.raises(RunError, match="network is 'mobilenet', not 'compact'"):
        read_run(run, data)


@pytest.mark.parametrize(
    "edit",
    [
        lambda text: "",
        lambda text: text.replace("path,label", "file,class"),
        lambda text: text.replace(",DRUSEN,", ",AMD,"),
        lambda text: text.replace(",train,", ",dev,"),
        lambda text: text + "train/CNV/CNV-1-1.jpeg,CNV\n",
        lambda text: text.partition("\n")[2],
    ],
)
def test_a_split_that_is_none_is_refused(run: Path, data: Path, edit: Callable[[str], str]) -> None:
    edit_split(run, edit)
    with pytest.raises(RunError, match=r"split\.csv: not rows of path, label") as caught:
        read_run(run, data)
    assert caught.value.hint


@pytest.mark.parametrize("name", ["nowhere", "", "x" * 300])
def test_another_data_folder_points_at_the_flag(run: Path, tmp_path: Path, name: str) -> None:
    folder = tmp_path / name
    with pytest.raises(RunError) as caught:
        read_run(run, folder)
    assert "--data" in caught.value.hint
    assert caught.value.message.count(str(folder)) == 1


def test_a_scan_that_was_cut_since_points_at_the_flag(run: Path, data: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(data, tmp_path / "copy"))
    scan = sorted((copy / "train" / "CNV").iterdir())[0]
    scan.write_bytes(scan.read_bytes()[:500])
    with pytest.raises(RunError, match=scan.name) as caught:
        read_run(run, copy)
    assert "--data" in caught.value.hint
    assert caught.value.message.count(str(scan)) == 1
