"""The process that reads mutations, and may die of one: `python -m fuzz.attempt READER SERIES FIRST MEMORY`.

It says each number before it tries it, and afterwards how that went, so that whoever listens knows which one it was
that it crashed on, hung on, or took too much memory for.
"""

import re
import sys
from importlib import import_module
from pathlib import Path
from time import perf_counter

from fuzz.mutate import mutation
from fuzz.pictures import seeds
from oct_edge.errors import ScanError
from oct_edge.scan import open_frames

_FRAMES = 3  # of a volume; more of them are more of the same


def read(data: bytes) -> None:
    """What `oct-edge classify` does with a file before anything is graded."""
    frames = open_frames(data, "hostile")
    for number in list(frames.numbers)[:_FRAMES]:
        pixels = frames.scan(number).pixels
        if pixels.ndim != 2 or pixels.dtype != "uint8" or not pixels.size:
            raise AssertionError("not a grey picture")


def main(reader: str, series: str, first: str, memory: str) -> None:
    module, function = reader.split(":")
    target = getattr(import_module(module), function)
    files = seeds()
    for data in files.values():
        read(data)  # what is loaded once is no memory of a mutation
    start, number = _peak(), int(first)
    while True:
        print(number, flush=True)
        _, data = mutation(files, int(series), number)
        begun = perf_counter()
        try:
            target(data)
            said = "scan"
        except ScanError as error:
            said = error.code
        except BaseException as error:
            said = f"raised-{type(error).__name__}"
        grown = _peak() - start
        if grown > int(memory):
            said = "memory"
        print(said, f"{perf_counter() - begun:.3f}", grown, flush=True)
        number += 1
        if said == "memory":
            return  # the peak is a mark that never sinks


def _peak() -> int:
    """MiB at most so far; `ru_maxrss` would also count those of the process that started this one."""
    return int(re.findall(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text())[0]) >> 10


if __name__ == "__main__":
    main(*sys.argv[1:])
