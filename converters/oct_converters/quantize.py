"""Keras to TFLite: full-integer int8 for the device, float32 to compare it with."""

from typing import Any

import keras
import tensorflow as tf

from oct_converters.calibration import CalibrationSet
from oct_converters.export import export, outputs_of
from oct_converters.flatbuffer import arrange_outputs, float_operators
from oct_edge.errors import CalibrationError, ModelUnfit
from oct_edge.quiet import silenced
from oct_edge.runtime import open_runtime
from oct_trainer.run import first_line


def to_float32(model: keras.Model) -> bytes:
    """The network as a float32 .tflite, with the outputs of the model contract."""
    return arrange_outputs(_convert(tf.lite.TFLiteConverter.from_keras_model(export(model))), outputs_of(model))


def to_float16(model: keras.Model) -> bytes:
    """As `to_float32`, with weights of half the size; what is computed from them stays float32."""
    converter = tf.lite.TFLiteConverter.from_keras_model(export(model))
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.target_spec.supported_types = [tf.float16]
    return arrange_outputs(_convert(converter), outputs_of(model))


def to_int8(model: keras.Model, calibration: CalibrationSet, *, per_tensor_dense: bool = False) -> bytes:
    """The network as a full-integer .tflite: uint8 pixels in, uint8 outputs.

    MediaPipe refuses a model with an int8 output, so each is requantized to uint8: the same scale, 128 steps higher.

    `per_tensor_dense` gives the weights of a dense layer one scale instead of one a channel, for the Edge TPU.

    Raises:
        CalibrationError: the calibration set was not consumed as a whole.
        ModelUnfit: the converter left a float operator, or an input scale that is not exactly 1.0.
    """
    converter = tf.lite.TFLiteConverter.from_keras_model(export(model))
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = calibration.representative_dataset()
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = tf.uint8
    converter.inference_output_type = tf.uint8
    converter._experimental_disable_per_channel_quantization_for_dense_layers = per_tensor_dense
    tflite = arrange_outputs(_convert(converter), outputs_of(model))
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
        if "scale" not in error.message:
            raise
        raise CalibrationError(error.message, hint="The calibration pictures have to span 0..255.") from error


def _convert(converter: Any) -> bytes:
    try:
        with silenced(1, 2):  # hundreds of lines, on both streams
            return bytes(converter.convert())
    except Exception as error:  # TensorFlow has no common class for what the converter refuses
        raise ModelUnfit(f"TensorFlow cannot convert the network ({first_line(error)}).") from error
