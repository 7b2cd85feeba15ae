"""What memory the activations of a model need at least, from the order of its operators alone."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from oct_converters.graph.operator import Operator
from oct_converters.graph.tensor import Tensor

_ALIGNMENT = 64  # TFLite's kDefaultTensorAlignment


@dataclass(frozen=True)
class Arena:
    """`bytes` of activations are alive at once while the operator of index `operator` runs, more than at any other."""

    bytes: int
    operator: int


def estimate_arena(operators: Sequence[Operator], inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> Arena:
    """The peak of simultaneously live activations, run in the order of the file, each at a multiple of 64 bytes.

    The model's inputs are never overwritten and its outputs are kept, as TFLite's planner has it. A planner that
    leaves gaps needs more, one that computes in place less, and what kernels need besides is not in the file. With its
    reference kernels TFLite took exactly this for the bundled models. Its optimised ones unroll convolutions into a
    matrix beside it (4.3 times as much for `compact`), XNNPACK has a workspace and a copy of the weights in its own
    layout, an Edge TPU keeps what is between its operators on the chip. The interpreter and the program come on top.
    """
    lives = dict(_lives(operators, inputs, outputs))
    peak = Arena(sum(_aligned(tensor) for tensor, _, _ in lives.values()) if not operators else 0, 0)
    for operator in operators:
        alive = sum(_aligned(t) for t, first, last in lives.values() if first <= operator.index <= last)
        if alive > peak.bytes:
            peak = Arena(alive, operator.index)
    return peak


def _lives(
    operators: Sequence[Operator], inputs: Sequence[Tensor], outputs: Sequence[Tensor]
) -> Iterator[tuple[int, tuple[Tensor, int, int]]]:
    """Index of every activation, with itself and the first and last operator during which it has to be there."""
    first: dict[int, int] = {}
    last: dict[int, int] = {}
    tensors = {tensor.index: tensor for operator in operators for tensor in operator.activations}
    for operator in operators:
        for tensor in operator.activations:
            first.setdefault(tensor.index, operator.index)
            last[tensor.index] = operator.index
    end = len(operators)
    for tensor in (*inputs, *(t for t in tensors.values() if t.variable)):
        tensors[tensor.index], first[tensor.index], last[tensor.index] = tensor, 0, end
    for tensor in outputs:
        last[tensor.index] = end
    yield from ((index, (tensor, first[index], last[index])) for index, tensor in tensors.items())


def _aligned(tensor: Tensor) -> int:
    return -(-tensor.bytes // _ALIGNMENT) * _ALIGNMENT
