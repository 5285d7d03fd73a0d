from typing import Any

import pytest

from app.ml.recipe import Recipe

pytestmark = pytest.mark.once


def test_a_recipe_survives_its_json() -> None:
    recipe = Recipe(method="skip_triplet", seed=3, alpha=0.5, prior_power=0.25)

    assert Recipe.from_json(recipe.as_json()) == recipe
    assert Recipe.from_json({}) == Recipe()


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"epochs": 3}, "no field 'epochs'"),
        ({"method": "deep"}, "method is head or skip_triplet"),
        ({"alpha": 1.0}, "alpha is a number from 0 to 0.9999, not 1.0"),
        ({"passes": 0}, "passes is a whole number"),
        ({"passes": 2.5}, "passes is a whole number"),
        ({"seed": True}, "seed is a whole number"),
        ({"softness": "0.5"}, "softness is a number"),
        ({"dropout": None}, "dropout is a number"),
        ({"margin": float("nan")}, "margin is a number"),
    ],
)
def test_an_invalid_recipe_names_the_field(values: dict[str, Any], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        Recipe.from_json(values)
