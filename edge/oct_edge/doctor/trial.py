"""The program that tries a runtime: `python -m oct_edge.doctor.trial MODEL RUNTIME THREADS`, one JSON object on stdout.

It is a process of its own because a library that was built for another processor does not fail, but dies.
"""

import json
import sys
from dataclasses import asdict
from time import perf_counter
from typing import Any

from oct_edge.bundle import SameClass, open_bundle
from oct_edge.classifier import Classifier
from oct_edge.errors import OctEdgeError, SelfTestFailed
from oct_edge.preprocess import expand
from oct_edge.runtime import open_runtime


def main(model: str, runtime: str, threads: str) -> None:
    found: dict[str, Any] = {}
    try:
        _try(found, model, runtime, int(threads) or None)
    except OctEdgeError as error:
        found["error"] = {"code": error.code, "message": " ".join(error.messages()), "hint": error.hint}
    print(json.dumps(found))


def _try(found: dict[str, Any], model: str, runtime: str, threads: int | None) -> None:
    """What is found stays found where something fails behind it."""
    bundle = open_bundle(model)
    found["model"] = {"name": bundle.name, "sha256": bundle.sha256}
    opened = open_runtime(bundle.content, runtime, threads)
    classifier = Classifier(bundle, opened)
    tensor = expand(bundle.golden[0].grey)
    opened.invoke(tensor)  # finds cold caches
    start = perf_counter()
    opened.invoke(tensor)
    found["milliseconds"] = round(1000 * (perf_counter() - start), 2)
    found["runtime"], found["threads"] = opened.identity, opened.threads
    allowed = bundle.tolerance_on(opened.kind)
    found["allowed"] = asdict(allowed) if isinstance(allowed, SameClass) else allowed
    try:
        found["golden"] = classifier.self_test()
    except SelfTestFailed as error:
        found["golden"] = None
        raise error


if __name__ == "__main__":
    main(*sys.argv[1:])
