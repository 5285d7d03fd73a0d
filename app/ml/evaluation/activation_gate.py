"""The gate: does anything speak clearly against a new head?

Decision: clearly worse is refused, not whatever happened to come out lower. With 25 labels, half of
them hidden, figures swing by .05 either way, and the folds' heads, which learned from half of the
labels, do worse than the version that learned from all: whoever refuses every negative difference
refuses most versions that are better. Measured in docs/evaluation.md.
Decision: neighbours and suggestions are heard together, record by record, since the head changes
both and the mean of two noisy figures is less noisy. The audit stream, which alone is without bias,
overrules them where it is clear by itself.
Source: one-sided paired bootstrap test, Efron and Tibshirani 1993; comparing two systems on the
same queries, Sakai 2006.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from app.ml.evaluation.comparison import Difference, Score

RAW = "raw"
EVIDENCE = "evidence"
HOLDOUT_ACCURACY = "holdout_accuracy"

METRIC_WORDS = {"r_precision": "like neighbours", "accuracy": "right suggestions"}
"""The figures that a verdict names, as pages name them."""

CONFIDENCE_LEVEL = 0.95
"""A contender is clearly worse if it is below the other in so many of the resampled draws."""


@dataclass(frozen=True)
class Decision:
    """Whether nothing speaks clearly against the head, and the sentence that says why."""

    is_good: bool
    sentence: str


def decide(
    raw: Sequence[Score], tuned: Sequence[Score], differences: Sequence[Difference]
) -> Decision:
    """Tuned against raw, and against the version in use where there is such a difference.

    raw, tuned   scores on the same queries, r_precision and accuracy among them; of the audit
                 alone where too few examples could be hidden
    differences  those called EVIDENCE, one for each rival, and AUDIT ones
    """
    references = list(dict.fromkeys(each.against for each in differences))
    words = {reference: _describe_standing(differences, reference) for reference in references}
    sentences = [f"Tuned is {words[RAW]} raw{_format_scores(raw, tuned)}."]
    for reference in references[1:]:
        n = _find_evidence(differences, reference).n
        sentences.append(
            f"It is {words[reference]} {reference}, asked about {n} labels new to both."
        )
    sentences += _format_holdout(raw, tuned)
    return Decision("worse than" not in words.values(), " ".join(sentences))


def _describe_standing(differences: Sequence[Difference], reference: str) -> str:
    """How tuned compares to a rival, in words; the audit is asked first."""
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
    """The figures on hidden examples; nothing where only the audit could tell."""
    before, after = _index_by_metric(raw), _index_by_metric(tuned)
    if "accuracy" not in after:
        return ""
    pairs = [f"{_format_pair(after, before, name)} {words}" for name, words in METRIC_WORDS.items()]
    n = after["accuracy"].n
    return f": {' and '.join(pairs)}, on {n:,} labeled records that were hidden from training"


def _format_holdout(raw: Sequence[Score], tuned: Sequence[Score]) -> list[str]:
    before, after = _index_by_metric(raw), _index_by_metric(tuned)
    if HOLDOUT_ACCURACY not in after:
        return []
    n = after[HOLDOUT_ACCURACY].n
    return [
        f"In the audit of {n:,} records: {_format_pair(after, before, HOLDOUT_ACCURACY)} right "
        "suggestions."
    ]


def _format_pair(after: dict[str, Score], before: dict[str, Score], metric: str) -> str:
    return f"{100 * after[metric].value:.1f} % against {100 * before[metric].value:.1f} %"


def _index_by_metric(scores: Sequence[Score]) -> dict[str, Score]:
    return {score.metric: score for score in scores if score.label_id is None}
