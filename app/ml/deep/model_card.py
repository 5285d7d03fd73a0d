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

It turns a text into a vector of {dimension} numbers. The cosine similarity of two vectors reflects
the labels of the training records.

```python
from sentence_transformers import SentenceTransformer

encoder = SentenceTransformer("this folder")
vectors = encoder.encode(["a text", "another"])
```

## Training

- Tuned from `{base}`, {weights}.
- Loss: `{loss}`. {words}
- {n_learned:,} training records, {n_validated:,} validation records.
- {overfitting}

| metric | value |
|---|---|
{numbers}
"""

WEIGHTS = {
    "full": "all weights",
    "lora": "low-rank adapters, merged into the weights",
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
    """Return the card as Markdown, with the front matter that the hub reads."""
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
