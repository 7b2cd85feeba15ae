"""What a data set is worth before hours are spent on it: who is in it, what is broken, whether a patient or a picture
stands on both sides of a split, and whether the file gives the class away. Nothing is refused and nothing is changed;
whatever is found is reported, in an order that depends on the data alone. No TensorFlow."""

from oct_trainer.audit.findings import Audit, run_audit
from oct_trainer.audit.report import rows

__all__ = ["Audit", "rows", "run_audit"]
