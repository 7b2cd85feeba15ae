"""All files that were asked for of one run, one after the other."""

from collections.abc import Iterator
from pathlib import Path

from oct_converters.comparison import FLOAT_KINDS, convert_float
from oct_converters.convert import Options, convert
from oct_converters.edgetpu.build import build_edgetpu
from oct_trainer.terminal import progress


def produce(folder: Path, data: Path, out: Path, formats: frozenset[str], options: Options) -> Iterator[Path]:
    """Each model file as soon as it is written; `formats` are of `float32`, `float16` and `int8`.

    Raises:
        GateFailed: what comes after it is not made either.
        CompilerUnavailable, CompilationFailed: the int8 model stands.
        RunError, CalibrationError, ModelUnfit, OutputUnavailable: nothing of that format is written.
    """
    for kind in FLOAT_KINDS:
        if kind in formats:
            yield convert_float(folder, data, out, kind, options)
    if "int8" in formats:
        with progress() as on_progress:
            path = convert(folder, data, out, options, on_progress)
        yield path
        if options.edgetpu:
            yield build_edgetpu(path, force=options.force)
