"""Where a network starts from, and what is refused as a start."""

import json
from pathlib import Path

import numpy as np
import pytest

from oct_edge.errors import WeightsError
from oct_trainer.networks import NETWORKS

keras = pytest.importorskip("keras")
from oct_trainer.recipes import ARTICLE  # noqa: E402
from oct_trainer.weights import apply_weights, base_of, check_weights  # noqa: E402
from oct_trainer.weights_option import parse_weights  # noqa: E402

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


def test_the_folder_of_a_run_can_be_named_itself(compact, earlier, tmp_path: Path) -> None:
    assert apply_weights(compact, str(tmp_path / "compact"))["kind"] == "run"
    np.testing.assert_array_equal(compact.get_layer("logits").bias, [1.0, 2.0, 3.0, 4.0])


@pytest.mark.parametrize("moved", [False, True])
def test_a_run_of_another_network_is_not_continued(earlier, tmp_path: Path, moved: bool) -> None:
    run = tmp_path / "compact"
    if moved:
        run = run.rename(tmp_path / "custom-vgg")
    with pytest.raises(WeightsError, match=r"cannot be continued as custom-vgg \(it is of compact\)"):
        apply_weights(NETWORKS["custom-vgg"].build(), str(tmp_path if moved else run))


def test_a_run_whose_pixels_had_another_mean_colour_is_not_continued(tmp_path: Path) -> None:
    (tmp_path / "vgg16").mkdir()
    NETWORKS["vgg16"].build(scaling="caffe").save(tmp_path / "vgg16" / "model.keras")
    (tmp_path / "vgg16" / "metrics.json").write_text(json.dumps(RECORD))
    with pytest.raises(WeightsError, match="scaled otherwise"):
        apply_weights(NETWORKS["vgg16"].build(), str(tmp_path))
    assert apply_weights(NETWORKS["vgg16"].build(scaling="caffe"), str(tmp_path))["kind"] == "run"


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


@pytest.mark.parametrize(("network", "application"), [("mobilenet", "MobileNet"), ("vgg16", "VGG16")])
def test_a_weights_folder_without_the_file_says_what_to_put_there(
    tmp_path: Path, network: str, application: str
) -> None:
    with pytest.raises(WeightsError, match=rf"0 files match {network}\*\.h5") as caught:
        apply_weights(NETWORKS[network].build(), str(tmp_path))
    assert f"{network}*.h5 with the weights of keras.applications.{application} without top" in caught.value.hint
    assert f"--weights {network}=none" in caught.value.hint


@pytest.mark.parametrize("name", ["vgg16.weights.h5", "vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5"])
def test_a_base_starts_from_weights_as_keras_saves_or_publishes_them(tmp_path: Path, name: str) -> None:
    published = base_of(NETWORKS["vgg16"].build())
    published.save_weights(tmp_path / name) if ".weights." in name else published.save(tmp_path / name)
    model = NETWORKS["vgg16"].build()
    assert apply_weights(model, str(tmp_path)) == {"kind": "imagenet", "source": name}
    for mine, theirs in zip(base_of(model).get_weights(), published.get_weights(), strict=True):
        np.testing.assert_array_equal(mine, theirs)


@pytest.mark.parametrize("network", ["mobilenet", "vgg16", "custom-vgg"])
def test_a_weights_file_of_another_network_is_refused(compact, tmp_path: Path, network: str) -> None:
    compact.save_weights(tmp_path / f"{network}.weights.h5")
    with pytest.raises(WeightsError, match="not the weights of") as caught:
        apply_weights(NETWORKS[network].build(), str(tmp_path))
    assert f"{network}*.h5" in caught.value.hint


@pytest.mark.parametrize("name", ["vgg16.weights.h5", "vgg16.h5"])
def test_a_weights_file_of_another_shape_is_refused(tmp_path: Path, name: str) -> None:
    grey = keras.applications.VGG16(input_shape=(224, 224, 1), include_top=False, weights=None)
    grey.save_weights(tmp_path / name) if ".weights." in name else grey.save(tmp_path / name)
    with pytest.raises(WeightsError, match=r"not the weights of keras\.applications\.VGG16 without top") as caught:
        apply_weights(NETWORKS["vgg16"].build(), str(tmp_path))
    assert "(3, 3, 1, 64)" in caught.value.message
    assert "(3, 3, 3, 64)" in caught.value.message


def test_what_one_network_lacks_is_known_before_another_trains(tmp_path: Path) -> None:
    base_of(NETWORKS["mobilenet"].build()).save_weights(tmp_path / "mobilenet.weights.h5")
    with pytest.raises(WeightsError, match=r"vgg16\*\.h5"):
        check_weights(parse_weights([str(tmp_path)]), ARTICLE)
    check_weights(parse_weights([str(tmp_path), "vgg16=none"]), ARTICLE)


@pytest.mark.parametrize("source", ["imagenet", "folder"])
def test_a_network_that_is_named_does_not_start_from_nothing(tmp_path: Path, source: str) -> None:
    source = source.replace("folder", str(tmp_path))
    recipes = {"compact": ARTICLE["compact"]}
    check_weights(parse_weights([source]), recipes)
    with pytest.raises(WeightsError, match="there are no weights for compact") as caught:
        check_weights(parse_weights([f"compact={source}"]), recipes)
    assert "compact=none" in caught.value.hint


@pytest.mark.parametrize("folder", ["", "nowhere", "x" * 300])
def test_a_missing_weights_folder_is_refused(compact, folder: str) -> None:
    with pytest.raises(WeightsError, match=f"`{folder}`: ") as caught:
        apply_weights(compact, folder)
    assert "`none`" in caught.value.hint
