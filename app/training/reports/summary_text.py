"""The result of a run in sentences: did it help, how much, for which labels, with what confidence.

Decision: the same differences and the same bound decide here as in the gate
(app.ml.evaluation.activation_gate), so that the sentences never contradict the activation.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from app.ml.evaluation.activation_gate import CONFIDENCE_LEVEL, EVIDENCE, HOLDOUT_ACCURACY, RAW
from app.models import Evaluation
from app.training.plots.canvas import percent, points
from app.training.plots.dots import GainRow
from app.training.reports.metrics import Figure
from app.web.wording import format_count

FEW = 100
MOST_NAMED = 6
HOW_MUCH = {
    "r_precision": "R-precision (share of the R nearest with the record's label)",
    "accuracy": "Accuracy of suggestions",
    HOLDOUT_ACCURACY: "Accuracy in the hold-out sample",
}
BASES = {
    HOLDOUT_ACCURACY: ("Hold-out sample (decides first)", "randomly drawn records"),
    EVIDENCE: (
        "R-precision and accuracy combined",
        "held-out labeled records",
    ),
}
"""The basis of a difference between versions: measure and records."""


@dataclass(frozen=True)
class Story:
    """The answer, its kind (good, warn, bad, info), and the sentences below it."""

    answer: str
    kind: str
    how_much: tuple[str, ...]
    for_which: tuple[str, ...]
    how_sure: tuple[str, ...]


def write_story(
    figures: Sequence[Figure],
    scores: Sequence[Evaluation],
    differences: Sequence[Mapping[str, Any]],
    labels: Sequence[GainRow],
) -> Story:
    """Write the summary of a run that has succeeded.

    figures      headline metrics; empty where nothing could be evaluated
    scores       every score of the run
    differences  those of measured.facts
    labels       the gain of each label, by r_precision
    """
    if not figures:
        return Story(
            "This run could not be evaluated.",
            "warn",
            ("Too few labeled records could be held out for evaluation.",),
            (),
            (),
        )
    against_raw = [difference for difference in differences if difference["against"] == RAW]
    answer, kind = _describe_outcome(against_raw, scores)
    return Story(
        answer,
        kind,
        tuple(_describe_gains(figures, scores)),
        tuple(_describe_labels(labels)),
        tuple(_describe_certainty(figures, differences)),
    )


def _describe_outcome(
    against_raw: Sequence[Mapping[str, Any]], scores: Sequence[Evaluation]
) -> tuple[str, str]:
    return {
        1: ("Yes, this run helped.", "good"),
        0: ("No clear difference yet.", "info"),
        -1: ("No, this run made things worse.", "bad"),
    }[_compare_with_raw(against_raw, scores)]


def _compare_with_raw(
    against_raw: Sequence[Mapping[str, Any]], scores: Sequence[Evaluation]
) -> int:
    """Return 1 if clearly better than raw, -1 if clearly worse, else 0; hold-out sample first."""
    for metric in BASES:
        for each in against_raw:
            if each["metric"] == metric and each["chance_worse"] >= CONFIDENCE_LEVEL:
                return -1
            if each["metric"] == metric and each["chance_worse"] <= 1 - CONFIDENCE_LEVEL:
                return 1
    found = None if against_raw else _find_gain_over_raw(scores, EVIDENCE)
    return 0 if found is None else int(found.low > 0) - int(found.high < 0)


def _describe_gains(figures: Sequence[Figure], scores: Sequence[Evaluation]) -> list[str]:
    sentences = []
    for figure in figures:
        words, gain = (
            HOW_MUCH.get(figure.tuned.metric),
            _find_gain_over_raw(scores, figure.tuned.metric),
        )
        if words is None:
            continue
        sentence = (
            f"{words}: {percent(figure.tuned.value, 1)} tuned, {percent(figure.raw.value, 1)} raw"
        )
        sentence += "" if gain is None else f", {_format_gain(gain)}"
        sentences.append(f"{sentence}, n = {figure.tuned.n:,}.")
    return sentences


def _format_gain(gain: Evaluation) -> str:
    """Write the gain with its interval, so that an unclear gain does not read like a fact."""
    low, high = points(gain.low), points(gain.high)
    if gain.low <= 0 <= gain.high:
        return f"{points(gain.value)} points (95 % interval {low} to {high}, unclear)"
    return f"{points(gain.value)} points (95 % interval {low} to {high})"


def _describe_labels(labels: Sequence[GainRow]) -> list[str]:
    better = sorted((label for label in labels if label.is_better), key=lambda each: -each.value)
    worse = sorted((label for label in labels if label.is_worse), key=lambda each: each.value)
    unclear = [label for label in labels if not (label.is_better or label.is_worse)]
    sentences = []
    if better:
        sentences.append(f"Clearly better: {_join_names(better)}.")
    if worse:
        sentences.append(f"Clearly worse: {_join_names(worse)}.")
    if unclear:
        which = "every label" if len(unclear) == len(labels) else _join_names(unclear)
        sentences.append(f"No clear change: {which}.")
    return sentences


def _join_names(parts: Sequence[GainRow]) -> str:
    named = [f"{part.name} ({points(part.value)})" for part in parts[:MOST_NAMED]]
    more = f" and {len(parts) - MOST_NAMED} more" if len(parts) > MOST_NAMED else ""
    return ", ".join(named) + more


def _describe_certainty(
    figures: Sequence[Figure], differences: Sequence[Mapping[str, Any]]
) -> list[str]:
    n = figures[0].tuned.n
    sentences = [
        _format_difference(difference)
        for metric in BASES
        for difference in differences
        if difference["metric"] == metric
    ]
    if sentences:
        sentences.append(
            f"A difference is clear from {percent(CONFIDENCE_LEVEL)} of the bootstrap samples."
        )
    if n < FEW:
        sentences.append(
            f"Only {format_count(n, 'record')} held out: more labels make metrics more reliable."
        )
    if not any(figure.tuned.metric == HOLDOUT_ACCURACY for figure in figures):
        sentences.append(
            "The held-out records were labeled in sessions or imported, not drawn at random. A "
            "hold-out session measures the accuracy for all records."
        )
    return sentences


def _format_difference(each: Mapping[str, Any]) -> str:
    ahead = "all" if each["chance_worse"] == 0 else percent(1 - each["chance_worse"], 1)
    against = "raw" if each["against"] == RAW else f"{each['against']} (active then)"
    measure, records = BASES[each["metric"]]
    return (
        f"{measure}: {points(each['value'])} points over {against}, ahead in {ahead} of 1,000 "
        f"bootstrap samples of the {each['n']:,} {records}."
    )


def _find_gain_over_raw(scores: Sequence[Evaluation], metric: str) -> Evaluation | None:
    wanted = ("over_raw", metric, None)
    return next((s for s in scores if (s.role, s.metric, s.label_id) == wanted), None)
