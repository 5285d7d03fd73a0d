"""The model card of a tuned encoder: what it is and what it learned. It quotes no record."""

from app.ml.deep.recipe import LOSSES, DeepRecipe

CARD = """---
library_name: sentence-transformers
pipeline_tag: sentence-similarity
tags:
- sentence-transformers
- sentence-similarity
- feature-extraction
---
# An encoder tuned with Likewise

It turns a text into {dimension} numbers; the cosine of two such rows says how alike the texts are,
as the people meant it who labeled the records that it learned from.

```python
from sentence_transformers import SentenceTransformer

encoder = SentenceTransformer("this folder")
vectors = encoder.encode(["a text", "another"])
```

## How it came about

- Tuned from `{base}`, {weights}.
- Loss: `{loss}`. {words}
- {n_learned:,} records to learn from, {n_validated:,} others to validate by.
- {overfitting}

| number | value |
|---|---|
{numbers}
"""

WEIGHTS = {
    "full": "all weights",
    "lora": "through low-rank adapters that are merged into its weights",
}


def render_model_card(
    recipe: DeepRecipe,
    *,
    base: str,
    dimension: int,
    n_learned: int,
    n_validated: int,
    overfitting: str,
) -> str:
    """The card as Markdown, with the front matter that the hub reads."""
    plain = {name: value for name, value in recipe.as_json().items() if name != "head"}
    return CARD.format(
        base=base,
        dimension=dimension,
        weights=WEIGHTS[recipe.weights],
        loss=recipe.loss,
        words=LOSSES[recipe.loss],
        n_learned=n_learned,
        n_validated=n_validated,
        overfitting=overfitting,
        numbers="\n".join(f"| {name} | {value} |" for name, value in plain.items()),
    )
