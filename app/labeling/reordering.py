"""An open session in the order that its decided rows suggest, and where it should end.

Decision: only what is looked through for one label is put into another order: the likes of a
record, a selection, a label or words, and pages of equal suggestions. Representative, uncertain and
uncovered records stand in the order in which they teach; chance and an audit must stay chance;
contradictions stand in pairs; the last import and given records are in somebody's order.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.labeling.availability import raw_version, suggested_now
from app.labeling.certainty import LIKELY, Floats, Ids, shares_of_every_label
from app.labeling.decided import Decided, decided, open_ranks
from app.labeling.items import MOST_SUGGESTED
from app.models import Label, LabelingSession, Project, SessionItem
from app.records.matching import columns_of
from app.similarity.reranking import learned_chances, proposed_end, usual_shares

REORDERED = ("record", "selection", "label", "text", "suggested")
# An audit asks without suggesting; of labeled rows, what they carry would be suggested back.
UNSUGGESTED = ("audit", "suspects", "contradictions")
# Before so many rows are decided, what is learned from them is chance more than news.
LEAST_LEARNED = 5


@dataclass(frozen=True)
class Order:
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
        return f"Below here fewer than half are likely {self.cut_label.name}."


@dataclass(frozen=True)
class Belief:
    """What each row of a session probably is.

    label_ids  (K,) those that can be given now; chances (n, K) float32
    is_known   (n,) whether anything speaks about the row: a suggestion, or rows like it
    """

    label_ids: Ids
    chances: Floats
    is_known: NDArray[np.bool_]
    decided: Decided


def order_of(db: Session, project: Project, session: LabelingSession, user_id: int) -> Order:
    """The session's open rows as this user should go on with them."""
    open_ones = open_ranks(db, session, user_id)
    ranks, record_ids = _places(db, session)
    if session.seed_kind in UNSUGGESTED or len(open_ones) == 0:
        return Order(open_ones, False, {}, 0)
    belief = _belief(db, project, session, user_id, record_ids)
    rows = np.searchsorted(ranks, open_ones)
    n_learned = len(belief.decided.rows)
    suggestions = {}
    if n_learned >= LEAST_LEARNED:
        suggestions = _suggestions(project, belief, rows, open_ones)
    if session.seed_kind not in REORDERED or not belief.is_known.any():
        return Order(open_ones, False, suggestions, n_learned)
    lead = _lead(session, belief, record_ids)
    return _towards(db, belief, lead, rows, Order(open_ones, False, suggestions, n_learned))


def _places(db: Session, session: LabelingSession) -> tuple[Ids, Ids]:
    """Rank and record of each row, both (n,): a deleted record leaves a gap among the ranks."""
    ours = select(SessionItem.rank, SessionItem.record_id)
    ours = ours.where(SessionItem.session_id == session.id).order_by(SessionItem.rank)
    ranks, record_ids = columns_of(db, ours)
    return ranks, record_ids


def _belief(
    db: Session, project: Project, session: LabelingSession, user_id: int, record_ids: Ids
) -> Belief:
    suggestions = suggested_now(db, session.encoder_id)
    label_ids, expected = shares_of_every_label(db, project, suggestions, record_ids)
    known = decided(db, session, user_id, record_ids, label_ids)
    is_known = np.asarray(expected.any(axis=1), bool)
    if len(known.rows) < LEAST_LEARNED or len(label_ids) == 0:
        return Belief(label_ids, expected, is_known, known)
    expected[~is_known] = usual_shares(known.said, int((~is_known).sum()))
    version = raw_version(db, project)
    held = np.zeros(len(record_ids), bool)
    if version is not None:
        held = np.isin(record_ids, version.index.ids)
        expected[held] = _learned(version.index.vectors(record_ids[held]), expected, held, known)
    chances = expected
    chances[known.rows] = known.said
    return Belief(label_ids, chances, is_known | held, known)


def _learned(vectors: Floats, expected: Floats, held: NDArray[np.bool_], known: Decided) -> Floats:
    """Chances of the rows that have vectors, from those of them that are decided."""
    place = np.cumsum(held) - 1
    usable = held[known.rows]
    rows = place[known.rows[usable]]
    return learned_chances(vectors, expected[held], rows, known.said[usable])


def _suggestions(
    project: Project, belief: Belief, rows: Ids, ranks: Ids
) -> dict[int, list[tuple[int, float]]]:
    """What each open row would be accepted as: its likeliest label, or all the likely ones.

    Where nothing speaks about a row, how common labels are is no reason to suggest one.
    """
    most = MOST_SUGGESTED if project.is_multi_label else 1
    least = LIKELY if project.is_multi_label else 0.0
    found = {}
    is_known = belief.is_known[rows]
    for row, rank in zip(rows[is_known].tolist(), ranks[is_known].tolist(), strict=True):
        chances = belief.chances[row]
        best = np.argsort(-chances, kind="stable")[:most]
        named = [(int(belief.label_ids[i]), float(chances[i])) for i in best if chances[i] > least]
        if named:
            found[rank] = [(label_id, round(chance, 4)) for label_id, chance in named]
    return found


def _lead(session: LabelingSession, belief: Belief, record_ids: Ids) -> int:
    """The column of the label that the session is about: its seed's, else the most expected."""
    named = session.seed.get("label_id")
    at = np.flatnonzero(belief.label_ids == named)
    if len(at):
        return int(at[0])
    seeds = np.flatnonzero(np.isin(record_ids, session.seed.get("record_ids", [])))
    said = belief.chances[np.intersect1d(seeds, belief.decided.rows)]
    about = said if said.any() else belief.chances
    return int(about.sum(axis=0).argmax())


def _towards(db: Session, belief: Belief, lead: int, rows: Ids, order: Order) -> Order:
    """The open rows with the leading label first, and the end where it is no longer likely."""
    chances = np.where(belief.is_known, belief.chances[:, lead], 0)[rows]
    is_learned = order.n_learned >= LEAST_LEARNED
    ranks = order.ranks
    if is_learned:
        best = np.argsort(-chances, kind="stable")
        ranks, chances = ranks[best], chances[best]
    cut = proposed_end(chances)
    if cut in (0, len(ranks)):
        return Order(ranks, is_learned, order.suggestions, order.n_learned)
    label = db.get(Label, int(belief.label_ids[lead]))
    return Order(ranks, is_learned, order.suggestions, order.n_learned, cut, label)
