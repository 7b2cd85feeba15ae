"""How much memory does a model take in a process that loaded it and answered once?

    python benchmarks/model_memory.py RUNTIME KERNELS THREADS [MODEL]

is the process: it prints what it holds in the end as one JSON object, in bytes, from `/proc/self/smaps_rollup`. `uss`
are the pages that nobody else has, and `pss` counts this process's share of the others too. Without MODEL it only
imports what a process with one imports; `Memory` starts both, and takes the difference. It contains the bytes of the
file, from which the interpreter reads. The runtime's own code is shared with whoever else has it loaded.
"""

import json
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from typing import cast

import numpy as np

from oct_edge.preprocess import SIZE
from oct_edge.runtime import RUNTIMES, Kernels, open_runtime


class Memory:
    """Asks fresh processes; one without a model once a runtime."""

    def __init__(self, threads: int) -> None:
        self._threads = threads
        self._empty: dict[str, dict[str, int]] = {}

    def growth(self, model: Path, kind: str, kernels: str) -> dict[str, int]:
        """`pss_bytes` and `uss_bytes`."""
        if kind not in self._empty:
            self._empty[kind] = self._held(kind, kernels)
        loaded, empty = self._held(kind, kernels, model), self._empty[kind]
        return {f"{name}_bytes": loaded[name] - empty[name] for name in loaded}

    def _held(self, *arguments: object) -> dict[str, int]:
        kind, kernels, *model = map(str, arguments)
        command = [sys.executable, __file__, kind, kernels, str(self._threads), *model]
        return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)


def held() -> dict[str, int]:
    lines = Path("/proc/self/smaps_rollup").read_text().splitlines()[1:]
    kilobytes = {name: int(value.split()[0]) for name, value in (line.split(":", 1) for line in lines)}
    private = kilobytes["Private_Clean"] + kilobytes["Private_Dirty"]
    return {"pss": 1024 * kilobytes["Pss"], "uss": 1024 * private}


def main() -> None:
    kind, kernels, threads, *model = sys.argv[1:]
    import_module(RUNTIMES[kind].module)
    pixels = np.zeros((1, SIZE, SIZE, 3), np.uint8)
    if model:
        runtime = open_runtime(Path(model[0]).read_bytes(), kind, int(threads), cast(Kernels, kernels))
        runtime.invoke(pixels)
    print(json.dumps(held()))


if __name__ == "__main__":
    main()
