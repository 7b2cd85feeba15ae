"""Synthetic phantoms: procedural B-scans of a retina, with the signs of the four classes in a simple form and
the place of each known. They let anyone without the real scans run the whole pipeline; they are not data."""

from oct_trainer.phantom.dataset import write_dataset
from oct_trainer.phantom.draw import Phantom, render
from oct_trainer.phantom.signs import Box

__all__ = ["Box", "Phantom", "render", "write_dataset"]
