"""The metrics of runs: headline metrics, raw beside tuned, and all others."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.models import Evaluation, TrainingRun
from app.projects.labels import list_all_labels

WORDS = {
    "r_precision": "R-precision (same label among the R nearest)",
    "capped_top_k": "Precision@k, capped at the size of the label",
    "accuracy": "Accuracy of suggestions",
    "macro_f1": "Macro F1 (mean over labels)",
    "holdout_accuracy": "Accuracy, hold-out sample",
    "holdout_r_precision": "R-precision, hold-out sample",
}
"""The headline metrics."""

MORE_WORDS = {
    "top_k": "Precision@k (same label among the k nearest)",
    "ndcg": "NDCG (same-label records near the top)",
    "mrr": "MRR (1 / rank of the first same-label record)",
    "map": "Mean average precision",
    "macro_r_precision": "Macro R-precision (mean over labels)",
    "macro_precision": "Macro precision (mean over labels)",
    "macro_recall": "Macro recall (mean over labels)",
    "weighted_f1": "Weighted F1 (labels weighted by records)",
    "holdout_macro_f1": "Macro F1, hold-out sample",
    "graded_ndcg": "Graded NDCG (by number of shared labels)",
    "recall": "Recall@k (same-label records among the k nearest)",
    "macro_capped_top_k": "Macro precision@k, capped at the size of the label",
    "macro_mrr": "Macro MRR (mean over labels)",
    "macro_map": "Macro mean average precision (mean over labels)",
    "weighted_precision": "Weighted precision (labels weighted by records)",
    "weighted_recall": "Weighted recall (labels weighted by records)",
    "loss": "Log loss of suggestions",
    "holdout_loss": "Log loss, hold-out sample",
    "calibration_error": "Calibration error (probability against accuracy)",
    "holdout_calibration_error": "Calibration error, hold-out sample",
    "rbo": "Rank-biased overlap of raw and tuned order",
    "learning_curve": "Accuracy with k training labels",
    "gain_of_more": "Expected gain in accuracy from k more labels",
    "probe_overlap": "Neighbour retention, unlabeled records",
    "probe_rbo": "Rank-biased overlap, unlabeled records",
}
"""All other metrics."""

USUAL_K = 10


@dataclass(frozen=True)
class Figure:
    """One metric, raw beside tuned, on the same queries with the same k.

    active  the version active then, on the queries that it was not trained on
    """

    raw: Evaluation
    tuned: Evaluation
    active: Evaluation | None = None

    @property
    def words(self) -> str:
        """The display name of the metric."""
        return describe_metric(self.tuned.metric)


def describe_metric(metric: str) -> str:
    """Return the display name of the metric, its key if it has none."""
    return WORDS.get(metric) or MORE_WORDS.get(metric, metric)


def load_scores(db: Session, run: TrainingRun) -> Sequence[Evaluation]:
    """Load every score of the run, in the order of storage."""
    return db.scalars(
        select(Evaluation).where(Evaluation.run_id == run.id).order_by(Evaluation.id)
    ).all()


def load_figures(db: Session, runs: Sequence[TrainingRun]) -> dict[int, tuple[Figure, ...]]:
    """Load the headline metrics by run id. Runs without an evaluation are missing."""
    found: dict[int, dict[str, dict[str, Evaluation]]] = {}
    for score in _load_headlines(db, runs):
        if (score.k or 0) <= USUAL_K:
            # Of several depths, the last is the largest.
            found.setdefault(score.run_id, {}).setdefault(score.metric, {})[score.role] = score
    return {run_id: _order_figures(by_metric) for run_id, by_metric in found.items()}


def select_figures(scores: Sequence[Evaluation], metrics: Sequence[str]) -> tuple[Figure, ...]:
    """Select these metrics over all labels at the usual k, where both raw and tuned have them."""
    found: dict[str, dict[str, Evaluation]] = {}
    for score in scores:
        if score.metric in metrics and score.label_id is None and (score.k or 0) <= USUAL_K:
            found.setdefault(score.metric, {})[score.role] = score
    role_scores = [found[metric] for metric in metrics if metric in found]
    return tuple(
        Figure(of["raw"], of["tuned"]) for of in role_scores if {"raw", "tuned"} <= set(of)
    )


def _load_headlines(db: Session, runs: Sequence[TrainingRun]) -> Sequence[Evaluation]:
    return db.scalars(
        select(Evaluation)
        .where(
            Evaluation.run_id.in_([run.id for run in runs]),
            Evaluation.metric.in_(WORDS),
            Evaluation.label_id.is_(None),
        )
        .order_by(Evaluation.id)
    ).all()


def _order_figures(by_metric: Mapping[str, Mapping[str, Evaluation]]) -> tuple[Figure, ...]:
    role_scores = [by_metric[metric] for metric in WORDS if metric in by_metric]
    return tuple(
        Figure(of["raw"], of["tuned"], of.get("active"))
        for of in role_scores
        if {"raw", "tuned"} <= set(of)
    )


def score_as_json(score: Evaluation) -> dict[str, Any]:
    """Return one score with its k and n."""
    names = ("metric", "k", "n", "value", "low", "high", "chance")
    return {name: getattr(score, name) for name in names}


def evaluations_as_json(db: Session, run: TrainingRun) -> list[dict[str, Any]]:
    """Return every score of the run, with the current names of the labels."""
    scores = load_scores(db, run)
    names = {label.id: label.name for label in list_all_labels(db, run.project_id)}
    return [
        score_as_json(score)
        | {
            "role": score.role,
            "label": names.get(score.label_id or 0),
            "suggested": names.get(score.suggested_id or 0),
        }
        for score in scores
    ]
