"""The forecast of a session before it is opened: which label prevails, and how much of it."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.labeling.annotations.votes import human_vote_conditions
from app.labeling.sessions.suggestion_scores import Floats, compute_all_probabilities
from app.labeling.sessions.version_access import load_session_suggestions
from app.ml.evaluation.intervals import NORMAL_95
from app.ml.reranking import propose_cutoff
from app.ml.vectors import Ids
from app.models import Annotation, Project
from app.projects.label_resolver import load_merge_targets
from app.projects.labels import list_all_labels
from app.records.records import load_consensus
from app.search.similar import Seed
from app.search.suggestions import Suggestions

CORRELATION = 2.0
N_NEWEST_JUDGED = 500
# As if two mistakes had been expected and made before: a few rows prove nothing.
PRIOR_MISTAKES = 2.0
MIN_MISTAKE_RATIO, MAX_MISTAKE_RATIO = 0.25, 4.0


@dataclass(frozen=True)
class Forecast:
    """label_id is expected on `share` of the session's records, with 95 % between low and high.

    n_labeled  records that carry a consensus already: they are counted, not forecast
    n_unknown  records that nothing is suggested for: they count as not carrying the label
    n_likely   how many of them, in their order, come before the label's chance falls below a half;
               0 where that is none or all: there is no shorter session to propose
    label_id   None, and share 0, while nothing is known about any of them
    """

    n_records: int
    n_labeled: int
    n_unknown: int
    label_id: int | None
    label: str
    share: float
    low: float
    high: float
    n_likely: int = 0

    @property
    def sentence(self) -> str:
        """Such as "About 92 % World (95 % interval 86 to 96 %); 14 already labeled."."""
        labeled = f"{self.n_labeled:,} already labeled." if self.n_labeled else ""
        if self.n_labeled == self.n_records:
            return labeled
        if self.label_id is None or 0 < self.n_unknown == self.n_records - self.n_labeled:
            return labeled and f"No suggestions yet; {labeled}"
        share, low, high = (f"{100 * each:.0f}" for each in (self.share, self.low, self.high))
        words = f"About {share} % {self.label} (95 % interval {low} to {high} %)"
        return f"{words}; {labeled}" if labeled else f"{words}."


@dataclass(frozen=True)
class Expected:
    """What is expected of a session's records, and what is known.

    labels      (K,) int64; shares (n, K) float32, their chances: 1 and 0 where they are known
    n_labeled   rows that are known; is_unknown (n,) rows of which nothing is known or suggested
    doubts      (K,) variance of each label's expected number beside that of the chances
    is_kept     (n, K) chances that are not to be mended by how suggestions did elsewhere
    """

    labels: Ids
    shares: Floats
    n_labeled: int
    is_unknown: NDArray[np.bool_]
    doubts: NDArray[np.float64]
    is_kept: NDArray[np.bool_]


def forecast_records(
    db: Session,
    project: Project,
    suggestions: Suggestions,
    record_ids: Ids,
    about: int | None = None,
) -> Forecast:
    """Forecast the labels of these records.

    about  the label that somebody looks for; None: the one that is expected most

    The number of records with the label is a sum of chances, so its spread follows from them;
    mistakes come in groups, though, so it is doubled, and one record more allowed for. Measured on
    the pages that a simulated annotator labels: 94 of 100 intervals held on news, 82 on queries.
    """
    agreed = load_consensus(db, [int(each) for each in record_ids])
    labels, shares = compute_all_probabilities(db, project, suggestions, record_ids)
    targets = load_merge_targets(db, project.id)
    is_unknown = shares.sum(axis=1) == 0
    for row, record_id in enumerate(record_ids.tolist()):
        if label_ids := agreed.get(record_id):
            carried = [
                targets.get(label_id, label_id) for label_id in label_ids if label_id is not None
            ]
            shares[row] = np.isin(labels, carried)
            is_unknown[row] = False
    doubts, is_kept = np.zeros(len(labels)), np.zeros(shares.shape, bool)
    chances = Expected(labels, shares, len(agreed), is_unknown, doubts, is_kept)
    return sum_up(db, project, chances, about)


def sum_up(db: Session, project: Project, chances: Expected, about: int | None = None) -> Forecast:
    """Sum up the chances of a session's records as a forecast of its prevailing label."""
    labels, shares = chances.labels, chances.shares
    n, n_labeled, n_unknown = len(shares), chances.n_labeled, int(chances.is_unknown.sum())
    expected = shares.sum(axis=0, dtype=np.float64)
    if n == 0 or expected.size == 0 or expected.max() <= 0:
        return Forecast(n, n_labeled, n_unknown, None, "", 0.0, 0.0, 0.0)
    column = int((labels == about).argmax() if about in labels else expected.argmax())
    p = shares[:, column].astype(np.float64)
    mended = _correct_for_mistakes(p, compute_mistake_ratio(db, project))
    p = np.where(chances.is_kept[:, column], p, mended)
    variance = CORRELATION * (p * (1 - p)).sum() + 1 + chances.doubts[column]
    half = NORMAL_95 * float(np.sqrt(variance)) / n
    share = float(p.mean())
    name = {label.id: label.name for label in list_all_labels(db, project.id)}[int(labels[column])]
    return Forecast(
        n,
        n_labeled,
        n_unknown,
        int(labels[column]),
        name,
        share,
        max(0.0, share - half),
        min(1.0, share + half),
        propose_cutoff(p) % n,
    )


def _correct_for_mistakes(p: NDArray[np.float64], mistakes: float) -> NDArray[np.float64]:
    """Chances of the label as suggestions have kept them of late; what is labeled stays certain."""
    return np.where(p > 0.5, 1 - np.minimum(mistakes * (1 - p), 0.5), p)


def forecast_by_version(
    db: Session,
    project: Project,
    version_id: int | None,
    record_ids: Ids,
    about: int | None = None,
) -> Forecast:
    """Forecast by what that version suggests now; without a version by the labels alone."""
    return forecast_records(
        db, project, load_session_suggestions(db, version_id), record_ids, about
    )


def find_seed_label(db: Session, seed: Seed | None) -> int | None:
    """Find the label that a session with this seed is about: its own, or the one its records
    carry."""
    if seed is None or seed.kind == "given":
        return None
    carried = load_consensus(db, seed.record_ids).values()
    agreed = {label_id for labels in carried for label_id in labels}
    return agreed.pop() if len(agreed) == 1 else seed.label_id


def compute_mistake_ratio(db: Session, project: Project) -> float:
    """How many suggestions were wrong for each that was expected to be, from 0.25 to 4; 1 before
    anybody judged one.

    Counted over the newest rows that people judged one by one or on a page. Suggestions are
    calibrated on records that were labeled already, which are the easier ones; this mends it.
    """
    if project.is_multi_label:
        return 1.0
    judged = (
        select(Annotation.label_id, Annotation.suggestion_id, Annotation.suggestion_score)
        .where(
            *human_vote_conditions(project.id),
            Annotation.suggestion_score.is_not(None),
            Annotation.rank.is_not(None),
        )
        .order_by(Annotation.id.desc())
        .limit(N_NEWEST_JUDGED)
    )
    rows = db.execute(judged).all()
    expected = sum(1 - (score or 0.0) for _, _, score in rows)
    wrong = sum(label_id != suggestion_id for label_id, suggestion_id, _ in rows)
    ratio = (wrong + PRIOR_MISTAKES) / (expected + PRIOR_MISTAKES)
    return min(MAX_MISTAKE_RATIO, max(MIN_MISTAKE_RATIO, ratio))
