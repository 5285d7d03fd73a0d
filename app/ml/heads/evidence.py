"""The head that repeats soft labels: learned, then calibrated. Cheap to import."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from app.ml.examples import Examples, Report
from app.ml.heads.head import EvidenceHead, Floats
from app.ml.label_inference.calibration import fit_temperature
from app.ml.recipe import Recipe
from app.ml.vectors import Vectors

LEAST_REACH = 0.25


def learn_evidence_head(
    rows: Vectors,
    soft: NDArray[np.float32],
    examples: Examples,
    recipe: Recipe,
    report: Report,
) -> EvidenceHead:
    """A head that answers as these soft labels do, (n, K), not yet calibrated. Loads torch."""
    # Loaded here: pages import Recipe from this module and must not pay for torch.
    from app.ml.heads.evidence_mlp import learn_evidence

    return learn_evidence(rows, soft, examples, recipe, report)


def calibrate(
    head: EvidenceHead, rows: Vectors, probabilities: NDArray[np.float32]
) -> EvidenceHead:
    """Return the head with suggestions as confident on average as these probabilities, (n, K)."""
    sampled = np.linspace(0, len(rows) - 1, min(len(rows), 5000)).astype(np.int64)
    logits = head.logits(rows[sampled])
    temperature = fit_temperature(logits, probabilities[sampled], is_binary=head.is_multi_label)
    calibrated = replace(head, temperature=temperature)
    head_probabilities = calibrated.probabilities(logits)
    centre = head_probabilities.mean(axis=0)
    return replace(calibrated, centre=centre, reach=compute_reach(head_probabilities - centre))


def compute_reach(evidence: Floats) -> float:
    """|e|^2 of the surest rows of (n, K); not less than LEAST_REACH, so that where nothing is
    sure, nothing passes for it."""
    return max(LEAST_REACH, float((evidence**2).sum(axis=1).max(initial=0)))
