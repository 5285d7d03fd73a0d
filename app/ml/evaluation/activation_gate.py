"""The gate: rejects a new head that is clearly worse.

Decision: only clearly worse heads are rejected, not every lower score. With 25 labels, half of them
held out, metrics vary by .05 either way, and the heads of the folds, trained on half of the labels,
do worse than a version trained on all: rejecting every negative difference would reject most
versions that are better. Measured in docs/evaluation.md.
Decision: R-precision and accuracy are combined record by record, since the head changes both and
the mean of two noisy metrics is less noisy. The hold-out sample, which alone is unbiased, overrules
them where it is clear on its own.
Source: one-sided paired bootstrap test, Efron and Tibshirani 1993; comparing two systems on the
same queries, Sakai 2006.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from app.ml.evaluation.comparison import Difference, Score

RAW = "raw"
EVIDENCE = "evidence"
HOLDOUT_ACCURACY = "holdout_accuracy"

METRIC_WORDS = {"r_precision": "R-precision", "accuracy": "accuracy"}
"""The metrics that a verdict names, as pages name them."""

CONFIDENCE_LEVEL = 0.95
"""A version is clearly worse if it is below the other in this share of the bootstrap samples."""


@dataclass(frozen=True)
class Decision:
    """Whether the head may be activated, and the reason in words."""

    is_good: bool
    sentence: str


def decide(
    raw: Sequence[Score], tuned: Sequence[Score], differences: Sequence[Difference]
) -> Decision:
    """Compare tuned with raw, and with the active version where differences include it.

    raw, tuned   scores on the same queries, including r_precision and accuracy; of the hold-out
                 sample only where too few examples could be held out
    differences  of EVIDENCE, one for each reference, and of HOLDOUT_ACCURACY
    """
    references = list(dict.fromkeys(difference.against for difference in differences))
    words = {reference: _describe_standing(differences, reference) for reference in references}
    sentences = [f"Tuned is {words[RAW]} raw{_format_scores(raw, tuned)}."]
    for reference in references[1:]:
        n = _find_evidence(differences, reference).n
        sentences.append(f"It is {words[reference]} {reference} on {n:,} labels new to both.")
    sentences += _format_holdout(raw, tuned)
    return Decision("worse than" not in words.values(), " ".join(sentences))


def _describe_standing(differences: Sequence[Difference], reference: str) -> str:
    """Compare tuned with a reference, in words; the hold-out sample decides first."""
    for each in (
        _find_difference(differences, reference, HOLDOUT_ACCURACY),
        _find_difference(differences, reference, EVIDENCE),
    ):
        if each is not None and each.chance_worse >= CONFIDENCE_LEVEL:
            return "worse than"
        if each is not None and each.chance_worse <= 1 - CONFIDENCE_LEVEL:
            return "better than"
    return "about as good as"


def _find_evidence(differences: Sequence[Difference], reference: str) -> Difference:
    return next(d for d in differences if d.against == reference)


def _find_difference(
    differences: Sequence[Difference], reference: str, metric: str
) -> Difference | None:
    return next((d for d in differences if (d.against, d.metric) == (reference, metric)), None)


def _format_scores(raw: Sequence[Score], tuned: Sequence[Score]) -> str:
    """Write the scores on held-out examples; nothing where only the hold-out sample has scores."""
    before, after = _index_by_metric(raw), _index_by_metric(tuned)
    if "accuracy" not in after:
        return ""
    pairs = [f"{words} {_format_pair(after, before, name)}" for name, words in METRIC_WORDS.items()]
    n = after["accuracy"].n
    return f": {' and '.join(pairs)}, on {n:,} held-out labeled records"


def _format_holdout(raw: Sequence[Score], tuned: Sequence[Score]) -> list[str]:
    before, after = _index_by_metric(raw), _index_by_metric(tuned)
    if HOLDOUT_ACCURACY not in after:
        return []
    n = after[HOLDOUT_ACCURACY].n
    return [
        f"In the hold-out sample of {n:,} records: accuracy "
        f"{_format_pair(after, before, HOLDOUT_ACCURACY)}."
    ]


def _format_pair(after: dict[str, Score], before: dict[str, Score], metric: str) -> str:
    return f"{100 * after[metric].value:.1f} % against {100 * before[metric].value:.1f} %"


def _index_by_metric(scores: Sequence[Score]) -> dict[str, Score]:
    return {score.metric: score for score in scores if score.label_id is None}
