"""Is the int8 model as good as its float parent?

The parent (Keras) and its descendants, the float32 .tflite and the int8 .tflite in every runtime that works here,
answer the same scans. Whether they answer alike needs no labels and is asked of every scan that did not calibrate;
whether the answers are as right is asked of held-out patients only, in pairs. Probabilities are compared before
temperature scaling. Gates decide; the report keeps the evidence, also of a refusal.
"""

from oct_converters.parity.answers import FLOAT32, KERAS, Answers, Reader, answer, begin, open_readers
from oct_converters.parity.compare import Comparison, Flip, compare
from oct_converters.parity.gates import Failure, Gates, failures
from oct_converters.parity.held_out import HeldOut, Urgency, hold_out

__all__ = [
    "FLOAT32",
    "KERAS",
    "Answers",
    "Comparison",
    "Failure",
    "Flip",
    "Gates",
    "HeldOut",
    "Reader",
    "Urgency",
    "answer",
    "begin",
    "compare",
    "failures",
    "hold_out",
    "open_readers",
]
