"""What is like the training scans is near, what is not is far."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from oct_edge.gate.familiarity import Familiarity, fit_familiarity
from oct_edge.gate.known import Group, Limit, pack_groups, read_groups

RNG = np.random.default_rng(7)
MIXING = RNG.normal(0, 1, (5, 60))


def embeddings(count: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return 3 + rng.normal(0, 4, (count, 5)) @ MIXING + rng.normal(0, 0.3, (count, 60))


def test_unseen_scans_of_the_same_kind_are_as_near_as_those_of_the_training() -> None:
    known = fit_familiarity(embeddings(400, 1), components=5)
    distances = [known.distance(row) for row in embeddings(200, 2)]
    assert np.mean(distances) == pytest.approx(1, abs=0.1)
    assert max(distances) < 1.5


def test_a_direction_in_which_the_training_never_went_is_far() -> None:
    known = fit_familiarity(embeddings(400, 1), components=5)
    row = embeddings(1, 3)[0]
    away = np.linalg.qr(np.vstack([MIXING, RNG.normal(0, 1, 60)]).T)[0][:, 5]
    assert known.distance(row + 10 * away) > 3 * known.distance(row)


def test_with_all_components_it_is_the_mahalanobis_distance() -> None:
    known = fit_familiarity(embeddings(500, 1), components=59)
    row = embeddings(1, 4)[0]
    covariance = np.cov(embeddings(500, 1).T)
    offset = row - embeddings(500, 1).mean(0)
    exact = np.sqrt(offset @ np.linalg.solve(covariance, offset) / 60)
    assert known.distance(row) == pytest.approx(exact, rel=1e-3)


def test_it_is_the_same_after_a_file() -> None:
    known = fit_familiarity(embeddings(50, 1))
    group = Group("training", known, fit_familiarity(embeddings(50, 2)), Limit(1, 2), Limit(3, 4))
    limits = {"training": {"picture": {"doubtful": 1, "foreign": 2}, "embedding": {"doubtful": 3, "foreign": 4}}}
    (again,) = read_groups(pack_groups([group]), limits)
    row = embeddings(1, 5)[0]
    assert again.picture.distance(row) == pytest.approx(known.distance(row), rel=1e-6)
    assert again.embedding.distance(row) == pytest.approx(group.embedding.distance(row), rel=1e-6)
    assert (again.name, again.picture_limit, again.embedding_limit) == ("training", Limit(1, 2), Limit(3, 4))
    assert pack_groups([group]) == pack_groups([group])


@pytest.mark.parametrize("rows", [np.zeros((2, 8)), np.ones((9, 8))])
def test_too_few_or_equal_embeddings_have_no_statistics(rows: np.ndarray) -> None:
    with pytest.raises(ValueError, match="scans"):
        fit_familiarity(rows)


def test_statistics_that_cannot_be_are_refused() -> None:
    known = fit_familiarity(embeddings(50, 1))
    for broken in (
        {"mean": known.mean[:-1]},
        {"variances": known.variances * 0},
        {"components": known.components * np.nan},
        {"rest": 0.0},
        {"scale": known.scale * 0},
        {"scale": known.scale[:-1]},
    ):
        with pytest.raises(ValueError, match="known scans"):
            Familiarity(**{**vars(known), **broken})


@given(st.binary(max_size=200))
def test_bytes_that_are_no_statistics_are_an_error_of_a_known_kind(content: bytes) -> None:
    from zipfile import BadZipFile

    with pytest.raises((ValueError, KeyError, OSError, EOFError, BadZipFile)):
        read_groups(content, {"training": {}})


def test_figures_of_other_kinds_weigh_alike_where_that_is_asked_for() -> None:
    rows = embeddings(400, 1) * np.geomspace(1e-3, 1e3, 60)
    known = fit_familiarity(rows, components=5, standardise=True)
    distances = [known.distance(row) for row in embeddings(200, 2) * np.geomspace(1e-3, 1e3, 60)]
    assert np.mean(distances) == pytest.approx(1, abs=0.1)


@pytest.mark.parametrize("limits", [(2, 1), (0, 1), (1, float("inf")), (float("nan"), 1)])
def test_limits_out_of_order_are_refused(limits: tuple[float, float]) -> None:
    with pytest.raises(ValueError, match="out of order"):
        Limit(*limits)
