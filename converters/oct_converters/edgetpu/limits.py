"""What the Edge TPU asks of an operator, one function a limit: the reason why it is not met, or nothing.

The limits are those published at coral.ai/docs/edgetpu/models-intro ("Model requirements", "Supported operations").
One is not on that page: weights of a dense layer with one scale a channel. The compiler's last release (16.0, 2021)
is older than the converters that write them; the 8-bit specification of its time has one scale for such a tensor.
"""

from collections.abc import Callable

import numpy as np

from oct_converters.graph import Operator, Tensor

Limit = Callable[[Operator], str]
SOFTMAX_ELEMENTS = 16_000
_ACTIVATIONS = ("INT8", "UINT8")
_PARAMETERS = (*_ACTIVATIONS, "INT32")


def connected(operator: Operator) -> str:
    return "" if operator.inputs and operator.outputs else "it has no input or no output"


def static_size(operator: Operator) -> str:
    return next((f"{_called(t)} has a size that is known only at run time" for t in operator.tensors if t.dynamic), "")


def eight_bit(operator: Operator) -> str:
    for tensor in operator.tensors:
        if tensor.type not in (_ACTIVATIONS if tensor.constant is None else _PARAMETERS):
            return f"{_called(tensor)} is {tensor.type}, not 8-bit"
        if tensor.type in _ACTIVATIONS and tensor.quantization is None:
            return f"{_called(tensor)} has no quantization scale"
    return ""


def three_dimensions(operator: Operator) -> str:
    for tensor in operator.activations:
        if any(size > 1 for size in tensor.shape[:-3]):
            return f"{_called(tensor)} is {list(tensor.shape)}: only the three innermost dimensions may exceed 1"
    return ""


def constant_parameters(*indices: int) -> Limit:
    """The inputs at these places are weights, biases and the like."""

    def limit(operator: Operator) -> str:
        for tensor in map(operator.input, indices):
            if tensor is not None and tensor.constant is None:
                return f"{_called(tensor)} is a parameter and not constant"
        return ""

    return limit


def no_fused_activation(operator: Operator) -> str:
    return "it has a fused activation function" if operator.options.get("fusedActivationFunction") else ""


def equal_dilation(operator: Operator) -> str:
    x, y = (operator.options.get(f"dilation{axis}Factor", 1) for axis in "WH")
    return f"its dilation is {x} in x and {y} in y" if x != y else ""


def default_weights(operator: Operator) -> str:
    return "its weights are not in the default format" if operator.options.get("weightsFormat") else ""


def one_scale_for_weights(operator: Operator) -> str:
    weights = operator.input(1)
    if weights is None or weights.quantization is None or not weights.quantization.per_channel:
        return ""
    return (
        f"its weights have {len(weights.quantization.scales)} scales, one a channel, and not one for the whole tensor"
    )


def flat_output(operator: Operator) -> str:
    return _not_flat(operator.outputs[0])


def flat_softmax(operator: Operator) -> str:
    tensor = operator.input(0)
    if tensor is None:
        return ""
    size = int(np.prod(tensor.shape))
    too_many = f"{_called(tensor)} has {size} elements, {SOFTMAX_ELEMENTS} is the most"
    return _not_flat(tensor) or (too_many if size > SOFTMAX_ELEMENTS else "")


def flat_alpha(operator: Operator) -> str:
    return _not_flat(operator.input(1))


def axes_without_batch(operator: Operator) -> str:
    return "it reduces the batch dimension" if 0 in _axes(operator) else ""


def depth_in_fours(operator: Operator) -> str:
    tensor = operator.input(0)
    if tensor is None or len(tensor.shape) - 1 not in _axes(operator) or not tensor.shape[-1] % 4:
        return ""
    return f"it reduces a depth of {tensor.shape[-1]}, which is no multiple of 4"


def pads_without_batch(operator: Operator) -> str:
    return "it pads the batch dimension" if operator.constant(1)[:2].any() else ""


def packs_without_batch(operator: Operator) -> str:
    axis = operator.options.get("axis", 0)
    return "it packs the batch dimension" if axis in (0, -len(operator.outputs[0].shape)) else ""


def splits_without_batch(operator: Operator) -> str:
    batch = (0, -len(operator.outputs[0].shape))
    return "it splits the batch dimension" if bool(np.any(np.isin(operator.constant(0), batch))) else ""


def plain_slice(operator: Operator) -> str:
    if (operator.constant(3) != 1).any():
        return f"its strides are {operator.constant(3).tolist()}, not all 1"
    masks = [mask for mask in ("ellipsisMask", "newAxisMask") if operator.options.get(mask)]
    return f"it has a {masks[0]}" if masks else ""


def zeros_of_two(operator: Operator) -> str:
    constants = [tensor for tensor in operator.inputs if tensor is not None and tensor.constant is not None]
    if not constants:
        return ""
    if len(operator.inputs) != 2:
        return f"one of its {len(operator.inputs)} inputs is constant; with a constant there may be only two"
    quantization = constants[0].quantization
    zeros = np.all(constants[0].constant == (quantization.zero_points[0] if quantization else 0))
    return "" if zeros else "its constant input is not all zeros"


def _axes(operator: Operator) -> set[int]:
    tensor = operator.input(0)
    rank = len(tensor.shape) if tensor is not None else 0
    return {int(axis) % max(rank, 1) for axis in operator.constant(1)}


def _not_flat(tensor: Tensor | None) -> str:
    if tensor is None or not any(size > 1 for size in tensor.shape[:-1]):
        return ""
    return f"{_called(tensor)} is {list(tensor.shape)}, not one-dimensional"


def _called(tensor: Tensor) -> str:
    return f"`{tensor.name}`" if tensor.name else "a tensor without a name"
