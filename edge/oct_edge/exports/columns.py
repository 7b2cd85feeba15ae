"""A result as a line of a CSV file: what a person sorts and filters by. The whole result is in the JSON."""

from oct_edge.labels import LABELS
from oct_edge.result import Result
from oct_edge.spreadsheet import csv_line

COLUMNS = (
    *("time", "name", "sha256", "frame", "laterality", "status", "label", *(f"p_{label}" for label in LABELS)),
    *("referral", "p_urgent", "threshold", "reasons", "model", "model_sha256"),
)


def header() -> bytes:
    return csv_line(COLUMNS).encode()


def line(result: Result) -> bytes:
    """The cells of `COLUMNS`; those of a label are empty where there is none."""
    source, referral = result.source, result.referral
    probabilities = result.probabilities or {}
    cells = [
        *(result.time, source.name, source.sha256, source.frame, source.laterality, result.status, result.label),
        *(probabilities.get(label) for label in LABELS),
        *((referral.group, referral.p_urgent, referral.threshold) if referral else (None, None, None)),
        *(" ".join(reason.code for reason in result.reasons), result.model.name, result.model.sha256),
    ]
    return csv_line(cells).encode()
