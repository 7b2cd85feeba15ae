"""All finished runs of a folder on one page that needs nothing else: figures, plots and mistakes, side by side.

The page holds its own style and pictures, loads nothing and runs nothing. Its figures are computed from each run's
`predictions.csv`, so runs of any age are measured alike. No TensorFlow.
"""

from oct_trainer.report.page import write_report

__all__ = ["write_report"]
