"""The model card of a bundle: what the version is, how it was measured, how it is loaded."""

from app.models import Project, Version
from app.models.enums import VersionKind
from app.training.reports.metrics import Figure
from app.training.reports.run_summary import VersionSummary

LOADING_CODE = """import json
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file
from sentence_transformers import SentenceTransformer

facts, w = json.loads(Path("version.json").read_text()), load_file("head.safetensors")
x = SentenceTransformer(facts["encoder"]).encode(["a text"], normalize_embeddings=True)
h = 8 * x @ w["hidden_weight"] + w["hidden_bias"]
h = 0.5 * h * (1 + np.tanh(np.sqrt(2 / np.pi) * (h + 0.044715 * h**3)))
z = (h @ w["output_weight"] + w["output_bias"]) / facts["temperature"]
p = {chances}
{confidence}
print(facts["labels"][k], shown)
e = (p - w["centre"]) / facts["reach"] ** 0.5
m = np.linalg.norm(e, axis=1, keepdims=True)
left = np.sqrt(1 - facts["strength"] * np.minimum(m, 1) ** 2) * x
v = np.concatenate([left, facts["strength"] ** 0.5 * e / np.maximum(m, 1)], axis=1)
v /= np.linalg.norm(v, axis=1, keepdims=True)  # tuned vectors: their cosine is the similarity"""
PROBABILITY_CODE = {
    False: "np.exp(z - z.max(1, keepdims=True)); p /= p.sum(1, keepdims=True)",
    True: "1 / (1 + np.exp(-z))",
}
CONFIDENCE_CODE = {
    False: """k, n = p[0].argmax(), (2 * w["limits"] - 1) / (1 - w["limits"])
q = np.clip(p[0, k], 1e-4, 1 - 1e-4)
c = 1 / (1 + np.exp(-w["confidence"][k] @ [np.log(q / (1 - q)), 1]))
r = 8 + 2 * n[k]  # no surer than the number of labeled records allows
shown = max(c * (1 + (c / w["limits"][k]) ** r) ** (-1 / r), 1.001 / (n > 0).sum())""",
    True: """k = p[0].argmax()
shown = np.where(p > 0.5, 0.5 + (2 * w["limits"] - 1) * (p - 0.5), p)[0, k]""",
}
RAW_LOADING_CODE = """from sentence_transformers import SentenceTransformer

vectors = SentenceTransformer("{encoder}").encode(["a text"], normalize_embeddings=True)"""

CARD = """# {project}, version {number}

{what}

{note}## Loading it

In this folder, with `sentence-transformers` installed:

```python
{loading}
```

## Evaluation

{measured}

`version.json` has the labels and the numbers of the head, `figures.json` everything that was
measured and the recipe. There is no record in this bundle.
"""


def version_card(project: Project, facts: VersionSummary, source: Version) -> str:
    """Markdown. `source` is the version whose vectors it reads."""
    version = facts.version
    return CARD.format(
        project=project.name,
        number=version.number,
        what=_describe(facts, source),
        note=f"{version.note}\n\n" if version.note else "",
        loading=_loading_code(project, facts, source),
        measured=_metrics_table(facts),
    )


def _describe(facts: VersionSummary, source: Version) -> str:
    base = facts.version.base_model
    if facts.made_by is None:
        return f"The base model {base}, without training."
    below = (
        f"version {source.number}, fine-tuned from {base},"
        if source.kind == VersionKind.DEEP
        else base
    )
    if source.id == facts.version.id:
        below = f"{base}, fine-tuned,"
    n = facts.made_by.run.n_examples or 0
    return f"A head on {below} tuned with Likewise on {n:,} labeled records."


def _loading_code(project: Project, facts: VersionSummary, source: Version) -> str:
    if facts.made_by is None:
        return RAW_LOADING_CODE.format(encoder=facts.version.base_model)
    code = LOADING_CODE.replace("{chances}", PROBABILITY_CODE[project.is_multi_label])
    return code.replace("{confidence}", CONFIDENCE_CODE[project.is_multi_label])


def _metrics_table(facts: VersionSummary) -> str:
    figures = facts.made_by.figures if facts.made_by else ()
    if not figures:
        return "Not evaluated: too few labels."
    verdict = facts.made_by.run.verdict if facts.made_by else ""
    lines = ["| metric | raw | tuned | n |", "|---|---|---|---|", *map(_line, figures)]
    return f"{verdict or ''}\n\n" + "\n".join(lines)


def _line(figure: Figure) -> str:
    name = figure.tuned.metric + (f", k = {figure.tuned.k}" if figure.tuned.k else "")
    return f"| {name} | {figure.raw.value:.3f} | {figure.tuned.value:.3f} | {figure.tuned.n:,} |"
