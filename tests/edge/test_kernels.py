"""Every runtime and kind of kernels on every sample and real test scan: one answer, as the card allows."""

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from oct_edge.bundle import Bundle, open_bundle
from oct_edge.preprocess import to_tensor
from oct_edge.runtime import Kernels, installed_runtimes, open_runtime
from oct_edge.scan import read_scan
from oct_models import bundled_models

KEYS: list[tuple[str, Kernels]] = [
    ("litert", "default"),
    ("litert", "builtin"),
    ("litert", "reference"),
    ("tflite", "default"),
    ("tflite", "reference"),
]
Answers = dict[str, np.ndarray]
each_model = pytest.mark.parametrize("name", bundled_models())


def answers(bundle: Bundle, kind: str, kernels: Kernels, tensors: Iterable[np.ndarray]) -> Answers:
    """Output to what is stored of it, a row for each tensor."""
    runtime = open_runtime(bundle.content, kind, threads=1, kernels=kernels)
    rows = [runtime.invoke(tensor) for tensor in tensors]
    return {name: np.stack([row[name] for row in rows]).astype(int) for name in rows[0]}


def every_answer(bundle: Bundle, paths: list[Path]) -> dict[tuple[str, Kernels], Answers]:
    """Of all runtimes that are installed; `invoke` lets other threads run, so two answer side by side."""
    tensors = [to_tensor(read_scan(path)) for path in paths]
    keys = [key for key in KEYS if key[0] in installed_runtimes()]
    with ThreadPoolExecutor(2) as pool:
        return dict(zip(keys, pool.map(lambda key: answers(bundle, *key, tensors), keys), strict=True))


def hold(bundle: Bundle, found: dict[tuple[str, Kernels], Answers]) -> None:
    truth = found["litert", "reference"]
    first, second = np.sort(truth["logits"], axis=1).T[:-3:-1]
    for (kind, kernels), given in found.items():
        if kernels == "reference":
            for output in ("embedding", "logits", "scores"):
                np.testing.assert_array_equal(given[output], truth[output], err_msg=f"{kind} {output}")
            continue
        allowed = bundle.tolerance_on(kind)
        steps = np.abs(given["logits"] - truth["logits"]).max(axis=1)
        changed = given["logits"].argmax(axis=1) != truth["logits"].argmax(axis=1)
        assert not (changed & (first - second > allowed)).any(), f"{kind} {kernels}"
        assert steps.max() <= allowed, f"{kind} {kernels}: {steps.max()} steps, {allowed} are allowed"


@each_model
def test_every_sample(name: str, samples: list[Path]) -> None:
    bundle = open_bundle(name)
    hold(bundle, every_answer(bundle, samples))


@each_model
@pytest.mark.slow
@pytest.mark.parametrize("every", [8, pytest.param(1, marks=pytest.mark.nightly)], ids=["some", "all"])
def test_real_test_scans(name: str, every: int, oct2017: Path) -> None:
    bundle, scans = open_bundle(name), sorted((oct2017 / "test").rglob("*.jpeg"))
    assert len(scans) > 100
    hold(bundle, every_answer(bundle, scans[::every]))
