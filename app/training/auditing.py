"""What the audit stream says of versions: the figure without bias.

Sessions choose what is labeled, so figures from those labels tell how a version does on what was
chosen. The stream was drawn by chance alone (app.labeling.audit), so its figures hold for every
record of the project.

Decision: a record counts for a version only if that version cannot have learned from it: it was in
the stream when the version's run froze its examples, or nothing had been said by then about it or
about a near-copy of it.
Decision: "none of these" and labels that are no longer offered count as what a suggestion cannot
get right, for so they are when somebody works with it.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.artifacts import Damaged
from app.database import id_chunks
from app.labeling.audit import audit_counts, in_audit
from app.models import Consensus, Encoder, Project, Record, TrainingRun
from app.search.encoders import active_encoder, find_version
from app.search.indexes import NotIndexed, Version, open_version
from app.search.vectors import Ids
from app.similarity.examples import Examples
from app.similarity.head import Head, RawHead
from app.similarity.measuring.answers import Answers, Reply
from app.similarity.measuring.asking import Champion, said
from app.similarity.measuring.evaluation import Difference, Score
from app.similarity.measuring.gate import RAW
from app.similarity.measuring.intervals import Resamples
from app.similarity.measuring.ranking import ranked_rows
from app.similarity.measuring.scoring import difference
from app.similarity.vectors import Vectors
from app.training.audit_sample import (
    LEAST_AUDITED,
    Audited,
    Sample,
    figures,
    joined,
    nothing,
)
from app.training.contenders import run_of, seen_by
from app.training.texts import near_copy_keys


@dataclass(frozen=True)
class Audit:
    """What the stream says of raw, of tuned and of the version in use; empty where too little is
    known."""

    raw: tuple[Score, ...] = ()
    tuned: tuple[Score, ...] = ()
    active: tuple[Score, ...] = ()
    differences: tuple[Difference, ...] = ()


def audited(db: Session, project: Project, runs: Sequence[TrainingRun]) -> Audited:
    """The stream's labeled records that none of these runs can have learned from, neither the
    record itself nor a near-copy of it."""
    carried: dict[int, set[int]] = defaultdict(set)
    rows = db.execute(
        select(Record.id, Consensus.label_id)
        .join(Consensus, Consensus.record_id == Record.id)
        .where(Record.project_id == project.id, in_audit(project.id))
    )
    for record_id, label_id in rows:
        carried[record_id] |= set() if label_id is None else {label_id}
    ids = np.array(sorted(carried), np.int64)
    keys = near_copy_keys(db, ids)
    learned = set[bytes]().union(*(_learned_keys(db, run) for run in runs if keys))
    kept = [row for row, key in enumerate(keys) if key not in learned]
    # Digests of equal length, so that NumPy compares them whole.
    _, groups = np.unique([keys[row].hex() for row in kept], return_inverse=True)
    labels = tuple(frozenset(carried[int(ids[row])]) for row in kept)
    return Audited(ids[kept], labels, groups.astype(np.int64))


def _learned_keys(db: Session, run: TrainingRun) -> set[bytes]:
    """Return the near-copy keys of what a run may have learned from: records that had been judged
    when it froze its examples and were not held out then."""
    judged = seen_by(db, run)
    ids = [
        record_id
        for some in id_chunks(judged)
        for record_id in db.scalars(
            select(Record.id).where(Record.id.in_(some), Record.content_hash > run.audit_until)
        )
    ]
    return set(near_copy_keys(db, np.array(sorted(ids), np.int64)))


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
    asked = Sample(material, ours)
    tuned = asked.of(head, vectors)
    raw = asked.of(base or RawHead(vectors.shape[1]), vectors)
    if tuned is None or raw is None:
        return Audit()
    draws = Resamples(tuned.examples.groups)
    audit = Audit(figures(raw, draws), figures(tuned, draws), (), _pair(tuned, raw, RAW, draws))
    if champion is None:
        return audit
    asked = Sample(material, both)
    rival, active = asked.of(head, vectors), asked.of(champion.head, champion.vectors)
    if rival is None or active is None:
        return audit
    draws = Resamples(rival.examples.groups)
    differences = (*audit.differences, *_pair(rival, active, champion.name, draws))
    return replace(audit, active=figures(active, draws), differences=differences)


def audit_now(db: Session, project: Project, encoder: Encoder) -> tuple[Score, ...]:
    """What the stream says of a version today, by what it suggests and finds now; cheap.

    A raw version suggests nothing, so it has audit_r_precision alone. Empty below LEAST_AUDITED,
    and where the version's files cannot be opened: search says so.
    """
    run = run_of(db, encoder)
    found = audited(db, project, [] if run is None else [run])
    if len(found.record_ids) < LEAST_AUDITED:
        return ()
    try:
        version = open_version(db, encoder.id)
    except (NotIndexed, Damaged):
        return ()
    is_there = np.isin(found.record_ids, version.index.ids)
    ids, groups = found.record_ids[is_there], found.groups[is_there]
    if len(ids) < LEAST_AUDITED:
        return ()
    known = version.suggestions.label_ids
    none = nothing(known, is_multi_label=project.is_multi_label)
    labels = [each for each, there in zip(found.labels, is_there, strict=True) if there]
    examples = joined(none, np.arange(len(ids)), labels, groups)
    answers = Answers(examples, (min(10, len(ids) - 1),))
    answers.add(np.arange(len(ids)), _reply_of(version, ids, examples))
    told = figures(answers, Resamples(examples.groups))
    return tuple(each for each in told if known or each.metric == "audit_r_precision")


def _reply_of(version: Version, ids: Ids, examples: Examples) -> Reply:
    """What the version finds and suggests for these records, the examples, in their order."""
    ranked = ranked_rows(version.index.vectors(ids), groups=examples.groups)
    known = version.suggestions.label_ids
    if not known:
        return Reply(ranked, np.zeros_like(examples.answers()), None)
    return Reply(ranked, *said(version.suggestions.probabilities(ids), known, examples))


def _pair(tuned: Answers, other: Answers, against: str, draws: Resamples) -> tuple[Difference, ...]:
    keys = (("accuracy", None), ("r_precision", None))
    found = [difference(tuned, other, key, against, draws) for key in keys]
    return tuple(replace(each, metric=f"audit_{each.metric}") for each in found if each)


def audit_as_json(db: Session, project: Project, number: int | None = None) -> dict[str, Any]:
    """The stream and what it says of the version of that number, or of the active one."""
    if number is None:
        encoder = active_encoder(db, project.id)
    else:
        encoder = find_version(db, project.id, number)
    names = ("metric", "k", "n", "value", "low", "high", "chance")
    scores = () if encoder is None else audit_now(db, project, encoder)
    return asdict(audit_counts(db, project.id)) | {
        "version": None if encoder is None else encoder.number,
        "scores": [{name: getattr(each, name) for name in names} for each in scores],
    }
