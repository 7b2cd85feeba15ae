"""A .tflite file as typed tensors and operators, what they compute and what memory they need. No TensorFlow."""

from oct_converters.graph.memory import Arena, estimate_arena
from oct_converters.graph.operator import Operator
from oct_converters.graph.read import Graph, Port, read_graph, unpack
from oct_converters.graph.tensor import Quantization, Tensor, listed
from oct_converters.graph.work import multiply_adds

__all__ = [
    "Arena",
    "Graph",
    "Operator",
    "Port",
    "Quantization",
    "Tensor",
    "estimate_arena",
    "listed",
    "multiply_adds",
    "read_graph",
    "unpack",
]
