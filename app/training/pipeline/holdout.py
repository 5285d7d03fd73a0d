"""What the audit stream says of versions: the figure without bias.

Sessions choose what is labeled, so figures from those labels tell how a version does on what was
chosen. The stream was drawn by chance alone (app.labeling.team.holdout), so its figures hold for
every record of the project.

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

from app.db.session import id_chunks
from app.labeling.team.holdout import count_holdout, is_in_holdout
from app.ml.evaluation.activation_gate import RAW
from app.ml.evaluation.comparison import Difference, Score
from app.ml.evaluation.intervals import BootstrapSamples
from app.ml.evaluation.predict import Baseline, align_predictions
from app.ml.evaluation.predictions import ExampleScores, FoldPredictions
from app.ml.evaluation.ranking import rank_rows
from app.ml.evaluation.scores import compare_scores
from app.ml.examples import Examples
from app.ml.heads.baselines import RawHead
from app.ml.heads.head import Head
from app.ml.vectors import Vectors
from app.models import Consensus, Project, Record, TrainingRun, Version
from app.search.indexes import LoadedVersion, NotIndexed, open_version
from app.search.vectors import Ids
from app.search.versions import find_active_version, find_version
from app.storage import CorruptFile
from app.training.pipeline.baseline import find_run_of_version, load_seen_record_ids
from app.training.pipeline.holdout_examples import (
    MIN_HOLDOUT_RECORDS,
    HoldoutRecords,
    HoldoutSample,
    build_empty_examples,
    compute_holdout_scores,
    join_examples,
)
from app.training.pipeline.snapshot import load_near_copy_keys


@dataclass(frozen=True)
class HoldoutScores:
    """What the stream says of raw, of tuned and of the version in use; empty where too little is
    known."""

    raw: tuple[Score, ...] = ()
    tuned: tuple[Score, ...] = ()
    active: tuple[Score, ...] = ()
    differences: tuple[Difference, ...] = ()


def load_holdout_records(
    db: Session, project: Project, runs: Sequence[TrainingRun]
) -> HoldoutRecords:
    """The stream's labeled records that none of these runs can have learned from, neither the
    record itself nor a near-copy of it."""
    carried: dict[int, set[int]] = defaultdict(set)
    rows = db.execute(
        select(Record.id, Consensus.label_id)
        .join(Consensus, Consensus.record_id == Record.id)
        .where(Record.project_id == project.id, is_in_holdout(project.id))
    )
    for record_id, label_id in rows:
        carried[record_id] |= set() if label_id is None else {label_id}
    ids = np.array(sorted(carried), np.int64)
    keys = load_near_copy_keys(db, ids)
    learned = set[bytes]().union(*(_load_learned_keys(db, run) for run in runs if keys))
    kept = [row for row, key in enumerate(keys) if key not in learned]
    # Digests of equal length, so that NumPy compares them whole.
    _, groups = np.unique([keys[row].hex() for row in kept], return_inverse=True)
    labels = tuple(frozenset(carried[int(ids[row])]) for row in kept)
    return HoldoutRecords(ids[kept], labels, groups.astype(np.int64))


def _load_learned_keys(db: Session, run: TrainingRun) -> set[bytes]:
    """Return the near-copy keys of what a run may have learned from: records that had been judged
    when it froze its examples and were not held out then."""
    judged = load_seen_record_ids(db, run)
    ids = [
        record_id
        for some in id_chunks(judged)
        for record_id in db.scalars(
            select(Record.id).where(Record.id.in_(some), Record.content_hash > run.holdout_until)
        )
    ]
    return set(load_near_copy_keys(db, np.array(sorted(ids), np.int64)))


def evaluate_on_holdout(
    head: Head,
    inputs: tuple[Ids, Vectors, Examples],
    baseline: Baseline | None,
    own_records: HoldoutRecords,
    shared_records: HoldoutRecords,
    base: Head | None = None,
) -> HoldoutScores:
    """Raw against the run's own head, and that against the champion, each pair on one sample.

    material  the run's record ids, their raw vectors, and the examples that it learned from
    ours      what the run cannot have learned from; both: nor the champion's run
    base      what reads the raw vectors from those of the material, if they hold others too
    """
    vectors = inputs[1]
    sample = HoldoutSample(inputs, own_records)
    tuned = sample.predict(head, vectors)
    raw = sample.predict(base or RawHead(vectors.shape[1]), vectors)
    if tuned is None or raw is None:
        return HoldoutScores()
    bootstrap = BootstrapSamples(tuned.examples.groups)
    holdout = HoldoutScores(
        compute_holdout_scores(raw, bootstrap),
        compute_holdout_scores(tuned, bootstrap),
        (),
        _compare_pair(tuned, raw, RAW, bootstrap),
    )
    if baseline is None:
        return holdout
    sample = HoldoutSample(inputs, shared_records)
    tuned_on_shared, active = (
        sample.predict(head, vectors),
        sample.predict(baseline.head, baseline.vectors),
    )
    if tuned_on_shared is None or active is None:
        return holdout
    bootstrap = BootstrapSamples(tuned_on_shared.examples.groups)
    differences = (
        *holdout.differences,
        *_compare_pair(tuned_on_shared, active, baseline.name, bootstrap),
    )
    return replace(
        holdout, active=compute_holdout_scores(active, bootstrap), differences=differences
    )


def score_version_now(db: Session, project: Project, version: Version) -> tuple[Score, ...]:
    """What the stream says of a version today, by what it suggests and finds now; cheap.

    A raw version suggests nothing, so it has audit_r_precision alone. Empty below LEAST_AUDITED,
    and where the version's files cannot be opened: search says so.
    """
    run = find_run_of_version(db, version)
    found = load_holdout_records(db, project, [] if run is None else [run])
    if len(found.record_ids) < MIN_HOLDOUT_RECORDS:
        return ()
    try:
        loaded = open_version(db, version.id)
    except (NotIndexed, CorruptFile):
        return ()
    is_there = np.isin(found.record_ids, loaded.index.ids)
    ids, groups = found.record_ids[is_there], found.groups[is_there]
    if len(ids) < MIN_HOLDOUT_RECORDS:
        return ()
    known = loaded.suggestions.label_ids
    none = build_empty_examples(known, is_multi_label=project.is_multi_label)
    labels = [each for each, there in zip(found.labels, is_there, strict=True) if there]
    examples = join_examples(none, np.arange(len(ids)), labels, groups)
    example_scores = ExampleScores(examples, (min(10, len(ids) - 1),))
    example_scores.add(np.arange(len(ids)), _predict_now(loaded, ids, examples))
    scores = compute_holdout_scores(example_scores, BootstrapSamples(examples.groups))
    return tuple(each for each in scores if known or each.metric == "holdout_r_precision")


def _predict_now(loaded: LoadedVersion, ids: Ids, examples: Examples) -> FoldPredictions:
    """What the version finds and suggests for these records, the examples, in their order."""
    ranked = rank_rows(loaded.index.vectors(ids), groups=examples.groups)
    known = loaded.suggestions.label_ids
    if not known:
        return FoldPredictions(ranked, np.zeros_like(examples.label_matrix()), None)
    return FoldPredictions(
        ranked, *align_predictions(loaded.suggestions.probabilities(ids), known, examples)
    )


def _compare_pair(
    tuned: ExampleScores, other: ExampleScores, against: str, bootstrap: BootstrapSamples
) -> tuple[Difference, ...]:
    keys = (("accuracy", None), ("r_precision", None))
    found = [compare_scores(tuned, other, key, against, bootstrap) for key in keys]
    return tuple(replace(each, metric=f"holdout_{each.metric}") for each in found if each)


def holdout_as_json(db: Session, project: Project, number: int | None = None) -> dict[str, Any]:
    """The stream and what it says of the version of that number, or of the active one."""
    if number is None:
        version = find_active_version(db, project.id)
    else:
        version = find_version(db, project.id, number)
    names = ("metric", "k", "n", "value", "low", "high", "chance")
    scores = () if version is None else score_version_now(db, project, version)
    return asdict(count_holdout(db, project.id)) | {
        "version": None if version is None else version.number,
        "scores": [{name: getattr(each, name) for name in names} for each in scores],
    }
