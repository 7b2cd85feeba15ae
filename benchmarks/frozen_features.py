"""How much faster is an epoch on the cached features of a frozen base than the article's way, which runs it every time?

Two networks with the same weights are trained side by side, an epoch of one, then an epoch of the other, so that both
meet the same machine; each epoch ends with a validation. The median of the ratios counts, without the first pair, in
which both are traced; the aim is 10. What the features cost once is told apart, and so is how good both are in the end.
Prints a table and writes `frozen_features.json` into the current folder.
"""

import argparse
import json
import os
import statistics
import time
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
import keras
from intervals import interval

from oct_trainer.dataset import read_dataset
from oct_trainer.features import feature_streams, split_frozen
from oct_trainer.networks import NETWORKS
from oct_trainer.phantom import write_dataset
from oct_trainer.pictures import Pictures, load_parts
from oct_trainer.recipes import RECIPES, Recipe
from oct_trainer.stream import batches, steps_per_epoch, training_stream
from oct_trainer.weights import apply_weights

AIM = 10
SEED = 0


class Course(keras.callbacks.Callback):
    """A network in training, taken an epoch further at a time; seconds and validation accuracy of each."""

    def __init__(self, model: keras.Model, recipe: Recipe, scans: int) -> None:
        super().__init__()
        self.trained, self.steps = model, steps_per_epoch(scans, recipe)
        self.seconds: list[float] = []
        self.accuracy: list[float] = []
        optimizer = keras.optimizers.Adam(recipe.learning_rate)
        model.compile(optimizer, "categorical_crossentropy", metrics=["accuracy"], jit_compile=False)

    def run(self, stream: Any, held_out: Any) -> None:
        epoch = len(self.seconds)
        counted = {"initial_epoch": epoch, "epochs": epoch + 1, "steps_per_epoch": self.steps}
        self.trained.fit(stream, validation_data=held_out, callbacks=[self], shuffle=False, verbose=0, **counted)

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self.start = time.perf_counter()

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self.seconds.append(time.perf_counter() - self.start)
        self.accuracy.append(float((logs or {})["val_accuracy"]))


def measure(network: str, recipe: Recipe, weights: str, parts: dict[str, Pictures], cache: Path) -> dict[str, Any]:
    keras.utils.set_random_seed(SEED)
    whole, other = (NETWORKS[network].build(scaling=recipe.scaling, shrink=recipe.shrink) for _ in range(2))
    apply_weights(whole, weights)
    other.set_weights(whole.get_weights())
    split = split_frozen(other)
    if split is None:
        raise SystemExit(f"{network}: nothing is frozen.")
    scans = len(parts["train"].grey)
    article, ours = Course(whole, recipe, scans), Course(split.head, recipe, scans)
    start = time.perf_counter()
    feature_streams(split.base, parts, recipe, SEED, 0, cache)
    once = time.perf_counter() - start
    for epoch in range(recipe.epochs):
        article.run(training_stream(parts["train"], recipe, SEED, epoch), batches(parts["val"]))
        ours.run(*feature_streams(split.base, parts, recipe, SEED, epoch, cache))
        print(f"epoch {epoch + 1:>2}   {article.seconds[-1]:>8.2f} s   {ours.seconds[-1]:>8.3f} s", flush=True)
    ratios = [slow / fast for slow, fast in zip(article.seconds, ours.seconds, strict=True)][1:]
    low, high = interval(ratios)
    return {
        "network": network,
        "weights": Path(weights).name,
        "train_scans": scans,
        "val_scans": len(parts["val"].grey),
        "epochs": recipe.epochs,
        "variants": recipe.variants or recipe.epochs,
        "article_s_an_epoch": round(statistics.median(article.seconds[1:]), 3),
        "cached_s_an_epoch": round(statistics.median(ours.seconds[1:]), 3),
        "ratio": round(statistics.median(ratios), 1),
        "ratio_low": round(low, 1),
        "ratio_high": round(high, 1),
        "aim": AIM,
        "once_s": round(once, 1),
        "article_total_s": round(sum(article.seconds), 1),
        "cached_total_s": round(once + sum(ours.seconds), 1),
        "article_accuracy": round(article.accuracy[-1], 4),
        "cached_accuracy": round(ours.accuracy[-1], 4),
    }


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--network", default="mobilenet", choices=("mobilenet", "vgg16"))
    parser.add_argument("--data", type=Path, help="as in training; without it, phantoms are drawn")
    parser.add_argument("--phantoms", type=int, default=96)
    parser.add_argument("--limit", type=int, help="scans of each split of the data")
    parser.add_argument("--weights", default="none", help="as in training")
    parser.add_argument("--epochs", type=int, default=11)
    parser.add_argument("--variants", type=int, default=3, help="0 for one an epoch, as in training")
    return parser.parse_args()


def main() -> None:
    chosen = options()
    recipe = replace(RECIPES["article"][chosen.network], epochs=chosen.epochs, variants=chosen.variants or None)
    with TemporaryDirectory() as folder:
        data = chosen.data or Path(folder) / "phantoms"
        if chosen.data is None:
            write_dataset(data, chosen.phantoms, SEED)
        parts = load_parts(read_dataset(data, seed=SEED, limit=chosen.limit).samples)
        print("epoch   article's way   on cached features")
        row = measure(chosen.network, recipe, chosen.weights, parts, Path(folder) / "features")
    print(f"ratio {row['ratio']:.1f} ({row['ratio_low']:.1f}-{row['ratio_high']:.1f}), aim {AIM}")
    print(f"features, once: {row['once_s']:.1f} s for {row['variants']} versions and validation")
    print(f"all in all: {row['article_total_s']:.1f} s and {row['cached_total_s']:.1f} s")
    print(f"validation accuracy: {row['article_accuracy']:.3f} and {row['cached_accuracy']:.3f}")
    Path("frozen_features.json").write_text(json.dumps(row, indent=1) + "\n")


if __name__ == "__main__":
    main()
