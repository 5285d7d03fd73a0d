"""Records worth a second look, or a first one: what the neighbours say, and who has none.

All are found on the raw vectors, which no label has bent.
Decision: a page waits for this, so at most MOST_ASKED labeled records are compared with the
others: those whose own label the active version finds least likely.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.labeling.sessions.suggestion_scores import Floats
from app.ml.vectors import Ids
from app.models import Consensus, Import, Project, Record
from app.projects.label_resolver import NONE_OF_THESE
from app.records.record_ids import load_id_columns
from app.search.indexes import LoadedVersion
from app.search.suggestions import Suggestions

NEIGHBOURS = 10
# Two texts this alike say the same, apart from a name or a number: measured on flight queries, 999
# of 1,000 such pairs carry one label.
NEARLY_EQUAL = 0.98
# A labeled record counts as suspect when fewer of its neighbours than this agree with it.
LEAST_AGREEMENT = 0.5
# While labels are fewer than this, and than this share of the records, the nearest labeled ones are
# not near: after the first representatives every label would be suspect.
LEAST_LABELED, LEAST_SHARE = 100, 0.02
AT_ONCE = 2_000
MAX_QUERIES = 2_000


@dataclass(frozen=True)
class LabeledRecords:
    """Labeled records that a version holds, and what each carries.

    ids      (m,) int64, ascending
    labels   (K,) int64; carried (m, K + 1) bool, whose last column is "none of these"
    """

    ids: Ids
    labels: Ids
    carried: NDArray[np.bool_]


def find_likely_mislabeled(version: LoadedVersion, labeled: LabeledRecords, queries: Ids) -> Ids:
    """Of these labeled records, those that most of their nearest labeled neighbours disagree with:
    the worst first. None while labels are too few to have others near them.

    version  the raw one; asked (q,) int64, rows of `labeled`
    """
    if len(labeled.ids) < max(2, min(LEAST_LABELED, LEAST_SHARE * version.index.n_records)):
        return np.empty(0, np.int64)
    similarities, near = _find_neighbours(version, labeled.ids, queries)
    weights = np.maximum(similarities, 0)
    agrees = (labeled.carried[queries][:, None, :] & labeled.carried[near]).any(axis=2)
    agreement = (weights * agrees).sum(axis=1) / np.maximum(weights.sum(axis=1), 1e-9)
    worst = np.argsort(agreement, kind="stable")
    found: Ids = labeled.ids[queries[worst[agreement[worst] < LEAST_AGREEMENT]]]
    return found


def find_conflicting_duplicates(
    version: LoadedVersion, labeled: LabeledRecords, queries: Ids
) -> Ids:
    """Of these labeled records, those nearly equal to one that is labeled differently, each beside
    its counterpart."""
    if len(labeled.ids) < 2:
        return np.empty(0, np.int64)
    similarities, near = _find_neighbours(version, labeled.ids, queries)
    differs = (labeled.carried[queries][:, None, :] != labeled.carried[near]).any(axis=2)
    rows, places = np.nonzero((similarities >= NEARLY_EQUAL) & differs)
    order = np.argsort(-similarities[rows, places], kind="stable")
    pairs = np.stack([queries[rows], near[rows, places]], axis=1)[order]
    return labeled.ids[np.array(list(dict.fromkeys(pairs.ravel().tolist())), np.int64)]


def select_k_center(version: LoadedVersion, labeled: Ids, open_ids: Ids, k: int) -> Ids:
    """Open records that no labeled record is like, each far from the others as well: at most k.

    Source: k-center greedy, Sener and Savarese 2018, Active Learning for CNNs: A Core-Set Approach.
    """
    rows = version.index.vectors(open_ids)
    nearest = np.full(len(rows), -1.0, np.float32)
    for start in range(0, len(labeled), AT_ONCE):
        some = version.index.vectors(labeled[start : start + AT_ONCE])
        nearest = np.maximum(nearest, (rows @ some.T).max(axis=1))
    picked: list[int] = []
    for _ in range(min(k, len(rows))):
        farthest = int(nearest.argmin())
        picked.append(farthest)
        nearest = np.maximum(nearest, rows @ rows[farthest])
        nearest[picked] = np.inf
    return open_ids[np.array(picked, np.int64)]


def load_labeled_records(db: Session, project: Project, version: LoadedVersion) -> LabeledRecords:
    """Load the project's records with consensus, as far as the version holds them."""
    agreed = select(Consensus.record_id, func.coalesce(Consensus.label_id, NONE_OF_THESE))
    agreed_in_project = agreed.where(Consensus.project_id == project.id).order_by(
        Consensus.record_id
    )
    records, label_ids = load_id_columns(db, agreed_in_project)
    is_held = np.isin(records, version.index.ids)
    records, label_ids = records[is_held], label_ids[is_held]
    ids = records[np.diff(records, prepend=-1) > 0]
    labels = np.array(sorted(set(label_ids.tolist()) - {NONE_OF_THESE}), np.int64)
    columns = np.searchsorted(labels, label_ids)
    columns[label_ids == NONE_OF_THESE] = len(labels)
    carried = np.zeros((len(ids), len(labels) + 1), bool)
    carried[np.searchsorted(ids, records), columns] = True
    return LabeledRecords(ids, labels, carried)


def select_most_doubtful(labeled: LabeledRecords, suggestions: Suggestions, among: Ids) -> Ids:
    """Rows of at most MOST_ASKED labeled records that are among these: least likely labels first.

    Records that nothing is suggested for count as doubtful.
    """
    rows = np.flatnonzero(np.isin(labeled.ids, among))
    probabilities = suggestions.probabilities(labeled.ids[rows])
    own = np.zeros(len(rows), np.float32)
    for column, label_id in enumerate(suggestions.label_ids):
        carries = labeled.carried[rows, :-1] & (labeled.labels == label_id)
        own = np.maximum(own, probabilities[:, column] * carries.any(axis=1))
    return rows[np.argsort(own, kind="stable")[:MAX_QUERIES]]


def list_latest_import(db: Session, project_id: int) -> Ids:
    """List records of the newest import that brought any, in the order of its file; (0,) without
    one."""
    newest = (
        select(Import.started_at)
        .where(Import.project_id == project_id, Import.n_stored > 0)
        .order_by(Import.id.desc())
        .limit(1)
    )
    began = db.scalar(newest)
    if began is None:
        return np.empty(0, np.int64)
    arrived = select(Record.id).where(Record.project_id == project_id, Record.created_at >= began)
    [ids] = load_id_columns(db, arrived.order_by(Record.id))
    return ids


def _find_neighbours(version: LoadedVersion, ids: Ids, queries: Ids) -> tuple[Floats, Ids]:
    """Cosine and row of each asked row's nearest others, both (q, k), k at most NEIGHBOURS."""
    k = min(NEIGHBOURS, len(ids) - 1)
    rows = version.index.vectors(ids)
    similarities = np.empty((len(queries), k), np.float32)
    near = np.empty((len(queries), k), np.int64)
    for start in range(0, len(queries), AT_ONCE // 4):
        part = slice(start, start + AT_ONCE // 4)
        cosines = rows[queries[part]] @ rows.T
        cosines[np.arange(len(cosines)), queries[part]] = -np.inf
        near[part] = np.argpartition(-cosines, k - 1, axis=1)[:, :k]
        similarities[part] = np.take_along_axis(cosines, near[part], axis=1)
    return similarities, near
