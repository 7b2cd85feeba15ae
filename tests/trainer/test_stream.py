"""What a training sees is decided by its seed and its place, and by nothing that happened before."""

from dataclasses import replace
from itertools import islice

import numpy as np
import pytest

pytest.importorskip("tensorflow")
from oct_trainer.augment import Augmentation
from oct_trainer.pictures import Pictures
from oct_trainer.recipes import BEST, Recipe
from oct_trainer.stream import batches, steps_per_epoch, training_stream

pytestmark = pytest.mark.tf

RECIPE = replace(BEST["compact"], batch=4)
STILL = replace(RECIPE, augmentation=Augmentation(rotation=0, shift=0))
SCANS = 10


@pytest.fixture(scope="module")
def pictures() -> Pictures:
    """Each of another grey, so that a batch tells what is in it."""
    grey = np.repeat(np.arange(20, 20 * SCANS + 1, 20, dtype=np.uint8), 16 * 16).reshape(SCANS, 16, 16)
    names = np.array([f"p{i}" for i in range(SCANS)])
    return Pictures((), grey, np.arange(SCANS) % 4, names, ())


def taken(
    pictures: Pictures, recipe: Recipe, count: int, seed: int = 0, first: int = 0
) -> list[tuple[np.ndarray, ...]]:
    stream = training_stream(pictures, recipe, seed, first)
    return [tuple(part.numpy() for part in batch) for batch in islice(stream, count)]


def test_from_any_epoch_on_it_is_the_tail_of_the_whole(pictures: Pictures) -> None:
    steps = steps_per_epoch(SCANS, RECIPE)
    assert steps == 3
    whole = taken(pictures, RECIPE, 4 * steps)
    for first in (1, 2, 3):
        tail = taken(pictures, RECIPE, (4 - first) * steps, first=first)
        for expected, found in zip(whole[first * steps :], tail, strict=True):
            for one, other in zip(expected, found, strict=True):
                np.testing.assert_array_equal(one, other)


def test_an_epoch_shows_every_scan_once_in_an_order_of_its_own(pictures: Pictures) -> None:
    seen = [batch[0][:, 0, 0, 0].astype(int).tolist() for batch in taken(pictures, STILL, 6)]
    assert [len(batch) for batch in seen] == [4, 4, 2] * 2
    first, second = np.concatenate(seen[:3]).tolist(), np.concatenate(seen[3:]).tolist()
    assert sorted(first) == sorted(second) == pictures.grey[:, 0, 0].tolist()
    assert first != second


def test_labels_and_weights_go_with_their_scan(pictures: Pictures) -> None:
    for pixels, labels, weights in taken(pictures, STILL, 3):
        scans = pixels[:, 8, 8, 0].round().astype(int) // 20 - 1
        np.testing.assert_array_equal(labels.argmax(1), scans % 4)
        assert weights.shape == (len(scans),)


def test_another_seed_is_another_order_and_another_augmentation(pictures: Pictures) -> None:
    one, other = (taken(pictures, RECIPE, 1, seed=seed)[0][0] for seed in (0, 2**32 - 1))
    assert not np.array_equal(np.sort(one.ravel()), np.sort(other.ravel()))


@pytest.mark.parametrize("replicas", [2, 4])
def test_replicas_get_shares_of_one_size_and_of_every_scan(pictures: Pictures, replicas: int) -> None:
    stream = training_stream(pictures, RECIPE, 0, replicas=replicas)
    assert [len(labels) for _, labels, _ in islice(stream, 6)] == [4] * 6
    shown = [pixels[:, 0, 0, 0].numpy() for pixels, _ in batches(pictures, replicas=replicas)]
    assert {len(batch) % replicas for batch in shown} == {0}
    grey = pictures.grey[:, 0, 0]
    np.testing.assert_array_equal(np.concatenate(shown), [*grey, *grey[: -SCANS % replicas]])
