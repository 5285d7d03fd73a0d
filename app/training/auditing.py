"""What the audit stream says of versions: the figure without bias.

Sessions choose what is labeled, so figures from those labels tell how a version does on what was
chosen. The stream was drawn by chance alone (app.labeling.audit), so its figures hold for every
record of the project.

Decision: a record counts for a version only if that version cannot have learned from it: it was in
the stream when the version's run froze its examples, or nothing had been said about it by then.
Decision: "none of these" and labels that are no longer offered count as what a suggestion cannot
get right, for so they are when somebody works with it.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.labeling.audit import in_audit
from app.models import Consensus, Project, Record, TrainingRun
from app.search.vectors import Ids
from app.similarity.answers import Answers
from app.similarity.asking import Champion, ask
from app.similarity.evaluation import Difference, Score
from app.similarity.examples import Examples
from app.similarity.gate import RAW
from app.similarity.head import Head, RawHead
from app.similarity.intervals import Resamples, wilson
from app.similarity.scoring import difference, scores_of
from app.similarity.vectors import Vectors
from app.training.contenders import seen_by

LEAST_AUDITED = 10
"""Below this many audited records, nothing is told: the interval would span half of all shares."""

NOBODY = -1
"""The column of "none of these" and of labels that no version suggests."""

KEPT = ("accuracy", "macro_f1", "r_precision", "calibration_error", "loss")


@dataclass(frozen=True)
class Audited:
    """Labeled records of the stream: ids (q,) int64, ascending, the labels that each carries, and
    groups (q,) int64 of equal texts."""

    record_ids: Ids
    labels: tuple[frozenset[int], ...]
    groups: Ids


@dataclass(frozen=True)
class Audit:
    """What the stream says of raw, of tuned and of the version in use; empty where too little is
    known."""

    raw: tuple[Score, ...] = ()
    tuned: tuple[Score, ...] = ()
    active: tuple[Score, ...] = ()
    differences: tuple[Difference, ...] = ()


def audited(db: Session, project: Project, runs: Sequence[TrainingRun]) -> Audited:
    """The stream's labeled records that none of these runs can have learned from."""
    rows = db.execute(
        select(Record.id, Record.content_hash, Consensus.label_id)
        .join(Consensus, Consensus.record_id == Record.id)
        .where(Record.project_id == project.id, in_audit(project.id))
        .order_by(Record.id)
    ).all()
    for run in runs:
        seen = seen_by(db, run)
        # An equal text was as good as this one.
        texts = {row.content_hash for row in rows if row.id in seen}
        until = run.audit_until
        rows = [r for r in rows if r.content_hash <= until or r.content_hash not in texts]
    carried: dict[int, set[int]] = defaultdict(set)
    for row in rows:
        carried[row.id] |= set() if row.label_id is None else {row.label_id}
    texts_of = {row.id: row.content_hash for row in rows}
    ids = sorted(carried)
    _, groups = np.unique([texts_of[i] for i in ids], return_inverse=True)
    labels = tuple(frozenset(carried[i]) for i in ids)
    return Audited(np.array(ids, np.int64), labels, groups.astype(np.int64))


def audit_of_run(
    head: Head,
    material: tuple[Ids, Vectors, Examples],
    champion: Champion | None,
    ours: Audited,
    both: Audited,
    base: Head | None = None,
) -> Audit:
    """Raw against the run's own head, and that against the champion, each pair on one sample.

    material  the run's record ids, their raw vectors, and the examples that it learned from
    ours      what the run cannot have learned from; both: nor the champion's run
    base      what reads the raw vectors from those of the material, if they hold others too
    """
    vectors = material[1]
    asked = _Sample(material, ours)
    tuned = asked.of(head, vectors)
    raw = asked.of(base or RawHead(vectors.shape[1]), vectors)
    if tuned is None or raw is None:
        return Audit()
    draws = Resamples(tuned.examples.groups)
    audit = Audit(figures(raw, draws), figures(tuned, draws), (), _pair(tuned, raw, RAW, draws))
    if champion is None:
        return audit
    asked = _Sample(material, both)
    rival, active = asked.of(head, vectors), asked.of(champion.head, champion.vectors)
    if rival is None or active is None:
        return audit
    draws = Resamples(rival.examples.groups)
    differences = (*audit.differences, *_pair(rival, active, champion.name, draws))
    return replace(audit, active=figures(active, draws), differences=differences)


def figures(answers: Answers, draws: Resamples) -> tuple[Score, ...]:
    """Of all scores those that a sample by chance can tell, named audit_...; shares by Wilson."""
    found = [s for s in scores_of(answers, draws) if s.metric in KEPT and s.label_id is None]
    return tuple(_renamed(score) for score in found)


class _Sample:
    """Training examples, to be shown, and audited ones, to be asked about, as one."""

    def __init__(self, material: tuple[Ids, Vectors, Examples], audited: Audited) -> None:
        ids, _, training = material
        is_there = np.isin(audited.record_ids, ids)
        labels = [each for each, there in zip(audited.labels, is_there, strict=True) if there]
        rows = np.searchsorted(ids, audited.record_ids[is_there]).astype(np.int64)
        self.n_shown, self.n_hidden = len(training), len(rows)
        self.examples = _joined(training, rows, labels, audited.groups[is_there])

    def of(self, head: Head, vectors: Vectors) -> Answers | None:
        """What this head says of the audited ones; None if they are too few."""
        if self.n_hidden < LEAST_AUDITED:
            return None
        hidden = np.arange(self.n_shown, self.n_shown + self.n_hidden)
        answers = Answers(self.examples, (min(10, self.n_hidden - 1),))
        reply = ask(head, vectors, self.examples, (np.arange(self.n_shown), hidden))
        answers.add(hidden, reply)
        return answers


def _joined(
    training: Examples, rows: Ids, labels: Sequence[frozenset[int]], groups: Ids
) -> Examples:
    """The training examples, then the audited ones, with one more column: NOBODY's."""
    columns = (*training.label_ids, NOBODY)
    known = set(training.label_ids)
    said = np.array(
        [[c in each or (c == NOBODY and not each <= known) for c in columns] for each in labels],
        dtype=bool,
    ).reshape(len(labels), len(columns))
    if not training.is_multi_label:
        said[~said.any(axis=1), -1] = True
    shown = np.pad(training.answers(), ((0, 0), (0, 1)))
    targets = np.concatenate([shown, said])
    m = len(targets)
    return Examples(
        rows=np.concatenate([training.rows, rows]),
        classes=targets.argmax(axis=1).astype(np.int64),
        label_ids=columns,
        groups=np.concatenate([training.groups, training.groups.max(initial=0) + 1 + groups]),
        weights=np.ones(m, np.float32),
        targets=targets if training.is_multi_label else None,
    )


def _pair(tuned: Answers, other: Answers, against: str, draws: Resamples) -> tuple[Difference, ...]:
    keys = (("accuracy", None), ("r_precision", None))
    found = [difference(tuned, other, key, against, draws) for key in keys]
    return tuple(replace(each, metric=f"audit_{each.metric}") for each in found if each)


def _renamed(score: Score) -> Score:
    named = replace(score, metric=f"audit_{score.metric}")
    if score.metric != "accuracy":
        return named
    low, high = wilson(score.value * score.n, score.n)
    return replace(named, low=low, high=high)
