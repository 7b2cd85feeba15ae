"""`--weights`, as it is typed: who gets what, and what is no answer."""

import itertools
from pathlib import Path

import pytest

from oct_trainer.networks import NETWORKS
from oct_trainer.weights_option import parse_weights


def sources(*values: str) -> dict[str, str]:
    option = parse_weights(values)
    return {name: option.of(name) for name in NETWORKS}


def test_without_a_word_bases_start_from_imagenet() -> None:
    assert sources() == dict.fromkeys(NETWORKS, "imagenet")


@pytest.mark.parametrize("source", ["imagenet", "none", "weights", "/a/b", ""])
def test_one_value_is_for_every_network(source: str) -> None:
    assert sources(source) == dict.fromkeys(NETWORKS, source)


@pytest.mark.parametrize("order", [*itertools.permutations(("weights", "vgg16=none", "custom-vgg=runs/a=b"))])
def test_a_network_that_is_named_goes_first_in_any_order(order: tuple[str, ...]) -> None:
    expected = {"mobilenet": "weights", "vgg16": "none", "compact": "weights", "custom-vgg": "runs/a=b"}
    assert sources(*order) == expected


def test_the_others_keep_the_default() -> None:
    assert sources("vgg16=none") == dict.fromkeys(NETWORKS, "imagenet") | {"vgg16": "none"}


def test_a_network_may_be_called_like_a_folder_that_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "vgg16=none").mkdir()
    assert sources("vgg16=none")["vgg16"] == "none"
    assert sources("./vgg16=none") == dict.fromkeys(NETWORKS, "./vgg16=none")


def test_a_folder_may_have_an_equals_sign_in_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "seed=3").mkdir()
    assert sources("seed=3") == dict.fromkeys(NETWORKS, "seed=3")
    assert sources("runs/seed=3") == dict.fromkeys(NETWORKS, "runs/seed=3"), "a path, though nothing is there"


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (["vgg19=none"], r"`vgg19` is no network \(mobilenet, vgg16, compact, custom-vgg\).*no folder `vgg19=none`"),
        (["=none"], "`` is no network"),
        (["x" * 300 + "=none"], "is no network"),
        (["none", "imagenet"], "none and imagenet are for every network"),
        (["none", "none"], "none and none are for every network"),
        (["vgg16=none", "vgg16=weights"], "`vgg16` is given twice: none and weights"),
    ],
)
def test_what_leaves_a_doubt_is_refused(values: list[str], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        parse_weights(values)
