"""Where a network starts from: ImageNet, nothing, or a file.

A weights folder holds one file a network, `<network>*.h5`: for `mobilenet` and `vgg16` the weights of their base in
`keras.applications` without top, as published or as `save_weights` writes them, for a network without a base those of
the whole network. The folder may also hold an earlier run (`<folder>/<network>/`) or be one; that goes first, and its
whole network is continued: that is how a network is pre-trained on phantoms.
"""

import hashlib
import json
import re
import sys
import warnings
from collections.abc import Mapping
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import keras
import numpy as np

from oct_edge.errors import WeightsError
from oct_trainer.networks import NETWORKS
from oct_trainer.networks.pretrained import APPLICATIONS, base_name
from oct_trainer.recipes import Recipe
from oct_trainer.run_folder import find_run
from oct_trainer.weights_option import WeightsOption


def check_weights(option: WeightsOption, recipes: Mapping[str, Recipe]) -> None:
    """Start every network once: what one of them lacks is known before another has trained for hours.

    Raises:
        WeightsError: as `apply_weights`, or nothing was found for a network that was named.
    """
    for name, recipe in recipes.items():
        source = option.of(name)
        if source == "none":
            continue
        start = apply_weights(NETWORKS[name].build(scaling=recipe.scaling, shrink=recipe.shrink), source)
        if start["kind"] == "none" and name in option.named:
            raise WeightsError(
                f"`{name}={source}`: there are no weights for {name}.",
                hint=f"Name a folder with {_wanted(name)} or with a run of it, or use --weights {name}=none.",
            )


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
    run = folder if (folder / "model.keras").is_file() else find_run(folder, model.name)
    return _continue_run(model, run) if run else _from_file(model, folder)


def base_of(model: keras.Model) -> keras.Model | None:
    """The pre-trained part of a network, or None where it has none."""
    return model.get_layer(base_name(model.name)) if model.name in APPLICATIONS else None


def weights_digest(model: keras.Model) -> str:
    """What its weights are, whatever they are called and wherever they came from."""
    digest = hashlib.sha256()
    for weight in model.get_weights():
        digest.update(f"{weight.shape}".encode() + weight.tobytes())
    return digest.hexdigest()


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
        with redirect_stdout(sys.stderr):  # where Keras shows the progress of a download
            published = APPLICATIONS[model.name](input_shape=base.input_shape[1:], include_top=False)
    except Exception as error:
        raise WeightsError(
            f"ImageNet weights for {model.name} cannot be downloaded ({_reason(error)}).",
            hint=f"Put {_wanted(model.name)} into a folder and name it with --weights, or use {model.name}=none there.",
        ) from error
    base.set_weights(published.get_weights())
    return {"kind": "imagenet", "source": "keras.applications"}


def _from_file(model: keras.Model, folder: Path) -> dict[str, Any]:
    files = sorted(folder.glob(f"{model.name}*.h5"))
    base = base_of(model)
    if base is None and not files:
        return {"kind": "none"}
    if len(files) != 1:
        raise WeightsError(
            f"{folder}: {len(files)} files match {model.name}*.h5, one is needed.",
            hint=f"Let {_wanted(model.name)} be there, or use --weights {model.name}=none.",
        )
    try:
        _load(base or model, files[0])
    except Exception as error:
        raise WeightsError(
            f"{files[0]}: not the weights of {_part(model.name)} ({_misfit(error)}).",
            hint=f"Let {_wanted(model.name)} be there.",
        ) from error
    return {"kind": "file" if base is None else "imagenet", "source": files[0].name}


def _load(model: keras.Model, file: Path) -> None:
    """As `load_weights`, and an error also where Keras only warns that it leaves layers as they were."""
    with warnings.catch_warnings(record=True) as left:
        warnings.simplefilter("always")
        model.load_weights(file)
    if left:
        raise ValueError(str(left[0].message))


def _misfit(error: Exception) -> str:
    """What of a file does not fit: shapes where Keras names some, else the first it says of a single layer."""
    text = str(error)
    if shapes := re.search(r"variable\.shape=(\(.*?\)).*?value\.shape=(\(.*?\))", text, re.DOTALL):
        return f"a weight of shape {shapes[2]} where the network has {shapes[1]}"
    general, *single = [line for line in text.splitlines() if line] or [_reason(error)]
    return single[0] if single and general.endswith(":") else general


def _continue_run(model: keras.Model, run: Path) -> dict[str, Any]:
    try:
        earlier = keras.saving.load_model(run / "model.keras", compile=False)
        if earlier.name != model.name:
            raise ValueError(f"it is of {earlier.name}")
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


def _scaling(model: keras.Model) -> list[float]:
    layer = model.get_layer("rescaling")
    return np.hstack([layer.scale, layer.offset]).tolist()


def _wanted(network: str) -> str:
    """What to put into a weights folder, for a hint."""
    how = "published, or by `save_weights`" if network in APPLICATIONS else "by `save_weights`"
    return f"one file {network}*.h5 with the weights of {_part(network)} ({how})"


def _part(network: str) -> str:
    """What a weights file of the network is about."""
    return f"keras.applications.{APPLICATIONS[network].__name__} without top" if network in APPLICATIONS else network


def _reason(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
