"""Keras to TFLite: full-integer int8 for the device, float32 to compare it with."""

from typing import Any

import keras
import tensorflow as tf

from oct_converters.calibration import CalibrationSet
from oct_converters.flatbuffer import arrange_outputs, float_operators
from oct_edge.errors import CalibrationError, ModelUnfit
from oct_edge.preprocess import SIZE
from oct_edge.runtime import open_runtime
from oct_trainer.terminal import silenced

OUTPUTS = ("scores", "logits", "embedding")


def to_float32(model: keras.Model) -> bytes:
    """The network as a float32 .tflite, with the outputs of the model contract."""
    return arrange_outputs(_convert(tf.lite.TFLiteConverter.from_keras_model(_export(model))), OUTPUTS)


def to_int8(model: keras.Model, calibration: CalibrationSet) -> bytes:
    """The network as a full-integer .tflite: uint8 pixels in, uint8 scores and int8 logits and embedding out.

    Raises:
        CalibrationError: the calibration set was not consumed as a whole.
        ModelUnfit: the converter left a float operator, or an input scale that is not exactly 1.0.
    """
    converter = tf.lite.TFLiteConverter.from_keras_model(_export(model))
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = calibration.representative_dataset()
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = tf.uint8
    converter.inference_output_type = tf.uint8
    tflite = arrange_outputs(_convert(converter), OUTPUTS, int8=("logits", "embedding"))
    calibration.require_consumed()
    require_integer(tflite)
    return tflite


def require_integer(tflite: bytes) -> None:
    """Raise `ModelUnfit` or `CalibrationError` unless the model is an integer model of the contract."""
    floats = float_operators(tflite)
    if floats:
        raise ModelUnfit(f"operators that work on floats are left: {', '.join(sorted(set(floats)))}.")
    try:
        open_runtime(tflite, threads=1).require_contract()
    except ModelUnfit as error:
        raise CalibrationError(error.message, hint="The calibration pictures have to span 0..255.") from error


def _export(model: keras.Model) -> keras.Model:
    """The trained layers behind an input of fixed batch one, with all outputs of the contract."""
    pixels = keras.Input(batch_shape=(1, SIZE, SIZE, 3), name="pixels")
    inner = keras.Model(model.inputs, {name: model.get_layer(name).output for name in OUTPUTS})
    return keras.Model(pixels, inner(pixels))


def _convert(converter: Any) -> bytes:
    with silenced(1, 2):  # hundreds of lines, on both streams
        return bytes(converter.convert())
