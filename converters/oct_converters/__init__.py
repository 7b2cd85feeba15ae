"""Keras models become proven int8 files.

tflite-runtime and TensorFlow work in one process only if tflite-runtime is loaded first (else its interpreter fails
with `vector::reserve`), so it is loaded here, before any module of this package can import TensorFlow.
"""

from contextlib import suppress
from importlib import import_module

with suppress(ImportError):
    import_module("tflite_runtime.interpreter")
