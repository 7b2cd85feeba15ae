"""`Scan` in, `Result` out: probabilities, calibration, decision, timing.

Probabilities come from the 8-bit logits, not from the uint8 softmax output, which saturates at 1/256: logits divided by
the card's temperature, then softmax. Before any class is named, the gate has to let the scan through: most of what is
no B-scan is turned away before the interpreter is asked.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

import numpy as np

from oct_edge.bundle import Bundle, SameClass, open_bundle
from oct_edge.decision import Decision, decision_of
from oct_edge.errors import MissingExtra, ScanError, SelfTestFailed
from oct_edge.gate.gate import Seen
from oct_edge.labels import LABELS
from oct_edge.preprocess import expand, to_grey
from oct_edge.reading import read_bytes
from oct_edge.result import ModelIdentity, Reason, Result, Source, Timing, rejected, ungradable, utc_now
from oct_edge.runtime import Runtime, open_runtime
from oct_edge.scan import Scan, decode_scan
from oct_models import DEFAULT

_MODEL_FAULT = Reason(
    "model_fault",
    "The model answered with no numbers, or with the same one for every class.",
    "Run `oct-edge models --check`; a model that fails its golden answers must be replaced.",
)


@dataclass(frozen=True, eq=False)
class Prepared:
    """A scan as the network takes it: uint8 `[1, 224, 224, 3]`, and the milliseconds from bytes to there.

    `seen` is what the gate saw of it so far.
    """

    tensor: np.ndarray
    seen: Seen
    source: Source
    decode_ms: float
    notes: tuple[str, ...] = ()


class Classifier:
    """A bundle in a runtime, ready to grade. Not thread-safe."""

    def __init__(self, bundle: Bundle, runtime: Runtime, decision: Decision | None = None) -> None:
        runtime.require_contract()
        self.bundle = bundle
        self.runtime = runtime
        self.decision = decision or decision_of(bundle)
        self.identity = ModelIdentity(bundle.name, bundle.sha256, runtime.identity)

    @classmethod
    def open(cls, model: str = DEFAULT, runtime: str = "auto", threads: int | None = None) -> "Classifier":
        """The classifier for a bundled model's name or a file.

        Raises:
            ModelError: the model is missing, damaged or breaks the contract.
            RuntimeUnavailable: the runtime that was asked for cannot be had.
        """
        bundle = open_bundle(model)
        return cls(bundle, open_runtime(bundle.content, runtime, threads))

    def classify_file(self, path: Path) -> Result:
        """The result for a file, `rejected` with its reason where it holds no scan."""
        try:
            data = read_bytes(path)
        except ScanError as error:
            return rejected(error, Source(path.name or str(path), None), self.identity)
        return self.classify_bytes(data, path.name)

    def classify_bytes(self, data: bytes, name: str) -> Result:
        """The result for the bytes of a file, `rejected` with its reason where they are no scan."""
        return self._finished(self.prepare(data, name))

    def classify(self, scan: Scan, *, decode_ms: float = 0.0) -> Result:
        """The result for a scan; `decode_ms` is the time already spent on reading it. Raises as `answer`."""
        return self._finished(self.admit(scan, decode_ms=decode_ms))

    def prepare(self, data: bytes, name: str) -> Prepared | Result:
        """What `answer` takes, or why there is no answer. Another thread may do this while the interpreter is busy."""
        start = perf_counter()
        try:
            scan = decode_scan(data, name)
        except (ScanError, MissingExtra) as error:
            return rejected(error, Source(name, hashlib.sha256(data).hexdigest()), self.identity)
        return self.admit(scan, decode_ms=(perf_counter() - start) * 1000)

    def admit(self, scan: Scan, *, decode_ms: float = 0.0) -> Prepared | Result:
        """The scan as `answer` takes it, if nothing speaks against it so far."""
        start = perf_counter()
        source = Source(scan.name, scan.sha256, scan.frame, scan.laterality)
        reason = self.bundle.gate.check_pixels(scan.pixels)
        if reason:
            return self._ungradable(reason, source, scan.notes)
        grey = to_grey(scan)
        seen = self.bundle.gate.look(grey)
        if isinstance(seen, Reason):
            return self._ungradable(seen, source, scan.notes)
        return Prepared(expand(grey), seen, source, decode_ms + (perf_counter() - start) * 1000, scan.notes)

    def answer(self, prepared: Prepared) -> Result:
        """The result for a scan, `ungradable` where the model's answer is none or the gate does not let it through.

        Raises:
            InferenceFailed: the interpreter failed, which says something about the device and not about the scan.
        """
        start = perf_counter()
        stored = self.runtime.invoke(prepared.tensor)
        logits, embedding = (self.runtime.outputs[name].dequantize(stored[name]) for name in ("logits", "embedding"))
        if not np.isfinite(logits).all() or (logits == logits[0]).all():
            return self._ungradable(_MODEL_FAULT, prepared.source, prepared.notes)
        verdict = self.bundle.gate.judge(prepared.seen, embedding)
        if verdict.refusal:
            return self._ungradable(verdict.refusal, prepared.source, prepared.notes)
        probabilities = self.decision.reweighted(self._calibrated(logits))
        inference_ms = (perf_counter() - start) * 1000
        referral, reasons = self.decision.refer(probabilities, verdict.doubt)
        return Result(
            time=utc_now(),
            source=prepared.source,
            status="classified",
            reasons=reasons,
            notes=(*prepared.notes, *verdict.notes),
            label=LABELS[int(probabilities.argmax())],
            probabilities={name: round(float(p), 4) for name, p in zip(LABELS, probabilities, strict=True)},
            referral=referral,
            model=self.identity,
            overrides=dict(self.decision.overrides),
            timing_ms=_timing(prepared.decode_ms, inference_ms),
        )

    def self_test(self) -> int:
        """Run the golden inputs; returns the largest difference in steps of the logits.

        Raises:
            SelfTestFailed: an answer is further away than the card allows: this model may not be served here.
        """
        answers = np.stack([self.runtime.invoke(expand(golden.grey))["logits"] for golden in self.bundle.golden])
        truth = np.stack([golden.logits for golden in self.bundle.golden])
        worst = int(np.abs(answers.astype(np.int16) - truth).max())
        allowed = self.bundle.tolerance_on(self.runtime.kind)
        if isinstance(allowed, SameClass):
            self._require_same_class(answers, truth, allowed)
        elif worst > allowed:
            raise self._failed_by(f"{worst} steps, {allowed} are allowed")
        return worst

    def _require_same_class(self, answers: np.ndarray, truth: np.ndarray, allowed: SameClass) -> None:
        given, known = (self._calibrated(self.runtime.outputs["logits"].dequantize(rows)) for rows in (answers, truth))
        changed = int((given.argmax(axis=-1) != known.argmax(axis=-1)).sum())
        dp = float(np.abs(given - known).max())
        if changed or dp > allowed.max_dp:
            raise self._failed_by(f"the class of {changed} and {dp:.3f} in probability, {allowed.max_dp} is allowed")

    def _failed_by(self, difference: str) -> SelfTestFailed:
        return SelfTestFailed(f"{self.bundle.name} on {self.identity.runtime}: golden answers differ by {difference}.")

    def _calibrated(self, logits: np.ndarray) -> np.ndarray:
        return softmax(logits / self.bundle.temperature)

    def _finished(self, prepared: Prepared | Result) -> Result:
        return prepared if isinstance(prepared, Result) else self.answer(prepared)

    def _ungradable(self, reason: Reason, source: Source, notes: tuple[str, ...]) -> Result:
        return ungradable(reason, source, self.identity, self.decision.threshold, notes)


def softmax(logits: np.ndarray) -> np.ndarray:
    """Over the last axis, in the dtype given."""
    shifted = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return np.asarray(shifted / shifted.sum(axis=-1, keepdims=True))


def _timing(decode: float, inference: float) -> Timing:
    return Timing(round(decode, 2), round(inference, 2), round(decode + inference, 2))
