"""The operators that the Edge TPU takes, with their limits: the table of coral.ai/docs/edgetpu/models-intro.

Read for the newest runtime (14, of compiler 16.0). What is not listed runs on the CPU.
"""

from dataclasses import dataclass

from oct_converters.edgetpu import limits
from oct_converters.edgetpu.limits import Limit, constant_parameters
from oct_converters.graph import Operator

GENERAL: tuple[Limit, ...] = (limits.connected, limits.static_size, limits.eight_bit, limits.three_dimensions)
_CONVOLUTION = (constant_parameters(1, 2), limits.equal_dilation)
_RESIZE_DOUBT = "depending on its sizes it may be left on the CPU, to avoid loss in precision"
_SCALAR_DOUBT = "a constant without dimensions is not among the shapes that are published"


@dataclass(frozen=True)
class Support:
    """`limits` beyond the general ones; `doubt`: what the published text leaves open about every such operator."""

    limits: tuple[Limit, ...] = ()
    doubt: str = ""


SUPPORTED = {
    "ADD": Support(),
    "AVERAGE_POOL_2D": Support((limits.no_fused_activation,)),
    "CONCATENATION": Support((limits.no_fused_activation, limits.zeros_of_two)),
    "CONV_2D": Support(_CONVOLUTION),
    "DEPTHWISE_CONV_2D": Support(_CONVOLUTION),
    "EXPAND_DIMS": Support((constant_parameters(1),)),
    "FULLY_CONNECTED": Support(
        (constant_parameters(1, 2), limits.default_weights, limits.flat_output, limits.one_scale_for_weights)
    ),
    "L2_NORMALIZATION": Support(),
    "LOGISTIC": Support(),
    "MAXIMUM": Support(),
    "MAX_POOL_2D": Support((limits.no_fused_activation,)),
    "MEAN": Support((limits.axes_without_batch, limits.depth_in_fours)),
    "MINIMUM": Support(),
    "MUL": Support(),
    "PACK": Support((limits.packs_without_batch,)),
    "PAD": Support((limits.pads_without_batch,)),
    "PRELU": Support((constant_parameters(1), limits.flat_alpha)),
    "QUANTIZE": Support(),
    "REDUCE_MAX": Support((limits.axes_without_batch,)),
    "REDUCE_MIN": Support((limits.axes_without_batch,)),
    "RELU": Support(),
    "RELU6": Support(),
    "RELU_N1_TO_1": Support(),
    "RESHAPE": Support(doubt="a reshape of a large tensor may be left on the CPU"),
    "RESIZE_BILINEAR": Support(doubt=_RESIZE_DOUBT),
    "RESIZE_NEAREST_NEIGHBOR": Support(doubt=_RESIZE_DOUBT),
    "RSQRT": Support(),
    "SLICE": Support(),
    "SOFTMAX": Support((limits.flat_softmax,)),
    "SPACE_TO_DEPTH": Support(),
    "SPLIT": Support((limits.splits_without_batch,)),
    "SQUARED_DIFFERENCE": Support(),
    "SQUEEZE": Support(),
    "STRIDED_SLICE": Support((limits.plain_slice,)),
    "SUB": Support(),
    "SUM": Support((limits.axes_without_batch,)),
    "TANH": Support(),
    "TRANSPOSE": Support(),
    "TRANSPOSE_CONV": Support((constant_parameters(0, 1, 3),)),
    "UNIDIRECTIONAL_SEQUENCE_LSTM": Support(),
}


def obstacle(operator: Operator) -> str:
    """Why this operator, taken by itself, runs on the CPU; empty where the Edge TPU takes it."""
    support = SUPPORTED.get(operator.name)
    if support is None:
        return "the Edge TPU has no such operator"
    return next(filter(None, (limit(operator) for limit in (*GENERAL, *support.limits))), "")


def doubt(operator: Operator) -> str:
    """What the published text leaves open about this operator."""
    support = SUPPORTED.get(operator.name)
    if support and support.doubt:
        return support.doubt
    scalars = (tensor for tensor in operator.tensors if tensor.constant is not None and not tensor.shape)
    return _SCALAR_DOUBT if support and any(scalars) else ""
