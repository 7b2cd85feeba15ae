"""One interpreter interface over the TFLite runtimes, with a reason where one cannot be had.

LiteRT (`ai-edge-litert`) is the maintained runtime and the default; `tflite-runtime` is its last release under the old
name. Both have one API. Importing one proves little (with numpy 2, tflite-runtime imports and then fails), so a
runtime counts as available when it has built an interpreter of the model at hand.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module, metadata
from typing import Any, Literal

import numpy as np

from oct_edge.errors import InferenceFailed, ModelUnfit, RuntimeUnavailable
from oct_edge.labels import LABELS
from oct_edge.preprocess import SIZE
from oct_edge.quiet import silenced


@dataclass(frozen=True)
class Distribution:
    """Where a runtime comes from: `package` on PyPI, the `module` that holds `Interpreter`, and how to get it."""

    name: str
    package: str
    module: str
    hint: str


RUNTIMES = {
    "litert": Distribution(
        "litert",
        "ai-edge-litert",
        "ai_edge_litert.interpreter",
        "Reinstall it: `pip install ai-edge-litert`.",
    ),
    "tflite": Distribution(
        "tflite-runtime",
        "tflite-runtime",
        "tflite_runtime.interpreter",
        "Install `oct-edge[tflite]` into a Python 3.11 environment (it needs numpy<2), or use `--runtime litert`.",
    ),
}
KINDS = ("auto", *RUNTIMES)
DEFAULT_KIND = "litert"

Kernels = Literal["default", "builtin", "reference"]
"""What computes: what the runtime chooses by itself (XNNPACK, where it was built with it), its own optimised kernels,
or the reference kernels, which are slow and answer the same on every machine."""

_RESOLVERS = {  # the first that can prepare the model; XNNPACK refuses some extreme scales, which builtin kernels take
    "default": ("AUTO", "BUILTIN_WITHOUT_DEFAULT_DELEGATES"),
    "builtin": ("BUILTIN_WITHOUT_DEFAULT_DELEGATES",),
    "reference": ("BUILTIN_REF",),
}
_INSTEAD = {
    "AUTO": "",
    "BUILTIN_WITHOUT_DEFAULT_DELEGATES": " without XNNPACK",
    "BUILTIN_REF": " reference kernels",
}


@dataclass(frozen=True)
class Quantization:
    """`real = scale * (stored - zero_point)`."""

    scale: float
    zero_point: int

    def dequantize(self, stored: np.ndarray) -> np.ndarray:
        """float32 values; a float output (scale 0 in the file) is returned as it is."""
        if not self.scale:
            return stored
        return (stored.astype(np.float32) - self.zero_point) * np.float32(self.scale)


class Runtime:
    """A loaded model. Not thread-safe: one thread at a time may call `invoke`.

    `outputs` maps each signature output to its quantization; tensors are addressed by these names, never by index.
    """

    def __init__(self, model: bytes, distribution: Distribution, threads: int, kernels: Kernels = "default") -> None:
        self._distribution = distribution
        self._kernels = kernels
        self.threads = threads
        self._model = model  # the interpreter reads from these bytes as long as it lives
        self._interpreter, self._resolver = _interpreter(model, distribution, threads, kernels)
        signature = _signature(self._interpreter)
        self._input = next(iter(signature.get_input_details().values()))
        self._output_details = signature.get_output_details()
        self.outputs: Mapping[str, Quantization] = {
            name: Quantization(*detail["quantization"]) for name, detail in self._output_details.items()
        }

    @property
    def kind(self) -> str:
        """The key of `RUNTIMES` that this is."""
        return next(kind for kind, distribution in RUNTIMES.items() if distribution is self._distribution)

    @property
    def identity(self) -> str:
        """Name and version, and that it is not running with the kernels it would choose, where it is not."""
        return f"{self._distribution.name} {metadata.version(self._distribution.package)}{_INSTEAD[self._resolver]}"

    @property
    def fell_back(self) -> bool:
        """It was asked for the kernels that it would choose, and those cannot run the model."""
        return self._kernels == "default" and self._resolver != _RESOLVERS["default"][0]

    def require_contract(self) -> None:
        """Raise `ModelUnfit` unless this is a model that takes the pixels as they are and has the named outputs."""
        if self._input["dtype"] is not np.uint8 or tuple(self._input["shape"]) != (1, SIZE, SIZE, 3):
            given = f"{self._input['dtype'].__name__} {list(self._input['shape'])}"
            raise ModelUnfit(f"the input is {given}, not uint8 [1, {SIZE}, {SIZE}, 3].")
        if tuple(self._input["quantization"]) != (1.0, 0):
            raise ModelUnfit(f"the input has scale and zero point {self._input['quantization']}, not (1.0, 0).")
        for name in ("scores", "logits"):
            if tuple(self._output_details.get(name, {}).get("shape", ())) != (1, len(LABELS)):
                raise ModelUnfit(f"there is no output `{name}` of shape [1, {len(LABELS)}].")

    def invoke(self, tensor: np.ndarray) -> dict[str, np.ndarray]:
        """All outputs, as stored, without the batch axis, for one uint8 `[1, 224, 224, 3]` tensor.

        A float model gets the same numbers as float32.

        Raises:
            InferenceFailed: the interpreter refused or failed.
        """
        try:
            self._interpreter.set_tensor(self._input["index"], tensor.astype(self._input["dtype"], copy=False))
            self._interpreter.invoke()
            return {n: self._interpreter.get_tensor(d["index"])[0] for n, d in self._output_details.items()}
        except (RuntimeError, ValueError) as error:
            raise InferenceFailed(f"{self.identity} failed on a scan: {error}") from error

    def logits(self, tensor: np.ndarray) -> np.ndarray:
        """float32 `[4]` for one uint8 `[1, 224, 224, 3]` tensor. Raises as `invoke`."""
        return self.outputs["logits"].dequantize(self.invoke(tensor)["logits"])


def open_runtime(model: bytes, kind: str = "auto", threads: int | None = None, kernels: Kernels = "default") -> Runtime:
    """Load `model` (a .tflite file's bytes) into the runtime `kind`; `auto` is LiteRT.

    `threads` defaults to the processors this process may use, four at most.

    Raises:
        RuntimeUnavailable: that runtime is not known, not installed, or does not work here.
        ModelUnfit: the runtime cannot read or prepare the model.
    """
    if kind not in KINDS:
        raise RuntimeUnavailable(f"there is no runtime {kind!r}.", hint=f"Use one of {', '.join(KINDS)}.")
    return Runtime(model, RUNTIMES[DEFAULT_KIND if kind == "auto" else kind], threads or _cores(), kernels)


def installed_runtimes() -> dict[str, str]:
    """Kind to version of the runtimes whose packages are here (not proof that they work)."""
    found = {}
    for kind, distribution in RUNTIMES.items():
        try:
            found[kind] = metadata.version(distribution.package)
        except metadata.PackageNotFoundError:
            continue
    return found


def _cores() -> int:
    return min(4, len(os.sched_getaffinity(0)))


def _interpreter(model: bytes, distribution: Distribution, threads: int, kernels: Kernels) -> tuple[Any, str]:
    """The prepared interpreter, and the name of the op resolver that it took."""
    try:
        module = import_module(distribution.module)
    except ImportError as error:
        raise RuntimeUnavailable(
            f"{distribution.package} is not installed ({error}).", hint=distribution.hint
        ) from error
    for resolver in _RESOLVERS[kernels]:
        try:
            with silenced(2):  # XNNPACK announces itself
                interpreter = module.Interpreter(
                    model_content=model,
                    num_threads=threads,
                    experimental_op_resolver_type=module.OpResolverType[resolver],
                )
                interpreter.allocate_tensors()
            return interpreter, resolver
        except ValueError as error:
            raise ModelUnfit(f"{distribution.package} cannot read the model ({error}).") from error
        except SystemError as error:
            raise RuntimeUnavailable(
                f"{distribution.package} is installed but does not work with numpy {np.__version__}.",
                hint=distribution.hint,
            ) from error
        except RuntimeError as error:
            failure = error
    raise ModelUnfit(f"{distribution.package} cannot prepare the model ({failure}).") from failure


def _signature(interpreter: Any) -> Any:
    try:
        return interpreter.get_signature_runner()
    except ValueError as error:
        raise ModelUnfit("the model does not name its input and outputs in one signature.") from error
