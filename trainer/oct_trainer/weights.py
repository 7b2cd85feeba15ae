"""Where a network starts from: ImageNet, nothing, or a file.

A weights folder holds one file a network, `<network>*.weights.h5`: for `mobilenet` the weights of
`keras.applications.MobileNet(include_top=False)`, for a network without a pre-trained base those of the whole network.
It may also hold an earlier run (`<folder>/<network>/`), which goes first and whose whole network is continued: that is
how a network is pre-trained on phantoms.
"""

import json
import warnings
from pathlib import Path
from typing import Any

import keras

from oct_edge.errors import WeightsError
from oct_trainer.networks.mobilenet import BASE
from oct_trainer.run_folder import find_run

_PRETRAINED = {"mobilenet": BASE}


def apply_weights(model: keras.Model, source: str) -> dict[str, Any]:
    """Put starting weights into `model` and return where they came from, for the card.

    `source` is `imagenet`, `none` or a folder. A network that has no pre-trained base starts from nothing where there
    is nothing for it.

    Raises:
        WeightsError: the folder or file is missing, does not fit, or cannot be downloaded, or a run's pixels were
            scaled otherwise.
    """
    if source == "none":
        return {"kind": "none"}
    if source == "imagenet":
        return _imagenet(model)
    folder = _folder(source)
    run = find_run(folder, model.name)
    return _continue_run(model, run) if run else _from_file(model, folder)


def base_of(model: keras.Model) -> keras.Model | None:
    """The pre-trained part of a network, or None where it has none."""
    name = _PRETRAINED.get(model.name)
    return model.get_layer(name) if name else None


def _folder(source: str) -> Path:
    try:
        if source and Path(source).is_dir():
            return Path(source)
        reason = "no such folder"
    except OSError as error:
        reason = _reason(error)
    raise WeightsError(f"`{source}`: {reason}.", hint="Use `imagenet`, `none` or a folder with weights files.")


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
    base = base_of(model)
    if base is None and not files:
        return {"kind": "none"}
    kind, part = ("file", "") if base is None else ("imagenet", " without top")
    if len(files) != 1:
        raise WeightsError(
            f"{folder}: {len(files)} files match {model.name}*.weights.h5, one is needed.",
            hint=f"Let one file with the weights of {model.name}{part} be there, or use --weights none.",
        )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # Keras only warns where it leaves layers as they were
            (base or model).load_weights(files[0])
    except Exception as error:
        raise WeightsError(
            f"{files[0]}: not the weights of {model.name}{part} ({_reason(error)}).",
            hint="Save them with Keras' `save_weights`, from `keras.applications` for a network without top.",
        ) from error
    return {"kind": kind, "source": files[0].name}


def _continue_run(model: keras.Model, run: Path) -> dict[str, Any]:
    try:
        earlier = keras.saving.load_model(run / "model.keras", compile=False)
        record = json.loads((run / "metrics.json").read_text())
        start = {"kind": "run", "data": record["data"], "weights": record["weights"]}
        model.set_weights(earlier.get_weights())
        same_scaling = _scaling(earlier) == _scaling(model)
    except Exception as error:
        raise WeightsError(f"{run}: cannot be continued as {model.name} ({_reason(error)}).") from error
    if not same_scaling:
        raise WeightsError(
            f"{run}: its pixels were scaled otherwise than in this recipe.",
            hint="Continue it by the --recipe it was trained with, or use other --weights.",
        )
    return start


def _scaling(model: keras.Model) -> tuple[float, float]:
    layer = model.get_layer("rescaling")
    return float(layer.scale), float(layer.offset)


def _reason(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
