"""Both recipes know every network, and `article` is the article's to the letter."""

import pytest

from oct_trainer.networks import NETWORKS

pytest.importorskip("keras")
from oct_trainer.augment import Augmentation
from oct_trainer.cli.app import RecipeName
from oct_trainer.recipes import ARTICLE, RECIPES

pytestmark = pytest.mark.tf


def test_the_flag_knows_the_recipes_and_a_recipe_the_networks() -> None:
    assert set(RecipeName) == set(RECIPES)
    for name, recipes in RECIPES.items():
        assert recipes.keys() == NETWORKS.keys()
        assert {recipe.name for recipe in recipes.values()} == {name}


@pytest.mark.parametrize(
    ("network", "epochs", "rotation", "shift", "plateau"),
    [
        ("mobilenet", 10, 20, 0.2, False),
        ("vgg16", 10, 20, 0.2, False),
        ("compact", 10, 30, 0.3, True),
        ("custom-vgg", 15, 30, 0.3, True),
    ],
)
def test_the_articles_recipes(network: str, epochs: int, rotation: int, shift: float, plateau: bool) -> None:
    recipe = ARTICLE[network]
    assert (recipe.optimizer, recipe.learning_rate, recipe.batch) == ("adam", 1e-3, 16)
    assert (recipe.epochs, recipe.patience, recipe.plateau) == (epochs, 3, plateau)
    assert recipe.augmentation == Augmentation(rotation=rotation, shift=shift)
    assert (recipe.scaling, recipe.shrink) == ("unit", 1)


@pytest.mark.parametrize("recipe", RECIPES)
def test_no_recipe_shrinks_what_cannot_be_shrunk(recipe: str) -> None:
    shrunk = [name for name, found in RECIPES[recipe].items() if found.shrink > 1 and not NETWORKS[name].shrinks]
    assert shrunk == []


def test_only_a_base_is_fine_tuned_and_each_sees_its_own_scaling() -> None:
    from oct_trainer.networks.pretrained import APPLICATIONS

    best = RECIPES["best"]
    assert {name for name, recipe in best.items() if recipe.fine_tune} <= APPLICATIONS.keys()
    assert (best["mobilenet"].scaling, best["vgg16"].scaling) == ("symmetric", "caffe")
