"""Figures from predictions, each with the uncertainty that few patients leave.

`labels` and `predicted` are int `[n]`, indices into `LABELS`; `probabilities` are float `[n, 4]` in that order;
`patients` names one person a scan. Every figure also takes `weights` `[..., n]`, how often each scan counts, and then
answers `[...]`: that is how patients are resampled. A figure that the data cannot give, because a class does not occur,
is NaN, and null in JSON. No TensorFlow, no scipy.
"""

from oct_trainer.metrics.bootstrap import RESAMPLES, Bootstrap, Estimate
from oct_trainer.metrics.calibration import (
    Reliability,
    as_logits,
    brier,
    expected_calibration_error,
    fit_temperature,
    mean_confidence,
    reliability,
    with_temperature,
)
from oct_trainer.metrics.confusion import (
    accuracy,
    balanced_accuracy,
    cohen_kappa,
    confusion_matrix,
    sensitivity,
    specificity,
)
from oct_trainer.metrics.paired import Paired, compare_paired, mcnemar, rate_difference
from oct_trainer.metrics.ranking import auc, roc_curve, urgent_probability
from oct_trainer.metrics.selective import aurc, risk_at, risk_coverage
from oct_trainer.metrics.summary import (
    COVERAGES,
    URGENT_THRESHOLD,
    calibration_errors,
    confidence,
    detection,
    evaluate,
    summarise,
)

__all__ = [
    "COVERAGES",
    "RESAMPLES",
    "URGENT_THRESHOLD",
    "Bootstrap",
    "Estimate",
    "Paired",
    "Reliability",
    "accuracy",
    "as_logits",
    "auc",
    "aurc",
    "balanced_accuracy",
    "brier",
    "calibration_errors",
    "cohen_kappa",
    "compare_paired",
    "confidence",
    "confusion_matrix",
    "detection",
    "evaluate",
    "expected_calibration_error",
    "fit_temperature",
    "mcnemar",
    "mean_confidence",
    "rate_difference",
    "reliability",
    "risk_at",
    "risk_coverage",
    "roc_curve",
    "sensitivity",
    "specificity",
    "summarise",
    "urgent_probability",
    "with_temperature",
]
