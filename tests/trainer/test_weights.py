"""Where a network starts from, and what is refused as a start."""

import json
from pathlib import Path

import numpy as np
import pytest

from oct_edge.errors import WeightsError
from oct_trainer.networks import NETWORKS

keras = pytest.importorskip("keras")
from oct_trainer.weights import apply_weights  # noqa: E402

pytestmark = pytest.mark.tf
RECORD = {"data": {"phantoms": True}, "weights": {"kind": "none"}}


@pytest.fixture
def compact():
    return NETWORKS["compact"].build()


@pytest.fixture
def earlier(compact, tmp_path: Path):
    """A run of the compact network under `tmp_path`, with weights of its own."""
    run = tmp_path / "compact"
    run.mkdir()
    model = keras.models.clone_model(compact)
    model.get_layer("logits").bias.assign([1.0, 2.0, 3.0, 4.0])
    model.save(run / "model.keras")
    (run / "metrics.json").write_text(json.dumps(RECORD))
    return model


def test_a_run_is_continued_with_its_history(compact, earlier, tmp_path: Path) -> None:
    assert apply_weights(compact, str(tmp_path)) == {"kind": "run", **RECORD}
    for mine, theirs in zip(compact.get_weights(), earlier.get_weights(), strict=True):
        np.testing.assert_array_equal(mine, theirs)


@pytest.mark.parametrize("content", [None, "", "{", "[]", "{}", '{"data": {}}'])
def test_a_run_without_a_record_is_not_continued(compact, earlier, tmp_path: Path, content: str | None) -> None:
    record = tmp_path / "compact" / "metrics.json"
    record.unlink() if content is None else record.write_text(content)
    with pytest.raises(WeightsError, match="cannot be continued"):
        apply_weights(compact, str(tmp_path))


def test_a_run_whose_pixels_were_scaled_otherwise_is_not_continued(earlier, tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="scaled otherwise") as caught:
        apply_weights(NETWORKS["compact"].build(scaling="symmetric"), str(tmp_path))
    assert "--recipe" in caught.value.hint


def test_a_network_without_a_base_starts_from_a_file_of_all_its_weights(compact, tmp_path: Path) -> None:
    other = keras.models.clone_model(compact)
    other.save_weights(tmp_path / "compact-42.weights.h5")
    assert apply_weights(compact, str(tmp_path)) == {"kind": "file", "source": "compact-42.weights.h5"}
    for mine, theirs in zip(compact.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_array_equal(mine, theirs)


def test_a_network_without_a_base_starts_from_nothing_where_nothing_is(compact, tmp_path: Path) -> None:
    (tmp_path / "mobilenet.weights.h5").touch()
    assert apply_weights(compact, str(tmp_path)) == {"kind": "none"}


@pytest.mark.parametrize("network", ["mobilenet", "compact"])
def test_two_files_are_not_chosen_from(tmp_path: Path, network: str) -> None:
    for name in ("a", "b"):
        (tmp_path / f"{network}-{name}.weights.h5").touch()
    with pytest.raises(WeightsError, match="2 files match"):
        apply_weights(NETWORKS[network].build(), str(tmp_path))


def test_a_file_that_holds_no_weights_is_refused(compact, tmp_path: Path) -> None:
    (tmp_path / "compact.weights.h5").write_text("no")
    with pytest.raises(WeightsError, match="not the weights of compact"):
        apply_weights(compact, str(tmp_path))


def test_a_weights_folder_without_the_file_says_what_to_put_there(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"mobilenet\*\.weights\.h5") as caught:
        apply_weights(NETWORKS["mobilenet"].build(), str(tmp_path))
    assert "--weights none" in caught.value.hint


def test_a_weights_file_of_another_network_is_refused(compact, tmp_path: Path) -> None:
    compact.save_weights(tmp_path / "mobilenet.weights.h5")
    with pytest.raises(WeightsError, match="not the weights of mobilenet"):
        apply_weights(NETWORKS["mobilenet"].build(), str(tmp_path))


@pytest.mark.parametrize("folder", ["", "nowhere", "x" * 300])
def test_a_missing_weights_folder_is_refused(compact, folder: str) -> None:
    with pytest.raises(WeightsError, match=f"`{folder}`: ") as caught:
        apply_weights(compact, folder)
    assert "`none`" in caught.value.hint
