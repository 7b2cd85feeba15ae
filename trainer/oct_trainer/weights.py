"""Where a network starts from: ImageNet, nothing, or a file.

A weights folder holds one file a network: `mobilenet*.weights.h5` with the weights of
`keras.applications.MobileNet(include_top=False)`. It may also be an earlier run (`<folder>/<network>/model.keras`),
whose whole network is then continued: that is how a network is pre-trained on phantoms.
"""

import json
import warnings
from pathlib import Path
from typing import Any

import keras

from oct_edge.errors import WeightsError
from oct_trainer.networks.mobilenet import BASE

_PRETRAINED = {"mobilenet": BASE}


def apply_weights(model: keras.Model, source: str) -> dict[str, Any]:
    """Put starting weights into `model` and return where they came from, for the card.

    `source` is `imagenet`, `none` or a folder. A network that has no pre-trained base starts from nothing unless the
    folder holds a run of it.

    Raises:
        WeightsError: the folder or file is missing, does not fit, or cannot be downloaded.
    """
    if source == "none":
        return {"kind": "none"}
    if source == "imagenet":
        return _imagenet(model)
    folder = Path(source)
    if not folder.is_dir():
        raise WeightsError(f"{folder}: no such folder.", hint="Use `imagenet`, `none` or a folder with weights files.")
    run = folder / model.name / "model.keras"
    if run.is_file():
        return _continue_run(model, run)
    if model.name in _PRETRAINED:
        return _from_file(model, folder)
    return {"kind": "none"}


def base_of(model: keras.Model) -> keras.Model | None:
    """The pre-trained part of a network, or None where it has none."""
    name = _PRETRAINED.get(model.name)
    return model.get_layer(name) if name else None


def _imagenet(model: keras.Model) -> dict[str, Any]:
    base = base_of(model)
    if base is None:
        return {"kind": "none"}
    try:
        published = keras.applications.MobileNet(input_shape=base.input_shape[1:], include_top=False)
    except Exception as error:
        raise WeightsError(
            f"ImageNet weights for {model.name} cannot be downloaded ({error}).",
            hint=f"Put {model.name}*.weights.h5 into a folder and name it with --weights, or use --weights none.",
        ) from error
    base.set_weights(published.get_weights())
    return {"kind": "imagenet", "source": "keras.applications"}


def _from_file(model: keras.Model, folder: Path) -> dict[str, Any]:
    files = sorted(folder.glob(f"{model.name}*.weights.h5"))
    if len(files) != 1:
        raise WeightsError(
            f"{folder}: {len(files)} files match {model.name}*.weights.h5, one is needed.",
            hint=f"Put the ImageNet weights of {model.name} without top there, or use --weights none.",
        )
    base = base_of(model)
    assert base is not None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # Keras only warns where it leaves layers as they were
            base.load_weights(files[0])
    except (OSError, ValueError, KeyError, UserWarning) as error:
        raise WeightsError(
            f"{files[0]}: not the weights of {model.name} without top ({str(error).splitlines()[0]}).",
            hint="Save them with keras.applications' own model and `save_weights`.",
        ) from error
    return {"kind": "imagenet", "source": files[0].name}


def _continue_run(model: keras.Model, run: Path) -> dict[str, Any]:
    try:
        earlier = keras.saving.load_model(run, compile=False)
        model.set_weights(earlier.get_weights())
    except (OSError, ValueError, KeyError) as error:
        reason = str(error).splitlines()[0]
        raise WeightsError(f"{run}: cannot be continued as {model.name} ({reason}).") from error
    record = json.loads((run.parent / "metrics.json").read_text())
    return {"kind": "run", "data": record["data"], "weights": record["weights"]}
