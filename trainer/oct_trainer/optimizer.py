"""What a recipe says of learning, in Keras' terms: optimizer, schedule, loss."""

from typing import Any

import keras

from oct_trainer.machine import Machine
from oct_trainer.recipes import Recipe


def compile_model(model: keras.Model, recipe: Recipe, steps: int, machine: Machine) -> None:
    model.compile(
        optimizer=_optimizer(recipe, steps),
        loss=keras.losses.CategoricalCrossentropy(label_smoothing=recipe.label_smoothing),
        metrics=["accuracy"],
        jit_compile=machine.jit,
    )


def _optimizer(recipe: Recipe, steps: int) -> Any:
    rate: Any = recipe.learning_rate
    if recipe.cosine:
        total = recipe.epochs * steps
        warmup = min(steps, total // 4)
        rate = keras.optimizers.schedules.CosineDecay(
            recipe.learning_rate / 100, total - warmup, warmup_target=recipe.learning_rate, warmup_steps=warmup
        )
    if recipe.optimizer == "adamw":
        return keras.optimizers.AdamW(rate, weight_decay=1e-4)
    return keras.optimizers.Adam(rate)
