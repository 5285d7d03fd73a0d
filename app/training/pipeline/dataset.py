"""What a run's examples were made of: counted when they are frozen, and kept with the run."""

import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.db.session import id_chunks
from app.labeling.team.holdout import is_in_holdout
from app.ml.evaluation.splits import Partition
from app.ml.examples import Examples
from app.ml.vectors import Ids
from app.models import Consensus, Embedding, Project, Record, Version
from app.models.enums import AnnotationSource
from app.projects.labels import label_set
from app.training.pipeline.snapshot import WEIGHTS, Snapshot

SplitExamples = Callable[[Examples], Partition]


@dataclass(frozen=True)
class LabelShare:
    """A label among the examples: its records, their share of all, and its share if each label
    counts with the logarithm of its records, log(1 + n)."""

    name: str
    n: int
    share: float
    log_share: float


def summarize_dataset(
    db: Session, project: Project, raw: Version, snapshot: Snapshot, split: SplitExamples
) -> dict[str, Any]:
    """Summarize the report, as plain values.

    left_out  labels that do not teach, by the rule that leaves them out
    dropped   labels of the set without an example, and those that one record alone carries
    splits    how many examples teach and how many are asked, part by part
    """
    n_records = select(func.count(Record.id)).where(Record.project_id == project.id)
    n_texts = _count_texts(db, snapshot.record_ids)
    names = {label.id: label.name for label in label_set(db, project.id)}
    return {
        "n_records": db.scalar(n_records) or 0,
        "n_with_vector": len(snapshot.pool),
        "n_examples": len(snapshot.record_ids),
        "n_duplicates": len(snapshot.record_ids) - n_texts,
        "n_groups": len(np.unique(snapshot.groups)),
        "n_contradictions": snapshot.n_contradictions,
        "n_page_accepted": _count_by_weight(snapshot, AnnotationSource.PAGE),
        "n_by_rule": _count_by_weight(snapshot, AnnotationSource.RULE),
        "weights": {name: WEIGHTS[name] for name in ("single", "page", "rule")},
        "left_out": _list_left_out(db, project, raw, names),
        "labels": [asdict(share) for share in _compute_label_shares(snapshot, names)],
        "dropped": _list_dropped(snapshot, names),
        "splits": _count_splits(snapshot, project, split),
    }


def _count_texts(db: Session, ids: Ids) -> int:
    texts: set[str] = set()
    for some in id_chunks(ids):
        texts |= set(db.scalars(select(Record.content_hash).where(Record.id.in_(some))))
    return len(texts)


def _count_by_weight(snapshot: Snapshot, source: str) -> int:
    return int(np.isclose(snapshot.weights, WEIGHTS[source]).sum())


def _compute_label_shares(snapshot: Snapshot, names: Mapping[int, str]) -> list[LabelShare]:
    counts = snapshot.targets.sum(axis=0).tolist()
    total, logs = max(1, sum(counts)), sum(math.log1p(n) for n in counts) or 1.0
    shares = [
        LabelShare(names.get(int(i), "–"), n, n / total, math.log1p(n) / logs)
        for i, n in zip(snapshot.label_ids, counts, strict=True)
    ]
    return sorted(shares, key=lambda each: (-each.n, each.name.casefold()))


def _list_dropped(snapshot: Snapshot, names: Mapping[int, str]) -> list[dict[str, str]]:
    counts = dict(zip(snapshot.label_ids.tolist(), snapshot.targets.sum(axis=0), strict=True))
    unused = "no labeled record, so nothing can be learned or suggested of it"
    alone = "one record: it teaches, and cannot be measured, for nothing else is like it"
    rules = {0: unused, 1: alone}
    return [
        {"name": name, "rule": rules[int(counts.get(label_id, 0))]}
        for label_id, name in names.items()
        if int(counts.get(label_id, 0)) in rules
    ]


def _list_left_out(
    db: Session, project: Project, raw: Version, names: Mapping[int, str]
) -> list[dict[str, Any]]:
    has_vector = (
        select(Embedding.record_id)
        .where(Embedding.record_id == Consensus.record_id, Embedding.version_id == raw.id)
        .exists()
    )
    # Flags first, then groups: Postgres takes equal expressions with parameters for different ones.
    flags = (
        select(
            Consensus.label_id,
            is_in_holdout(project.id).label("is_held_out"),
            has_vector.label("is_embedded"),
        )
        .join(Record, Record.id == Consensus.record_id)
        .where(Consensus.project_id == project.id)
        .subquery()
    )
    rows = db.execute(select(*flags.c, func.count()).group_by(*flags.c))
    counted: dict[str, int] = {}
    for row in rows:
        rule = _find_exclusion_rule(project, row[0], names, bool(row[1]), bool(row[2]))
        if rule is not None:
            counted[rule] = counted.get(rule, 0) + row[3]
    return [{"rule": rule, "n": n} for rule, n in counted.items()]


def _find_exclusion_rule(
    project: Project, label_id: int | None, names: Mapping[int, str], held_out: bool, embedded: bool
) -> str | None:
    if held_out:
        return "in the hold-out sample, which is never trained on"
    if label_id is None and not project.is_multi_label:
        return "“none of these”, which is not a class"
    if label_id is not None and label_id not in names:
        return "of labels that are no longer offered"
    return None if embedded else "without a vector yet"


def _count_splits(
    snapshot: Snapshot, project: Project, split: SplitExamples
) -> list[dict[str, Any]]:
    examples = snapshot.examples(snapshot.pool, is_multi_label=project.is_multi_label)
    return [
        {"part": number, "n_shown": len(train), "n_hidden": len(held_out)}
        for number, (train, held_out) in enumerate(split(examples), 1)
    ]
