"""The sections that are read from the model itself, not from its card: what goes in and out, runs, and takes memory."""

from collections.abc import Iterator

from oct_converters.graph import Graph, Operator, Port, Tensor
from oct_converters.inspection.document import Facts, Section, Table, Text

_MIB = 2**20


def graph_sections(graph: Graph) -> Iterator[Section]:
    """Inputs and outputs, needs, operators."""
    yield Section("Inputs and outputs", (Table(("", "name", "shape", "type", "scale", "zero point"), _ports(graph)),))
    yield Section(
        "Work and memory",
        (
            Facts(tuple(_needs(graph))),
            Text(
                "Activations: the most that are alive at once, in the order of the operators. A runtime's planner and "
                "kernels may need more; the interpreter and the program come on top."
            ),
        ),
    )
    header = ("", "operator", "input", "output", "weights", "multiply-adds")
    yield Section("Operators", (Table(header, tuple(map(_row, graph.operators, graph.work))),))


def _ports(graph: Graph) -> tuple[tuple[str, ...], ...]:
    return (
        *(_port("input", port) for port in graph.inputs),
        *(_port("output", port) for port in graph.outputs),
    )


def _port(way: str, port: Port) -> tuple[str, ...]:
    found = port.tensor.quantization
    scale, zero_point = (f"{found.scales[0]:.6g}", str(found.zero_points[0])) if found else ("", "")
    return way, port.name, _shape(port.tensor), port.tensor.type.lower(), scale, zero_point


def _needs(graph: Graph) -> Iterator[tuple[str, str]]:
    yield "operators", ", ".join(f"{count} {name}" for name, count in graph.kinds.items())
    yield "on floating-point numbers", f"{graph.float_operators} of {len(graph.operators)}"
    more = f", and what {', '.join(graph.uncounted)} does: the file does not tell" if graph.uncounted else ""
    yield "multiply-adds", f"{graph.multiply_adds:,}{more}"
    yield "constants", _mib(graph.weight_bytes)
    if graph.custom_bytes:
        yield "inside custom operators", _mib(graph.custom_bytes)
    busiest = graph.operators[graph.arena.operator].name if graph.operators else ""
    yield "activations", f"{_mib(graph.arena.bytes)} at operator {graph.arena.operator} ({busiest})"
    if graph.subgraphs > 1:
        yield "subgraphs", f"{graph.subgraphs}; only the main one is listed"


def _row(operator: Operator, work: int | None) -> tuple[str, ...]:
    source = next((tensor for tensor in operator.activations if tensor not in operator.outputs), None)
    return (
        str(operator.index),
        f"{operator.name} + {operator.fused}" if operator.fused else operator.name,
        _tensor(source),
        _tensor(operator.outputs[0] if operator.outputs else None),
        _weights(operator.weights),
        "not known" if work is None else f"{work:,}",
    )


def _tensor(tensor: Tensor | None) -> str:
    return f"{_shape(tensor)} {tensor.type.lower()}" if tensor else ""


def _weights(tensor: Tensor | None) -> str:
    if tensor is None:
        return ""
    scales = tensor.quantization
    kind = "" if scales is None else ", per channel" if scales.per_channel else ", per tensor"
    return f"{_tensor(tensor)}{kind}"


def _shape(tensor: Tensor) -> str:
    return "x".join(map(str, tensor.shape)) or "scalar"


def _mib(count: int) -> str:
    return f"{count / _MIB:.2f} MiB ({count:,} bytes)"
