"""The figures of runs: those that are shown first, raw beside tuned, and every single one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.models import Evaluation, TrainingRun
from app.projects.labels import list_all_labels

WORDS = {
    "r_precision": "Like neighbours among as many as there are",
    "capped_top_k": "Like neighbours among k, or all there are",
    "accuracy": "Right suggestions",
    "macro_f1": "Right suggestions, each label counting the same",
    "holdout_accuracy": "Right suggestions, in the audit",
    "holdout_r_precision": "Like neighbours, in the audit",
}
"""The figures that are shown first; a run keeps many more."""

MORE_WORDS = {
    "top_k": "Like neighbours among the k nearest",
    "ndcg": "NDCG: like neighbours near the top",
    "mrr": "MRR: 1 / rank of the first like neighbour",
    "map": "Mean average precision",
    "macro_r_precision": "Like neighbours, each label the same",
    "macro_precision": "Precision, each label the same",
    "macro_recall": "Recall, each label the same",
    "weighted_f1": "F1, labels by their records",
    "holdout_macro_f1": "In the audit, each label counting the same",
    "graded_ndcg": "NDCG, by how many labels are shared",
    "recall": "Of all like neighbours, those among the k nearest",
    "macro_capped_top_k": "The same, each label the same",
    "macro_mrr": "MRR, each label the same",
    "macro_map": "Mean average precision, each label the same",
    "weighted_precision": "Precision, labels by their records",
    "weighted_recall": "Recall, labels by their records",
    "loss": "Log loss of the suggestions",
    "holdout_loss": "Log loss of the suggestions, in the audit",
    "calibration_error": "How far the chances told are from what came true",
    "holdout_calibration_error": "How far the chances told are from what came true, in the audit",
    "rbo": "RBO: overlap of the raw and the tuned order",
    "learning_curve": "Right suggestions, with k labels to learn from",
    "gain_of_more": "What k more labels would add to right suggestions",
    "probe_overlap": "Nearest neighbours kept, among records nobody labeled",
    "probe_rbo": "Order kept, among records nobody labeled",
}
"""The others."""

USUAL_K = 10


@dataclass(frozen=True)
class Figure:
    """One metric, raw beside tuned, on the same queries with the same k.

    active  the version that was in use, on those queries that it had not learned from
    """

    raw: Evaluation
    tuned: Evaluation
    active: Evaluation | None = None

    @property
    def words(self) -> str:
        """The metric in plain words."""
        return describe_metric(self.tuned.metric)


def describe_metric(metric: str) -> str:
    """The metric in plain words; its own name where there are none."""
    return WORDS.get(metric) or MORE_WORDS.get(metric, metric)


def load_scores(db: Session, run: TrainingRun) -> Sequence[Evaluation]:
    """Every number that the run measured, in the order in which they were kept."""
    return db.scalars(
        select(Evaluation).where(Evaluation.run_id == run.id).order_by(Evaluation.id)
    ).all()


def load_figures(db: Session, runs: Sequence[TrainingRun]) -> dict[int, tuple[Figure, ...]]:
    """By run: the figures that are shown first. Runs that measured nothing are missing."""
    found: dict[int, dict[str, dict[str, Evaluation]]] = {}
    for score in _load_headlines(db, runs):
        if (score.k or 0) <= USUAL_K:
            # Of several depths, the last is the largest.
            found.setdefault(score.run_id, {}).setdefault(score.metric, {})[score.role] = score
    return {run_id: _order_figures(by_metric) for run_id, by_metric in found.items()}


def select_figures(scores: Sequence[Evaluation], metrics: Sequence[str]) -> tuple[Figure, ...]:
    """These metrics of a run, of all labels together, at the usual k; those that raw and tuned both
    have."""
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
    """One number, never without its k and n."""
    names = ("metric", "k", "n", "value", "low", "high", "chance")
    return {name: getattr(score, name) for name in names}


def evaluations_as_json(db: Session, run: TrainingRun) -> list[dict[str, Any]]:
    """Every number of the run, labels by their names; what a label is called may have changed."""
    scores = load_scores(db, run)
    names = {label.id: label.name for label in list_all_labels(db, run.project_id)}
    return [
        score_as_json(each)
        | {
            "role": each.role,
            "label": names.get(each.label_id or 0),
            "suggested": names.get(each.suggested_id or 0),
        }
        for each in scores
    ]
