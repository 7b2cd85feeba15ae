"""Print, as JSON, what this machine answers: every bundled model and sample on the runtimes and kernels asked for.

Run on the workstation and inside each emulated root; `compare.py` holds the outputs against each other. What is kept
of an answer is what the network stored, int8 and uint8, before any floating-point arithmetic. The digest of the input
tensor stands beside it, so that a decoder or resize that differs is not taken for a kernel that does.
"""

import argparse
import hashlib
import json
import os
import platform
from collections.abc import Iterator
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray

from oct_edge.bundle import Bundle, open_bundle
from oct_edge.preprocess import to_tensor
from oct_edge.runtime import RUNTIMES, Kernels, Runtime, open_runtime
from oct_edge.scan import read_scan
from oct_models import bundled_models, sample_scans


def answers(runtimes: list[str], kernels: list[Kernels]) -> Iterator[dict[str, Any]]:
    """One record for each model, runtime, kind of kernels and sample."""
    tensors = {path.name: to_tensor(read_scan(path)) for path in sample_scans()}
    for bundle in map(open_bundle, bundled_models()):
        for kind in runtimes:
            for choice in kernels:
                runtime = open_runtime(bundle.content, kind, kernels=choice)
                for scan, tensor in tensors.items():
                    yield _record(bundle, runtime, kind, choice, scan, tensor)


def _record(
    bundle: Bundle, runtime: Runtime, kind: str, kernels: Kernels, scan: str, tensor: NDArray[np.uint8]
) -> dict[str, Any]:
    return {
        "model": bundle.name,
        "sha256": bundle.sha256,
        "tolerance": bundle.tolerance_on(kind),
        "runtime": kind,
        "version": runtime.identity,
        "kernels": kernels,
        "scan": scan,
        "input": hashlib.sha256(tensor.tobytes()).hexdigest(),
        "outputs": {name: stored.tolist() for name, stored in runtime.invoke(tensor).items()},
    }


def machine() -> dict[str, str]:
    """Where these answers were given; `cpu` is what was emulated, or nothing where nothing was."""
    return {
        "machine": platform.machine(),
        "cpu": os.environ.get("QEMU_CPU", ""),
        "python": platform.python_version(),
        "numpy": np.__version__,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runtimes", nargs="+", choices=RUNTIMES, required=True)
    parser.add_argument("--kernels", nargs="+", choices=get_args(Kernels), required=True)
    chosen = parser.parse_args()
    print(json.dumps({**machine(), "answers": list(answers(chosen.runtimes, chosen.kernels))}))


if __name__ == "__main__":
    main()
