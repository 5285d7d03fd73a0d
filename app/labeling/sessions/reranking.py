"""An open session in the order that its decided rows suggest, and where it should end.

Decision: only what is looked through for one label is put into another order; kinds.py says which
kinds of sessions these are.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.labeling.sessions.kinds import describe_kind
from app.labeling.sessions.known_labels import KnownLabels, load_known_labels, load_open_ranks
from app.labeling.sessions.rows import MOST_SUGGESTED
from app.labeling.sessions.suggestion_scores import Floats, compute_all_probabilities
from app.labeling.sessions.version_access import load_session_suggestions, open_base_version
from app.ml.reranking import compute_posterior, compute_prior_shares, propose_cutoff
from app.ml.vectors import Ids
from app.models import Label, LabelingSession, Project, SessionItem
from app.records.record_ids import load_id_columns
from app.search.suggestions import LIKELY

# Before so many rows are decided, what is learned from them is chance more than news.
LEAST_LEARNED = 5


@dataclass(frozen=True)
class RowOrder:
    """A user's open rows, the best first.

    ranks        (r,) int64, of the frozen order
    suggestions  rank → (label id, chance), best first; rows not named stay as they are
    n_learned    decided rows that this was learned from
    cut          how many of `ranks` come before the proposed end; None: there is none to propose
    """

    ranks: Ids
    is_reranked: bool
    suggestions: dict[int, list[tuple[int, float]]]
    n_learned: int
    cut: int | None = None
    cut_label: Label | None = None

    @property
    def cut_sentence(self) -> str:
        """What the proposed end means."""
        if self.cut_label is None:
            return ""
        return f"Below this line, fewer than half are probably {self.cut_label.name}."


@dataclass(frozen=True)
class Posterior:
    """What each row of a session probably is.

    label_ids  (K,) those that can be given now; chances (n, K) float32
    is_known   (n,) whether anything speaks about the row: a suggestion, or rows like it
    """

    label_ids: Ids
    chances: Floats
    is_known: NDArray[np.bool_]
    known_labels: KnownLabels


def compute_order(
    db: Session, project: Project, session: LabelingSession, user_id: int
) -> RowOrder:
    """Compute the order in which this user should go on with the session's open rows."""
    open_ranks = load_open_ranks(db, session, user_id)
    ranks, record_ids = _load_places(db, session)
    kind = describe_kind(session)
    if not kind.updates_suggestions or len(open_ranks) == 0:
        return RowOrder(open_ranks, False, {}, 0)
    posterior = _compute_posterior(db, project, session, user_id, record_ids)
    rows = np.searchsorted(ranks, open_ranks)
    n_learned = len(posterior.known_labels.rows)
    suggestions = {}
    if n_learned >= LEAST_LEARNED:
        suggestions = _suggest_labels(project, posterior, rows, open_ranks)
    if not kind.is_reranked or not posterior.is_known.any():
        return RowOrder(open_ranks, False, suggestions, n_learned)
    target_column = _find_target_column(session, posterior, record_ids)
    return _rank_by_label(
        db, posterior, target_column, rows, RowOrder(open_ranks, False, suggestions, n_learned)
    )


def _load_places(db: Session, session: LabelingSession) -> tuple[Ids, Ids]:
    """Rank and record of each row, both (n,): a deleted record leaves a gap among the ranks."""
    query = select(SessionItem.rank, SessionItem.record_id)
    query = query.where(SessionItem.session_id == session.id).order_by(SessionItem.rank)
    ranks, record_ids = load_id_columns(db, query)
    return ranks, record_ids


def _compute_posterior(
    db: Session, project: Project, session: LabelingSession, user_id: int, record_ids: Ids
) -> Posterior:
    suggestions = load_session_suggestions(db, session.version_id)
    label_ids, expected = compute_all_probabilities(db, project, suggestions, record_ids)
    known = load_known_labels(db, session, user_id, record_ids, label_ids)
    is_known = np.asarray(expected.any(axis=1), bool)
    if len(known.rows) < LEAST_LEARNED or len(label_ids) == 0:
        return Posterior(label_ids, expected, is_known, known)
    expected[~is_known] = compute_prior_shares(known.labels, int((~is_known).sum()))
    version = open_base_version(db, project)
    held = np.zeros(len(record_ids), bool)
    if version is not None:
        held = np.isin(record_ids, version.index.ids)
        expected[held] = _learn_probabilities(
            version.index.vectors(record_ids[held]), expected, held, known
        )
    chances = expected
    chances[known.rows] = known.labels
    return Posterior(label_ids, chances, is_known | held, known)


def _learn_probabilities(
    vectors: Floats, expected: Floats, held: NDArray[np.bool_], known: KnownLabels
) -> Floats:
    """Chances of the rows that have vectors, from those of them that are decided."""
    place = np.cumsum(held) - 1
    usable = held[known.rows]
    rows = place[known.rows[usable]]
    return compute_posterior(vectors, expected[held], rows, known.labels[usable])


def _suggest_labels(
    project: Project, posterior: Posterior, rows: Ids, ranks: Ids
) -> dict[int, list[tuple[int, float]]]:
    """Return what each open row would be accepted as: its likeliest label, or all the likely ones.

    Where nothing speaks about a row, how common labels are is no reason to suggest one.
    """
    most = MOST_SUGGESTED if project.is_multi_label else 1
    least = LIKELY if project.is_multi_label else 0.0
    found = {}
    is_known = posterior.is_known[rows]
    for row, rank in zip(rows[is_known].tolist(), ranks[is_known].tolist(), strict=True):
        chances = posterior.chances[row]
        best = np.argsort(-chances, kind="stable")[:most]
        named = [
            (int(posterior.label_ids[i]), float(chances[i])) for i in best if chances[i] > least
        ]
        if named:
            found[rank] = [(label_id, round(chance, 4)) for label_id, chance in named]
    return found


def _find_target_column(session: LabelingSession, posterior: Posterior, record_ids: Ids) -> int:
    """Find the column of the label that the session is about: its seed's, else the most
    expected."""
    named = session.seed.get("label_id")
    at = np.flatnonzero(posterior.label_ids == named)
    if len(at):
        return int(at[0])
    seeds = np.flatnonzero(np.isin(record_ids, session.seed.get("record_ids", [])))
    seed_labels = posterior.chances[np.intersect1d(seeds, posterior.known_labels.rows)]
    about = seed_labels if seed_labels.any() else posterior.chances
    return int(about.sum(axis=0).argmax())


def _rank_by_label(
    db: Session, posterior: Posterior, target_column: int, rows: Ids, order: RowOrder
) -> RowOrder:
    """Rank the open rows with the leading label first, and the end where it is no longer likely."""
    chances = np.where(posterior.is_known, posterior.chances[:, target_column], 0)[rows]
    is_learned = order.n_learned >= LEAST_LEARNED
    ranks = order.ranks
    if is_learned:
        best = np.argsort(-chances, kind="stable")
        ranks, chances = ranks[best], chances[best]
    cut = propose_cutoff(chances)
    if cut in (0, len(ranks)):
        return RowOrder(ranks, is_learned, order.suggestions, order.n_learned)
    label = db.get(Label, int(posterior.label_ids[target_column]))
    return RowOrder(ranks, is_learned, order.suggestions, order.n_learned, cut, label)
