"""`oct-train`: train the networks, compare, measure and report on them, audit the data, or draw phantoms to train on.

One file a group of commands, imported in the order in which `--help` lists them. No TensorFlow before a command runs.
"""
# ruff: noqa: F401, I001

from oct_edge.console import run
from oct_trainer.cli.app import app
from oct_trainer.cli import train, crossval, measure, data


def main() -> None:
    run(app)
