"""From logits to a decision: the referral rules, and what keeps a model from serving."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from oct_edge.bundle import Bundle, Golden, SameClass
from oct_edge.classifier import Classifier, softmax
from oct_edge.errors import SelfTestFailed
from oct_edge.gate.gate import Seen, Verdict
from oct_edge.labels import BASIS, LABELS
from oct_edge.result import Reason, Referral, Result
from oct_edge.runtime import Quantization, open_runtime
from oct_edge.scan import Scan, read_scan

SCAN = Scan(np.zeros((496, 512), np.uint8), "ab" * 32, "drawn.png", frame=3, laterality="L")


class FakeRuntime:
    """An interpreter that gives the logits it was made with, whatever it is shown."""

    identity = "fake 0"
    outputs = dict.fromkeys(("logits", "embedding"), Quantization(0.0, 0))

    def __init__(self, logits: np.ndarray) -> None:
        self._logits = logits

    def require_contract(self) -> None:
        pass

    def invoke(self, tensor: np.ndarray) -> dict[str, np.ndarray]:
        return {"logits": self._logits, "embedding": np.zeros(4)}


class Open:
    """A gate that lets everything through, or says what it was made with."""

    def __init__(self, verdict: Verdict) -> None:
        self._verdict = verdict

    def check_pixels(self, pixels: np.ndarray) -> None:
        return None

    def look(self, grey: np.ndarray) -> Seen:
        return Seen((), frozenset())

    def judge(self, seen: Seen, embedding: np.ndarray) -> Verdict:
        return self._verdict


def grade(
    bundle: Bundle,
    logits: np.ndarray,
    *,
    threshold: float = 0.5,
    confidence: float = 0.5,
    temperature: float = 1.0,
    verdict: Verdict = Verdict(),  # noqa: B008  it is frozen
) -> Result:
    point = replace(bundle, temperature=temperature, urgent_threshold=threshold, min_confidence=confidence)
    point = replace(point, gate=Open(verdict))  # type: ignore[arg-type]
    return Classifier(point, FakeRuntime(logits)).classify(SCAN)  # type: ignore[arg-type]


def logits_for(*probabilities: float) -> np.ndarray:
    return np.log(np.maximum(probabilities, 1e-30))


@pytest.mark.parametrize(
    ("probabilities", "threshold", "label", "group"),
    [
        pytest.param((0.40, 0.40, 0.00, 0.20), 0.50, "CNV", "urgent", id="two urgent classes add up"),
        pytest.param((0.25, 0.20, 0.00, 0.55), 0.40, "NORMAL", "urgent", id="urgent against the label"),
        pytest.param((0.00, 0.50, 0.50, 0.00), 0.50, "DME", "urgent", id="the threshold itself is urgent"),
        pytest.param((0.20, 0.15, 0.35, 0.30), 0.31, "DRUSEN", "urgent", id="urgent wins over abstention"),
        pytest.param((0.30, 0.15, 0.30, 0.25), 0.50, "CNV", "human_review", id="no group is likely enough"),
        pytest.param((0.10, 0.10, 0.70, 0.10), 0.50, "DRUSEN", "routine", id="drusen"),
        pytest.param((0.05, 0.05, 0.00, 0.90), 0.50, "NORMAL", "observe", id="normal"),
        pytest.param((0.05, 0.05, 0.40, 0.50), 0.50, "NORMAL", "observe", id="the least confidence is enough"),
    ],
)
def test_the_referral_follows_the_rules(
    bundle: Bundle, probabilities: tuple[float, ...], threshold: float, label: str, group: str
) -> None:
    result = grade(bundle, logits_for(*probabilities), threshold=threshold)
    assert result.referral is not None
    assert (result.status, result.label, result.referral.group) == ("classified", label, group)
    assert result.referral.p_urgent == pytest.approx(probabilities[0] + probabilities[1], abs=1e-4)
    assert (result.referral.threshold, result.referral.basis) == (threshold, BASIS)
    assert [reason.code for reason in result.reasons] == ["low_confidence"] * (group == "human_review")


def test_a_low_confidence_keeps_the_label_and_says_what_would_have_been_enough(bundle: Bundle) -> None:
    (reason,) = grade(bundle, logits_for(0.1, 0.1, 0.41, 0.39), confidence=0.6).reasons
    assert "0.41" in reason.message
    assert "0.60" in reason.message
    assert reason.hint


def test_the_referral_is_decided_on_the_figure_that_is_printed(bundle: Bundle) -> None:
    referral = grade(bundle, logits_for(0.49996, 0.0, 0.0, 0.50004)).referral
    assert referral is not None
    assert (referral.p_urgent, referral.group) == (0.5, "urgent")


@given(logits=arrays(np.float32, 4, elements=st.floats(-1e4, 1e4, width=32)), threshold=st.floats(0.05, 0.5))
def test_any_finite_logits_give_a_consistent_answer(bundle: Bundle, logits: np.ndarray, threshold: float) -> None:
    assume(len(set(logits.tolist())) > 1)
    result = grade(bundle, logits, threshold=threshold)
    assert result.probabilities is not None
    assert result.referral is not None
    assert list(result.probabilities) == list(LABELS)
    assert sum(result.probabilities.values()) == pytest.approx(1, abs=3e-4)
    assert result.probabilities[result.label or ""] == max(result.probabilities.values())
    assert (result.referral.group == "urgent") == (result.referral.p_urgent >= threshold)
    json.loads(result.to_json())


def test_a_higher_temperature_is_less_sure_of_the_same_label(bundle: Bundle) -> None:
    logits = np.array([1, 4, 2, 3], np.float32)
    cold, warm = grade(bundle, logits), grade(bundle, logits, temperature=3)
    assert cold.label == warm.label == "DME"
    assert cold.probabilities is not None
    assert warm.probabilities is not None
    assert cold.probabilities["DME"] > warm.probabilities["DME"]
    assert cold.probabilities["DME"] == pytest.approx(float(softmax(logits)[1]), abs=1e-4)


def test_a_doubt_leaves_the_answer_to_a_person_and_hides_no_urgent_suspicion(bundle: Bundle) -> None:
    doubt = Reason("unfamiliar", "Unlike most.", "Have a person read it.")
    groups = []
    for probabilities in ((0.05, 0.05, 0.0, 0.9), (0.6, 0.2, 0.0, 0.2)):
        result = grade(bundle, logits_for(*probabilities), verdict=Verdict(doubt=doubt, notes=("a note",)))
        assert result.referral is not None
        assert (result.status, result.reasons, result.notes) == ("classified", (doubt,), ("a note",))
        groups.append(result.referral.group)
    assert groups == ["human_review", "urgent"]


def test_what_the_gate_refuses_has_no_class(bundle: Bundle) -> None:
    refusal = Reason("not_oct", "Not one.", "Another.")
    result = grade(bundle, logits_for(0.9, 0.1, 0.0, 0.0), verdict=Verdict(refusal=refusal))
    assert (result.status, result.reasons) == ("ungradable", (refusal,))
    assert (result.label, result.probabilities) == (None, None)
    assert result.referral == Referral("human_review", None, 0.5)


@pytest.mark.parametrize("logits", [[np.nan, 0, 0, 0], [np.inf, np.inf, 0, 0], [0.5] * 4], ids=str)
def test_an_answer_that_is_none_is_a_fault_of_the_model_and_not_its_first_class(bundle: Bundle, logits: list) -> None:
    result = grade(bundle, np.array(logits, np.float32))
    assert (result.status, [reason.code for reason in result.reasons]) == ("ungradable", ["model_fault"])
    assert (result.label, result.probabilities) == (None, None)
    assert result.referral == Referral("human_review", None, 0.5)
    assert Result.from_json(result.to_json()) == result


def test_a_result_carries_the_identity_of_its_scan_and_its_model(classifier: Classifier, samples: list[Path]) -> None:
    scan = replace(read_scan(samples[0]), frame=3, laterality="L")
    result = classifier.classify(scan, decode_ms=5.0)
    assert (result.source.name, result.source.sha256) == (samples[0].name, scan.sha256)
    assert (result.source.frame, result.source.laterality) == (3, "L")
    assert result.model == classifier.identity
    assert result.timing_ms is not None
    assert result.timing_ms.decode >= 5
    assert result.timing_ms.total == pytest.approx(result.timing_ms.decode + result.timing_ms.inference, abs=0.02)


def test_a_file_its_bytes_and_its_scan_get_the_same_answer(classifier: Classifier, samples: list[Path]) -> None:
    path = samples[0]
    answers = {
        json.dumps(result.probabilities)
        for result in (
            classifier.classify_file(path),
            classifier.classify_bytes(path.read_bytes(), path.name),
            classifier.classify(read_scan(path)),
        )
    }
    assert len(answers) == 1


def test_a_damaged_file_is_rejected_with_the_digest_of_its_bytes(
    classifier: Classifier, samples: list[Path], tmp_path: Path
) -> None:
    path = tmp_path / "cut.jpeg"
    path.write_bytes(samples[0].read_bytes()[:9000])
    result = classifier.classify_file(path)
    assert (result.status, result.reasons[0].code) == ("rejected", "damaged_image")
    assert (result.label, result.probabilities, result.referral) == (None, None, None)
    assert len(result.source.sha256 or "") == 64


def test_what_cannot_be_read_is_rejected_without_a_digest(classifier: Classifier, tmp_path: Path) -> None:
    result = classifier.classify_file(tmp_path / "gone.jpeg")
    assert (result.status, result.reasons[0].code, result.source.sha256) == ("rejected", "not_found", None)


def test_the_current_folder_has_a_name_in_its_rejection(classifier: Classifier) -> None:
    assert classifier.classify_file(Path()).source.name == "."


@pytest.mark.parametrize("kind", ["litert", "tflite"])
def test_the_self_test_passes_within_the_tolerance_of_the_card(bundle: Bundle, kind: str) -> None:
    if kind == "tflite":
        pytest.importorskip("tflite_runtime")
    assert Classifier(bundle, open_runtime(bundle.content, kind)).self_test() <= bundle.tolerance_on(kind)


def test_a_model_that_does_not_give_its_golden_answers_fails_the_self_test(classifier: Classifier) -> None:
    bundle = classifier.bundle
    altered = replace(bundle.golden[-1], logits=bundle.golden[-1].logits[::-1] + 2 * bundle.tolerance_on("litert"))
    other = Classifier(replace(bundle, golden=(*bundle.golden[:-1], altered)), classifier.runtime)
    with pytest.raises(SelfTestFailed, match=r"differ by \d+ steps"):
        other.self_test()


def test_the_bundled_model_is_as_good_on_the_real_test_scans_as_its_card_says(
    classifier: Classifier, oct2017: Path
) -> None:
    paths = sorted(oct2017.glob("test/*/*.jpeg"))
    right = sum(classifier.classify_file(path).label == path.parent.name for path in paths)
    promised = classifier.bundle.card["metrics"]["int8"]["test"]
    assert len(paths) == promised["scans"]
    assert right / len(paths) == pytest.approx(promised["accuracy"]["value"], abs=1.5 / len(paths))


def held_to_class(classifier: Classifier, answers: tuple[Golden, ...], max_dp: float = 0.05) -> Classifier:
    """The classifier with other golden answers, held to class and probability as on an Edge TPU."""
    bundle = replace(classifier.bundle, golden=answers, golden_tolerance={"edgetpu": SameClass(max_dp)})
    return Classifier(bundle, classifier.runtime)


def shifted(golden: Golden, steps: list[int]) -> Golden:
    return replace(golden, logits=golden.logits + np.array(steps, np.int16))


def test_an_edge_tpu_may_differ_by_steps_but_not_in_class_or_probability(classifier: Classifier) -> None:
    """On CPU kernels, with golden answers moved instead of the kernels'."""
    golden = classifier.bundle.golden
    assert held_to_class(classifier, golden).self_test() <= classifier.bundle.tolerance_on("litert")
    together = tuple(shifted(answer, [20] * 4) for answer in golden)
    assert held_to_class(classifier, together).self_test() > classifier.bundle.tolerance_on("litert")
    other_class = (*golden[:-1], replace(golden[-1], logits=golden[-1].logits[::-1]))
    with pytest.raises(SelfTestFailed, match=r"differ by the class of 1 and \d\.\d+ in probability, 0\.05 is allowed"):
        held_to_class(classifier, other_class).self_test()


def test_a_probability_that_moves_too_far_fails_though_the_class_stays(classifier: Classifier) -> None:
    golden = classifier.bundle.golden[0]
    scale = classifier.runtime.outputs["logits"].scale / classifier.bundle.temperature
    second, first = np.sort(golden.logits)[-2:]
    closer = shifted(golden, [second + 2 - first if i == golden.logits.argmax() else 0 for i in range(4)])
    p, q = (softmax(each.logits * scale).max() for each in (golden, closer))
    assert p - q > 0.05
    with pytest.raises(SelfTestFailed, match="class of 0 and"):
        held_to_class(classifier, (closer,)).self_test()
    held_to_class(classifier, (closer,), max_dp=float(p - q) + 0.02).self_test()
