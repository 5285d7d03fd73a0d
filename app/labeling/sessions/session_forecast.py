"""The forecast of an open session: what was decided in it is known, and corrects the rest.

Decision: how often a label's suggestions were right in this session says more about its open rows
than the chances that were promised; what corrected rows turned out to be takes the place of what
was suggested wrongly. How sure that is follows from how many rows were decided.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.labeling.sessions.forecast import Expected, Forecast, sum_up
from app.labeling.sessions.known_labels import KnownLabels, load_known_labels
from app.labeling.sessions.sessions import load_record_ids
from app.labeling.sessions.suggestion_scores import Floats, compute_all_probabilities
from app.labeling.sessions.version_access import load_session_suggestions
from app.ml.vectors import Ids
from app.models import Annotation, LabelingSession, Project
from app.models.enums import LABELING_VERDICTS
from app.projects.label_resolver import load_merge_targets
from app.search.suggestions import LIKELY

BEFOREHAND = 2.0
"""Decisions that the promised chances count for: the first row decided is no proof."""


@dataclass(frozen=True)
class Correction:
    """What the judged suggestions changed.

    doubts        (K,) the variance of each label's expected number that stems from it
    is_corrected  (n, K) the chances that are others now
    """

    doubts: NDArray[np.float64]
    is_corrected: NDArray[np.bool_]


@dataclass(frozen=True)
class Judged:
    """Suggestions that were judged in the session.

    scores    (m, K) float32, the chance that was promised of each suggested label, else 0
    is_right  (m, K) whether the row turned out to carry the label
    labels    (m, K) float32, the labels that the row carries
    """

    scores: Floats
    is_right: NDArray[np.bool_]
    labels: Floats


def forecast_session(
    db: Session, project: Project, session: LabelingSession, user_id: int
) -> Forecast:
    """Forecast what the session's records will turn out to be, by what was decided so far."""
    ids = load_record_ids(db, session)
    suggestions = load_session_suggestions(db, session.version_id)
    labels, shares = compute_all_probabilities(db, project, suggestions, ids)
    known = load_known_labels(db, session, user_id, ids, labels)
    is_open = np.ones(len(ids), bool)
    is_open[known.rows] = False
    suggested = _find_suggested(shares, is_multi=project.is_multi_label)
    judged = _find_judged(
        db,
        session,
        user_id,
        ids,
        labels,
        known,
        shares * suggested,
        is_multi=project.is_multi_label,
    )
    correction = correct_shares(
        shares, suggested & is_open[:, None], judged, is_multi=project.is_multi_label
    )
    is_unknown = (shares.sum(axis=1) == 0) & is_open
    shares[known.rows] = known.labels
    return sum_up(
        db,
        project,
        Expected(
            labels, shares, len(known.rows), is_unknown, correction.doubts, correction.is_corrected
        ),
    )


def correct_shares(
    shares: Floats, suggested: NDArray[np.bool_], judged: Judged, *, is_multi: bool
) -> Correction:
    """Correct the chances in place by how often suggestions were right in the session.

    shares  (n, K) float32; suggested  (n, K) whether an open row is suggested the label
    """
    doubts = np.zeros(shares.shape[1])
    chances = shares.copy()
    for column in np.flatnonzero(judged.scores.any(axis=0)):
        is_judged = judged.scores[:, column] > 0
        is_right = judged.is_right[is_judged, column]
        n, promised = len(is_right), float(judged.scores[is_judged, column].mean())
        kept = (is_right.sum() + BEFOREHAND * promised) / (n + BEFOREHAND)
        rows = suggested[:, column]
        if is_right.all() or kept >= promised or not rows.any():
            continue
        instead = np.zeros(shares.shape[1])
        if not is_multi:
            instead = judged.labels[is_judged][~is_right].mean(axis=0).astype(np.float64)
        instead[column] = -1.0
        moved = chances[rows, column].astype(np.float64) * (1 - kept / promised)
        shares[rows] += (moved[:, None] * instead).astype(np.float32)
        spread = np.sqrt(kept * (1 - kept) / (n + BEFOREHAND + 1)) / promised
        doubts += (float(chances[rows, column].sum()) * spread * instead) ** 2
    return Correction(doubts, shares != chances)


def _find_suggested(shares: Floats, *, is_multi: bool) -> NDArray[np.bool_]:
    """Which labels each row is suggested, (n, K): all likely ones, or the likeliest."""
    if is_multi or shares.shape[1] == 0:
        return np.asarray(shares >= LIKELY)
    is_best = np.zeros(shares.shape, bool)
    is_best[np.arange(len(shares)), shares.argmax(axis=1)] = True
    return np.asarray(is_best & (shares > 0))


def _find_judged(
    db: Session,
    session: LabelingSession,
    user_id: int,
    ids: Ids,
    labels: Ids,
    known: KnownLabels,
    scores: Floats,
    *,
    is_multi: bool,
) -> Judged:
    """Suggestions as the page showed them when the user decided: by now they may know better.

    scores  (n, K) float32, what is suggested now: for rows of which nothing is remembered
    """
    shown = _read_shown(db, session, user_id)
    place = {int(record_id): row for row, record_id in enumerate(ids)}
    column = {int(label_id): at for at, label_id in enumerate(labels)}
    known_by_row = dict(zip(known.rows.tolist(), known.labels, strict=True))
    rows = [place[each] for each in shown if place.get(each) in known_by_row]
    promised = scores[np.array(rows, np.int64)]
    for at, row in enumerate(rows):
        label_id, score = shown[int(ids[row])]
        if label_id in column and score and not is_multi:
            promised[at] = 0
            promised[at, column[label_id]] = score
    truth = np.array([known_by_row[row] for row in rows], np.float32).reshape(promised.shape)
    return Judged(promised, truth > 0, truth)


def _read_shown(
    db: Session, session: LabelingSession, user_id: int
) -> dict[int, tuple[int | None, float | None]]:
    """Record id → the suggestion, and its score, that the user first decided it with here."""
    targets = load_merge_targets(db, session.project_id)
    rows = db.execute(
        select(Annotation.record_id, Annotation.suggestion_id, Annotation.suggestion_score)
        .where(
            Annotation.session_id == session.id,
            Annotation.user_id == user_id,
            Annotation.withdrawn_at.is_(None),
            Annotation.verdict.in_(LABELING_VERDICTS),
        )
        .order_by(Annotation.action_id)
    )
    shown: dict[int, tuple[int | None, float | None]] = {}
    for record_id, label_id, score in rows:
        label = None if label_id is None else targets.get(label_id, label_id)
        shown.setdefault(record_id, (label, score))
    return shown
