"""Known scans get a class, everything else a reason: on the bundled models, and on groups made for the test."""

import json
import zipfile
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from oct_edge.bundle import CARD, LABELS_FILE, Bundle, pack, read_bundle
from oct_edge.classifier import Classifier
from oct_edge.gate.familiarity import fit_familiarity
from oct_edge.gate.gate import SYNTHETIC, Gate, Seen
from oct_edge.gate.known import PHANTOMS, TRAINING, Group, Limit
from oct_edge.gate.picture import features, features_both_ways
from oct_edge.gate.pixels import PixelLimits
from oct_edge.preprocess import to_grey
from oct_edge.result import Reason, Result
from oct_edge.scan import Scan, decode_scan, read_scan
from oct_models import bundled_models
from oct_trainer.negatives import CHANGED, MADE, with_bit_errors

COUNT = 24


@pytest.fixture(scope="module", params=sorted(bundled_models()))
def grading(request: pytest.FixtureRequest) -> Classifier:
    return Classifier.open(request.param)


def graded(classifier: Classifier, pixels: np.ndarray) -> Result:
    return classifier.classify(Scan(np.ascontiguousarray(pixels), "0" * 64, "x"))


def without_class(results: list[Result]) -> int:
    for result in results:
        assert (result.label is None) == (result.status == "ungradable")
        assert result.reasons or result.status == "classified"
    return sum(result.status == "ungradable" for result in results)


def test_samples_get_a_class(grading: Classifier, samples: list[Path]) -> None:
    assert without_class([graded(grading, read_scan(path).pixels) for path in samples]) == 0


@pytest.mark.parametrize("kind", MADE)
def test_pictures_made_of_nothing_get_none(grading: Classifier, kind: str) -> None:
    rng = np.random.default_rng(7)
    assert without_class([graded(grading, MADE[kind](rng)) for _ in range(COUNT)]) == COUNT


@pytest.mark.parametrize("kind", CHANGED)
def test_real_scans_that_are_changed_beyond_use_get_none(
    grading: Classifier, kind: str, real: list[np.ndarray]
) -> None:
    """Of small pieces one in seven may pass: 119 of 129 test scans did not with `compact` (docs/gate.md)."""
    rng = np.random.default_rng(7)
    results = [graded(grading, CHANGED[kind](pixels, rng)) for pixels in real[:COUNT]]
    assert without_class(results) >= (0.85 if kind == "cut out" else 0.95) * COUNT


def test_an_upside_down_scan_is_told_what_it_is(grading: Classifier, real: list[np.ndarray]) -> None:
    codes = [graded(grading, pixels[::-1]).reasons[0].code for pixels in real[:COUNT]]
    assert codes.count("upside_down") >= 0.9 * COUNT


def test_real_scans_get_a_class_and_hardly_a_doubt(grading: Classifier, real: list[np.ndarray]) -> None:
    results = [graded(grading, pixels) for pixels in real]
    assert without_class(results) <= 0.04 * len(results)
    assert sum("unfamiliar" in [reason.code for reason in result.reasons] for result in results) <= 0.06 * len(results)
    assert sum(SYNTHETIC in result.notes for result in results) <= 0.02 * len(results)


def test_bit_errors_in_the_middle_of_a_real_scan_are_seen(classifier: Classifier, oct2017: Path) -> None:
    """Those that change one pixel in fifty or more; 120 of 126 are (docs/gate.md)."""
    rng, statuses = np.random.default_rng(7), []
    for path in sorted(oct2017.glob("test/*/*.jpeg"))[::4]:
        data = with_bit_errors(path.read_bytes(), rng)
        result = classifier.classify_bytes(data, "x")
        if result.status == "rejected" or changes(path, data) >= 0.02:
            statuses.append(result.status)
    assert len(statuses) > 25
    assert statuses.count("classified") <= 0.15 * len(statuses)


def changes(path: Path, data: bytes) -> float:
    """The share of the pixels that are plainly others in the changed file."""
    before, after = read_scan(path).pixels.astype(int), decode_scan(data, "x").pixels
    return float((np.abs(before - after) > 25).mean())


def test_photographs_and_radiographs_get_none(classifier: Classifier, negatives: Path) -> None:
    pictures = [path for path in negatives.rglob("*") if path.suffix in (".jpg", ".png", ".bmp")]
    assert len(pictures) >= 8
    results = [graded(classifier, np.asarray(Image.open(path).convert("L"))) for path in pictures]
    assert without_class(results) == len(pictures)


def known(name: str, offset: float, width: int = 8) -> Group:
    rows = np.random.default_rng(3).normal(offset, 1, (200, width))
    picture = fit_familiarity(np.random.default_rng(4).normal(offset, 1, (200, 33)))
    return Group(name, picture, fit_familiarity(rows), Limit(1.5, 3.0), Limit(1.5, 3.0))


def embedding(group: Group, distance: float) -> np.ndarray:
    """Figures that are so far from a group, in a direction it never went."""
    away = np.zeros(8)
    away[0] = 1.0
    unit = group.embedding.distance(group.embedding.mean + away)
    return np.asarray(group.embedding.mean + away * distance / unit)


@pytest.mark.parametrize(
    ("distance", "refused", "doubted"), [(1.0, False, False), (2.0, False, True), (4.0, True, False)]
)
def test_the_limits_of_the_embedding_part_known_doubtful_and_foreign(
    distance: float, refused: bool, doubted: bool
) -> None:
    group = known(TRAINING, 0.0)
    verdict = Gate(PixelLimits(), (group,)).judge(Seen((group,), frozenset()), embedding(group, distance))
    assert (verdict.refusal is not None, verdict.doubt is not None) == (refused, doubted)


def test_a_doubtful_picture_stays_doubtful_whatever_its_embedding() -> None:
    group = known(TRAINING, 0.0)
    gate = Gate(PixelLimits(), (group,))
    verdict = gate.judge(Seen((group,), frozenset([TRAINING])), embedding(group, 1.0))
    assert verdict.doubt is not None


def test_what_is_like_a_phantom_and_like_no_real_scan_is_called_so() -> None:
    real, synthetic = known(TRAINING, 0.0), known(PHANTOMS, 50.0)
    gate = Gate(PixelLimits(), (real, synthetic))
    seen = Seen((real, synthetic), frozenset())
    assert gate.judge(seen, embedding(synthetic, 1.0)).notes == (SYNTHETIC,)
    assert gate.judge(seen, embedding(real, 1.0)).notes == ()


def test_a_model_that_knows_no_scans_is_only_asked_about_pixels(bundle: Bundle, samples: list[Path]) -> None:
    gate = Gate(PixelLimits(), ())
    grey = np.random.default_rng(0).integers(0, 255, (224, 224), np.uint8)
    seen = gate.look(grey)
    assert isinstance(seen, Seen)
    assert gate.judge(seen, np.zeros(4)).refusal is None
    assert gate.check_pixels(np.zeros((496, 512), np.uint8)) is not None


def test_the_limits_are_those_of_the_card(bundle: Bundle, samples: list[Path]) -> None:
    """Nothing passes a gate whose limits are next to nothing."""
    card = json.loads(json.dumps(bundle.card))
    for limits in card["gate"]["groups"].values():
        limits["picture"] = {"doubtful": 1e-6, "foreign": 1e-6}
    strict = open_with(bundle, card)
    seen = strict.gate.look(to_grey(read_scan(samples[0])))
    assert isinstance(seen, Reason)
    assert seen.code == "not_oct"
    card["gate"]["pixels"]["min_side"] = 1000
    reason = open_with(bundle, card).gate.check_pixels(read_scan(samples[0]).pixels)
    assert reason is not None
    assert reason.code == "too_small"


def open_with(bundle: Bundle, card: dict) -> Bundle:
    with zipfile.ZipFile(BytesIO(bundle.content)) as tail:
        files = {name: tail.read(name) for name in tail.namelist() if name not in (CARD, LABELS_FILE)}
    return read_bundle(pack(bundle.content[: card["tflite"]["bytes"]], card, files), "changed")


def test_figures_upside_down_are_those_of_the_picture_upside_down(samples: list[Path]) -> None:
    grey = to_grey(read_scan(samples[0]))
    upright, turned = features_both_ways(grey)
    np.testing.assert_allclose(upright, features(grey))
    np.testing.assert_allclose(turned, features(np.ascontiguousarray(grey[::-1])))
    assert not np.allclose(upright, turned)


def test_any_picture_has_finite_figures() -> None:
    for grey in (np.zeros((224, 224), np.uint8), np.full((224, 224), 255, np.uint8)):
        assert np.isfinite(features(grey)).all()
    assert features(np.zeros((224, 224), np.uint8)).shape == (33,)
