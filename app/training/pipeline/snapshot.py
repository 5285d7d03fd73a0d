"""The frozen training data of a run: records, labels, and groups that must not be split."""

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from scipy.sparse.csgraph import connected_components
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.db.session import id_chunks
from app.errors import Conflict
from app.labeling.sessions.kinds import SESSION_KINDS
from app.ml.evaluation.near_copies import compute_near_copy_key
from app.ml.examples import Examples
from app.ml.vectors import Ids
from app.models import (
    Annotation,
    Consensus,
    Embedding,
    LabelingSession,
    Project,
    Record,
    UserAction,
    Version,
)
from app.models.enums import AnnotationSource, Verdict
from app.projects.labels import label_set
from app.search.vectors import list_embedded_ids

# Weight of an annotation by its source: accepting a page means less attention to each row than
# labeling it by key, and a rule does not look at the record at all.
WEIGHTS: dict[str, float] = {
    AnnotationSource.SINGLE: 1.0,
    AnnotationSource.IMPORT: 1.0,
    AnnotationSource.PAGE: 0.8,
    AnnotationSource.RULE: 0.5,
}


MOST_COMPARED = 10_000
"""Characters by which near-copies are recognised: what begins alike for so long is one."""


@dataclass(frozen=True)
class Snapshot:
    """Labeled records with a vector, and the pool of all records with one, at one moment.

    pool        (n,) int64, record ids, sorted: unlabeled ones are used for training as well
    record_ids  (m,) int64, the examples, sorted; targets (m, K) bool, which labels each carries
    label_ids   (K,) int64, labels in use, in the order of the columns
    groups      (m,) int64: near-copies and records accepted as one page share a group
    weights     (m,) float32, by provenance
    apart       (p, 2) int64, pairs of record ids marked as not similar
    n_contradictions  number of texts with different labels on different records
    last_action_id       the newest action that it may include
    """

    pool: Ids
    record_ids: Ids
    targets: NDArray[np.bool_]
    label_ids: Ids
    groups: Ids
    weights: NDArray[np.float32]
    apart: Ids
    n_contradictions: int
    last_action_id: int

    def save(self, path: Path) -> None:
        """Save as one npz file, arrays only."""
        with path.open("wb") as opened:
            np.savez(opened, allow_pickle=False, **self._arrays())

    def _arrays(self) -> dict[str, Any]:
        return {field.name: np.asarray(getattr(self, field.name)) for field in fields(self)}

    @property
    def hash(self) -> str:
        """The hex SHA-256 of the labels of all records, as canonical JSON."""
        labels = [self.label_ids[row].tolist() for row in self.targets]
        labelings = [[int(i), ids] for i, ids in zip(self.record_ids, labels, strict=True)]
        return hashlib.sha256(json.dumps(labelings, separators=(",", ":")).encode()).hexdigest()

    @property
    def fewest(self) -> int:
        """The number of records of the rarest label in use."""
        return int(self.targets.sum(axis=0).min()) if self.targets.size else 0

    def examples(self, ids: Ids, *, is_multi_label: bool) -> Examples:
        """Build the examples of app.ml: rows into vectors whose record ids are `ids`, sorted."""
        is_there = np.isin(self.record_ids, ids)
        targets = self.targets[is_there]
        return Examples(
            rows=np.searchsorted(ids, self.record_ids[is_there]).astype(np.int64),
            classes=targets.argmax(axis=1).astype(np.int64),
            targets=targets if is_multi_label else None,
            label_ids=tuple(int(i) for i in self.label_ids),
            groups=self.groups[is_there],
            weights=self.weights[is_there],
            apart=np.searchsorted(ids, self.apart[np.isin(self.apart, ids).all(axis=1)]),
        )


def load_snapshot(path: Path) -> Snapshot:
    """Load what `save` wrote."""
    with np.load(path, allow_pickle=False) as stored:
        values: dict[str, Any] = {name: stored[name] for name in stored.files}
    for name in ("n_contradictions", "last_action_id"):
        values[name] = int(values[name])
    return Snapshot(**values)


def freeze(db: Session, project: Project, raw: Version) -> Snapshot:
    """Take a snapshot of the labeled records. Raises Conflict if none can be used for training."""
    labels = _load_labels(db, project, raw)
    if len(labels) == 0:
        raise Conflict("No labeled record is embedded yet, so there is nothing to train on.")
    ids = np.array(sorted(labels), dtype=np.int64)
    used = {label for carried in labels.values() for label in carried}
    columns = [label.id for label in label_set(db, project.id) if label.id in used]
    targets = np.array([[c in labels[int(i)] for c in columns] for i in ids], dtype=bool)
    hashes = _load_hashes(db, ids)
    actions = _load_provenance(db, project.id)
    provenance = [actions.get(int(i), (0, AnnotationSource.SINGLE.value)) for i in ids]
    return Snapshot(
        pool=list_embedded_ids(db, raw.id),
        record_ids=ids,
        targets=targets.reshape(len(ids), len(columns)),
        label_ids=np.array(columns, dtype=np.int64),
        groups=_build_groups(load_near_copy_keys(db, ids), provenance),
        weights=np.array([WEIGHTS.get(source, 1.0) for _, source in provenance], np.float32),
        apart=_load_cannot_link_pairs(db, project),
        n_contradictions=_count_contradictions(hashes, targets),
        last_action_id=last_action_id(db, project.id),
    )


def last_action_id(db: Session, project_id: int) -> int:
    """Return the id of the project's newest action; 0 before the first."""
    return (
        db.scalar(select(func.max(UserAction.id)).where(UserAction.project_id == project_id)) or 0
    )


def _load_labels(db: Session, project: Project, raw: Version) -> dict[int, set[int]]:
    """Load the current labels by record id. "None of these" is used only in multi-label projects.

    The hold-out sample is excluded: it is for evaluation only.
    """
    offered = {label.id for label in label_set(db, project.id)}
    rows = db.execute(
        select(Consensus.record_id, Consensus.label_id)
        .join(Embedding, Embedding.record_id == Consensus.record_id)
        .join(Record, Record.id == Consensus.record_id)
        .where(
            Consensus.project_id == project.id,
            Embedding.version_id == raw.id,
            Record.content_hash > project.holdout_until,
        )
    )
    labels: dict[int, set[int]] = defaultdict(set)
    for record_id, label_id in rows:
        if label_id in offered:
            labels[record_id].add(label_id)
        elif label_id is None and project.is_multi_label:
            labels[record_id] |= set()
    return labels


def _load_hashes(db: Session, ids: Ids) -> list[str]:
    found: dict[int, str] = {}
    for start in range(0, len(ids), 500):
        part = [int(i) for i in ids[start : start + 500]]
        rows = db.execute(select(Record.id, Record.content_hash).where(Record.id.in_(part)))
        found |= dict(rows.all())
    return [found[int(i)] for i in ids]


def _load_provenance(db: Session, project_id: int) -> dict[int, tuple[int, str]]:
    """Load, by record id, the action behind its consensus and the source of the annotation."""
    rows = db.execute(
        select(Consensus.record_id, Consensus.action_id, Annotation.source)
        .join(
            Annotation,
            (Annotation.action_id == Consensus.action_id)
            & (Annotation.record_id == Consensus.record_id),
        )
        .where(Consensus.project_id == project_id)
        .distinct()
    )
    return {record_id: (action_id, source) for record_id, action_id, source in rows}


def _build_groups(keys: Sequence[bytes], provenance: Sequence[tuple[int, str]]) -> Ids:
    """Assign a number to each group of records that near-copies or page accepts link."""
    names: dict[object, int] = {}
    links: list[tuple[int, int]] = []
    for row, (key, (action_id, source)) in enumerate(zip(keys, provenance, strict=True)):
        shared: list[object] = [key, *([action_id] if source == AnnotationSource.PAGE else [])]
        links += [(row, names.setdefault(each, len(keys) + len(names))) for each in shared]
    n = len(keys) + len(names)
    rows, others = np.array(links).T
    graph = sp.csr_matrix((np.ones(len(links), bool), (rows, others)), shape=(n, n))
    _, components = connected_components(graph, directed=False)
    return np.asarray(components[: len(keys)], dtype=np.int64)


def _count_contradictions(hashes: Sequence[str], targets: NDArray[np.bool_]) -> int:
    labelings: dict[str, set[bytes]] = defaultdict(set)
    for text, row in zip(hashes, targets, strict=True):
        labelings[text].add(row.tobytes())
    return sum(len(answers) > 1 for answers in labelings.values())


def _load_cannot_link_pairs(db: Session, project: Project) -> NDArray[np.int64]:
    """Load the pairs marked "not similar", record and seed of its session: record ids, (p, 2)
    int64, sorted, each pair once. Withdrawn marks, and seeds that are not records, do not count."""
    kinds = [each.kind for each in SESSION_KINDS.values() if each.has_record_seed]
    rejections = db.execute(
        select(LabelingSession.seed, Annotation.record_id)
        .join(LabelingSession, LabelingSession.id == Annotation.session_id)
        .where(
            Annotation.project_id == project.id,
            Annotation.verdict == Verdict.NOT_SIMILAR,
            Annotation.withdrawn_at.is_(None),
            LabelingSession.seed_kind.in_(kinds),
        )
    )
    pairs = {
        (min(seed_id, record_id), max(seed_id, record_id))
        for seed, record_id in rejections
        for seed_id in seed.get("record_ids", ())
        if seed_id != record_id
    }
    return np.array(sorted(pairs), dtype=np.int64).reshape(-1, 2)


def iterate_texts(db: Session, ids: Ids, most: int | None = None) -> Iterator[str]:
    """Load the texts of these records, ids ascending, or their first `most` characters.

    A record deleted meanwhile has an empty text.
    """
    text = Record.text if most is None else func.substr(Record.text, 1, most)
    for some in id_chunks(ids):
        rows = db.execute(select(Record.id, text).where(Record.id.in_(some)))
        found: dict[int, str] = dict(rows.all())
        yield from (found.get(each, "") for each in some)


def load_near_copy_keys(db: Session, ids: Ids) -> list[bytes]:
    """Return a key for each of these records, ids ascending, equal for near-copies."""
    return [compute_near_copy_key(text) for text in iterate_texts(db, ids, MOST_COMPARED)]
